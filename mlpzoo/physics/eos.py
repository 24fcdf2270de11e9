"""Energy against volume: the lattice constant and bulk modulus of a cubic crystal.

Birch, Phys. Rev. 71, 809 (1947), doi 10.1103/PhysRev.71.809: E is a cubic polynomial in V^(-2/3), so that the
fit is linear and has a closed solution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import CalculationError
from mlpzoo.physics.evaluate import Progress, nothing
from mlpzoo.units import EV_IN_MEV, EV_PER_ANG3_IN_GPA

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.physics.crystals import Crystal

N_VOLUMES = 9
LARGEST_STRAIN = 0.02  # of the lattice constant, to either side; with 0.03 the order of the curve shows in B
MAX_SHIFTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BirchMurnaghan:
    """A fitted third-order Birch-Murnaghan curve.

    Attributes:
        volume_ang3: At the minimum.
        energy_ev: At the minimum.
        bulk_modulus_gpa: There.
        bulk_modulus_derivative: Its derivative with respect to pressure, there.
        residual_ev: Root mean square of what the fit leaves, in the unit of the energies.
    """

    volume_ang3: float
    energy_ev: float
    bulk_modulus_gpa: float
    bulk_modulus_derivative: float
    residual_ev: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EquationOfState:
    """The curve of a crystal; volumes (n,) in Å³ and energies (n,) in eV are per atom.

    Attributes:
        lattice_constant_ang: At the minimum.
        fit: The curve, per atom.
    """

    lattice_constant_ang: float
    fit: BirchMurnaghan
    volumes_ang3: NDArray[np.float64]
    energies_ev: NDArray[np.float64]

    @property
    def residual_mev(self) -> float:
        """Root mean square of what the fit leaves, in meV/atom."""
        return self.fit.residual_ev * EV_IN_MEV


def fit_birch_murnaghan(
    volumes_ang3: NDArray[np.float64], energies_ev: NDArray[np.float64]
) -> BirchMurnaghan:
    """Fit a curve to at least five points.

    Args:
        volumes_ang3: Shape (n,).
        energies_ev: Shape (n,).

    Raises:
        CalculationError: The curve has no minimum among these volumes.
    """
    scale = float(np.mean(volumes_ang3))
    x = (np.asarray(volumes_ang3) / scale) ** (-2.0 / 3.0)
    offset = float(np.mean(energies_ev))
    curve = np.polynomial.Polynomial.fit(x, np.asarray(energies_ev) - offset, 3)
    slope = curve.deriv()
    curvature, third = slope.deriv(), slope.deriv().deriv()
    minima = [
        float(root.real)
        for root in slope.roots()
        if abs(root.imag) < 1e-9 and x.min() <= root.real <= x.max() and curvature(root.real) > 0  # noqa: PLR2004
    ]
    if len(minima) != 1:
        message = (
            f"the energy has no minimum between {volumes_ang3.min():.2f} and {volumes_ang3.max():.2f} Å³"
        )
        raise CalculationError(message, hint="the model does not hold this crystal together near there")
    x0 = minima[0]
    # With x = (V/s)^(-2/3): V² E'' = (4/9) x² e2 at the minimum, and B' = 4 + (2/3) x e3/e2.
    volume = scale * x0**-1.5
    e2, e3 = float(curvature(x0)), float(third(x0))
    modulus = 4.0 / 9.0 * x0**2 * e2 / volume
    return BirchMurnaghan(
        volume_ang3=volume,
        energy_ev=float(curve(x0)) + offset,
        bulk_modulus_gpa=modulus * EV_PER_ANG3_IN_GPA,
        bulk_modulus_derivative=4.0 + 2.0 / 3.0 * x0 * e3 / e2,
        residual_ev=float(np.sqrt(np.mean((curve(x) + offset - energies_ev) ** 2))),
    )


def equation_of_state(
    crystal: Crystal, calculator: Calculator, *, progress: Progress = nothing
) -> EquationOfState:
    """Energies of `N_VOLUMES` volumes around the minimum, and their curve.

    The window of volumes starts around the crystal's lattice constant, and moves until the minimum lies
    in its middle third, so that the curve does not depend on the start.

    Raises:
        CalculationError: There is no minimum within 25 % of the lattice constant that was given.
    """
    a = crystal.lattice_constant_ang
    n_atoms = len(crystal.cubic())
    for shift in range(MAX_SHIFTS):
        constants = a * (1 + np.linspace(-LARGEST_STRAIN, LARGEST_STRAIN, N_VOLUMES))
        energies = []
        for done, constant in enumerate(constants):
            progress(shift * N_VOLUMES + done, (shift + 1) * N_VOLUMES, "volumes")
            atoms = crystal.with_lattice_constant(float(constant)).cubic()
            energies.append(float(calculator.get_property("energy", atoms)) / n_atoms)
        volumes, found = constants**3 / n_atoms, np.array(energies)
        lowest = int(found.argmin())
        try:
            fit = fit_birch_murnaghan(volumes, found)
        except CalculationError:
            if shift == MAX_SHIFTS - 1:
                raise
            a = float(constants[lowest])
            continue
        minimum = (fit.volume_ang3 * n_atoms) ** (1 / 3)
        if abs(minimum / a - 1) < LARGEST_STRAIN / 3:
            return EquationOfState(
                lattice_constant_ang=minimum, fit=fit, volumes_ang3=volumes, energies_ev=found
            )
        a = minimum
    message = f"no lattice constant near {crystal.lattice_constant_ang:.3f} Å was found for {crystal.symbol}"
    raise CalculationError(message, hint="the model does not hold this crystal together near there")
