"""How moment tensor potentials are fitted: complete settings, without importing motep."""

from __future__ import annotations

from typing import Final

from mlpzoo.training import Preset, Setting

SMALL: Final = Preset(
    title="level 16, the size of mtp/si-small: minutes of one core for 200 structures of up to 65 atoms",
    settings={
        "level": Setting(
            value=16, meaning="of the basis: 2, 4, 6, ...; 8 has 9 functions, 16 has 92, 20 has 288"
        ),
        "cutoff_ang": Setting(value=5.0, meaning="interaction cutoff, Å"),
        "radial_size": Setting(value=8, meaning="Chebyshev polynomials in each radial function"),
        "steps": Setting(value=20, meaning="Levenberg-Marquardt steps: a pass over the training set each"),
        "energy_weight": Setting(value=100.0, meaning="of an energy per atom (eV); a force (eV/Å) has 1"),
        "stress_weight": Setting(value=3.0, meaning="of a component of the virial per atom (eV)"),
    },
)
PRESETS: Final = {
    "smoke": SMALL.but("level 6, seconds: to try whether it works", level=6, steps=4),
    "small": SMALL,
    "large": SMALL.but("level 20: three times the functions and the time per call", level=20, steps=10),
}
