"""The only place with a conversion factor.

Internal units are ASE's: eV, Å, amu, and for stress eV/Å³ (ASE sign and Voigt order xx, yy, zz, yz, xz, xy).
Factors follow from the exact constants of the 2019 SI (CODATA 2018, doi 10.1103/RevModPhys.93.025010).
"""

from __future__ import annotations

from typing import Final

EV_PER_ANG3_IN_GPA: Final = 160.2176634
"""1 eV/Å³ in GPa: e = 1.602176634e-19 C exactly, 1 Å³ = 1e-30 m³."""

EV_IN_MEV: Final = 1000.0
"""1 eV in meV."""

KBAR_IN_EV_PER_ANG3: Final = 0.1 / EV_PER_ANG3_IN_GPA
"""1 kbar (0.1 GPa) in eV/Å³."""

BOLTZMANN_EV_PER_KELVIN: Final = 8.617333262e-5
"""Boltzmann constant k_B in eV/K."""

RYDBERG_IN_EV: Final = 13.605693122994
"""1 Ry in eV."""

ANG2_PER_FS_IN_CM2_PER_S: Final = 0.1
"""1 Å²/fs in cm²/s: 1e-16 cm² / 1e-15 s."""
