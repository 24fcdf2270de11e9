"""How exact is exact: one place for the numbers and their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from mlpzoo.models import DType


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Allowed difference: absolute part plus ``relative`` times the largest magnitude compared.

    Attributes:
        energy_ev: Per atom.
        force_ev_per_ang: Per component.
        stress_ev_per_ang3: Per component.
        relative: Of the energy per atom, the largest force, the largest stress.
    """

    energy_ev: float
    force_ev_per_ang: float
    stress_ev_per_ang3: float
    relative: float


SYMMETRY: Final[dict[DType, Tolerance]] = {
    # Sums in another order change the last digits (1e-15 relative); tables that were made in float32
    # (Clebsch-Gordan coefficients, radial splines) break a symmetry at 1e-7 relative.  A real bug is
    # orders of magnitude above both.
    "float64": Tolerance(energy_ev=1e-6, force_ev_per_ang=1e-5, stress_ev_per_ang3=1e-6, relative=1e-6),
    # 100 roundings of 6e-8 relative on a force, and positions rounded to 5e-7 Å.
    "float32": Tolerance(energy_ev=1e-4, force_ev_per_ang=1e-3, stress_ev_per_ang3=1e-4, relative=1e-3),
}

REPEAT: Final[dict[DType, Tolerance]] = {
    # The same sums in the same order; parallel sums may differ in the last digit or two.
    "float64": Tolerance(energy_ev=1e-12, force_ev_per_ang=1e-11, stress_ev_per_ang3=1e-12, relative=1e-11),
    "float32": Tolerance(energy_ev=1e-5, force_ev_per_ang=1e-5, stress_ev_per_ang3=1e-6, relative=1e-5),
}

MANY: Final[dict[DType, Tolerance]] = {
    # The same terms; sums over more rows may be cut into other blocks: seen 1e-13 eV, 1e-15 eV/Å.
    "float64": Tolerance(energy_ev=1e-11, force_ev_per_ang=1e-10, stress_ev_per_ang3=0.0, relative=1e-12),
    "float32": Tolerance(energy_ev=1e-5, force_ev_per_ang=1e-4, stress_ev_per_ang3=0.0, relative=1e-5),
}

GOLDEN: Final[dict[DType, Tolerance]] = {
    # Another machine, another BLAS, another release of the framework.
    "float64": Tolerance(energy_ev=1e-8, force_ev_per_ang=1e-7, stress_ev_per_ang3=1e-8, relative=1e-6),
    "float32": Tolerance(energy_ev=1e-4, force_ev_per_ang=1e-3, stress_ev_per_ang3=1e-4, relative=1e-4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteDifference:
    """The five-point formula f' = [8 f(h) - 8 f(-h) - f(2h) + f(-2h)] / 12h and its error.

    Truncation is ``h**4 f''''' / 30``: with h = 2e-3 Å and a fifth derivative of 1e4 eV/Å^5 (a bond in the
    middle of its cutoff function) it is 5e-9 eV/Å.  Rounding is at most ``1.5 eps |E| / h``: 2e-10 eV/Å for
    an energy of 1 keV in float64.  So 1e-5 leaves room, and an error of 1 % in a force of 0.01 eV/Å still
    shows.  In float32 rounding rules: 1e-7 of 100 eV over 0.03 Å is 5e-4 eV/Å.

    Attributes:
        step_ang: h for positions.
        step_strain: h for strains.
        absolute: Allowed error: eV/Å for forces, a tenth of it in eV/Å³ for stresses.
        relative: Allowed error relative to the largest component.
        epsilon: Relative rounding error of an energy.
        finer: By how much to divide the step if a derivative is not what it should be; 1 where rounding
            rules.
    """

    step_ang: float
    step_strain: float
    absolute: float
    relative: float
    epsilon: float
    finer: int

    def allowed(self, largest: float, energy_ev: float, step: float) -> float:
        """Allowed error of a derivative (unit of ``largest``)."""
        return self.absolute + self.relative * largest + 10 * self.epsilon * abs(energy_ev) / step


DERIVATIVE: Final[dict[DType, FiniteDifference]] = {
    "float64": FiniteDifference(
        step_ang=2e-3,
        step_strain=5e-4,
        absolute=1e-5,
        relative=1e-5,
        epsilon=float(np.finfo(np.float64).eps),
        finer=4,
    ),
    "float32": FiniteDifference(
        step_ang=3e-2,
        step_strain=5e-3,
        absolute=5e-3,
        relative=2e-2,
        epsilon=float(np.finfo(np.float32).eps),
        finer=1,
    ),
}
