"""Elastic constants C11, C12 and C44 of a cubic crystal, with the ions relaxed at every strain.

Voigt notation: e1 = ε11 is a uniaxial strain along a cubic axis, e4 = 2 ε23 a shear. To first order
σ1 = C11 e1, σ2 = σ3 = C12 e1 and σ4 = C44 e4 (Nye, *Physical Properties of Crystals* (1985), chapter VIII).
In diamond a shear moves the two sublattices against each other (Kleinman's internal strain): without that
relaxation C44 is much too large.

Strains come in pairs of both signs: terms of second order in the strain (third-order elastic constants) are
then orthogonal to those of first order and cancel exactly. What is left are terms of third order: with
fourth-order constants of 2e4 GPa (of metals) and strains up to 0.5 % they change C by 0.07 GPa.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import CalculationError
from mlpzoo.physics.evaluate import Progress, nothing
from mlpzoo.physics.relax import relax
from mlpzoo.units import EV_PER_ANG3_IN_GPA

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.physics.crystals import Crystal

STRESS_STRAINS = (-0.005, -0.0025, 0.0, 0.0025, 0.005)
ENERGY_STRAINS = (-0.01, -0.005, 0.0, 0.005, 0.01)  # energies are of second order: weaker, larger strains
FMAX_EV_PER_ANG = 2e-4  # shifts C44 of silicon by 0.2 GPa at most (optical mode: 14 eV/Å²; 0.003 Å at 0.5 %)
LARGEST_ASYMMETRY = 0.05  # of C11: a model that learnt its symmetry stays far below, a wrong order far above

_UNIAXIAL = np.array([1.0, 0, 0, 0, 0, 0])
_BIAXIAL = np.array([1.0, 1, 0, 0, 0, 0])
_SHEAR = np.array([0.0, 0, 0, 1, 0, 0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticConstants:
    """Elastic constants in GPa.

    Attributes:
        residual_percent: Root mean square of what the fits leave, of that of what they explain.
        asymmetry_gpa: Largest coefficient that is zero or equal to another one by cubic symmetry, and is not;
            0 for ``energy``.
        pressure_gpa: Of the unstrained crystal; constants are those of this pressure.
        method: ``stress``, or ``energy`` for a calculator without stress.
        strains: Shape (n_strains,).
        response: Stresses in GPa of the uniaxial and the shear strains, shape (2, n_strains, 6); for
            ``energy`` energies in eV/atom of uniaxial, biaxial and shear strains, shape (3, n_strains).
    """

    c11_gpa: float
    c12_gpa: float
    c44_gpa: float
    residual_percent: float
    asymmetry_gpa: float
    pressure_gpa: float
    method: Literal["stress", "energy"]
    strains: NDArray[np.float64]
    response: NDArray[np.float64]

    @property
    def bulk_modulus_gpa(self) -> float:
        """(C11 + 2 C12) / 3."""
        return (self.c11_gpa + 2 * self.c12_gpa) / 3

    @property
    def violated(self) -> tuple[str, ...]:
        """Which of Born's conditions for a stable cubic crystal do not hold.

        Mouhat and Coudert, Phys. Rev. B 90, 224104 (2014), doi 10.1103/PhysRevB.90.224104, equation 5.
        """
        conditions = {
            "C11 > C12": self.c11_gpa - self.c12_gpa,
            "C11 + 2 C12 > 0": self.c11_gpa + 2 * self.c12_gpa,
            "C44 > 0": self.c44_gpa,
        }
        return tuple(name for name, value in conditions.items() if not value > 0)

    @property
    def zener(self) -> float | None:
        """Anisotropy 2 C44 / (C11 - C12); None for an unstable crystal."""
        return None if self.violated else 2 * self.c44_gpa / (self.c11_gpa - self.c12_gpa)


def elastic_constants(
    crystal: Crystal,
    calculator: Calculator,
    *,
    fmax_ev_per_ang: float = FMAX_EV_PER_ANG,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> ElasticConstants:
    """Elastic constants at the crystal's lattice constant, which should be the calculator's own.

    By stress where the calculator has it, else by energy.

    Args:
        crystal: The crystal; its cubic cell is strained.
        calculator: Gives energy and forces, and better stress too.
        fmax_ev_per_ang: Of the relaxation of the ions at each strain.
        progress: Called before each strain.
        checkpoint: Where an interrupted computation is continued.

    Raises:
        CalculationError: A relaxation did not converge, or the stresses are not those of a cubic crystal.
    """
    by_stress = "stress" in calculator.implemented_properties
    patterns = (_UNIAXIAL, _SHEAR) if by_stress else (_UNIAXIAL, _BIAXIAL, _SHEAR)
    strains = np.array(STRESS_STRAINS if by_stress else ENERGY_STRAINS)
    found: list[list[Any]] = []
    unstrained: Any = None
    for row, pattern in enumerate(patterns):
        found.append([])
        for column, strain in enumerate(strains):
            progress(row * len(strains) + column, len(patterns) * len(strains), "strains")
            if strain == 0 and unstrained is not None:
                found[-1].append(unstrained)
                continue
            relaxed = relax(
                strained(crystal.cubic(), strain * pattern),
                calculator,
                fmax_ev_per_ang=fmax_ev_per_ang,
                checkpoint=(checkpoint or Checkpoint()).child(f"strain-{row}-{column}"),
            )
            answer: Any = relaxed.energy_ev / len(relaxed.atoms)
            if by_stress:
                answer = np.array(calculator.get_property("stress", relaxed.atoms)) * EV_PER_ANG3_IN_GPA
            if strain == 0:
                unstrained = answer
            found[-1].append(answer)
    response = np.array(found)
    if by_stress:
        return _from_stresses(strains, response)
    return _from_energies(strains, response, crystal)


def strained(atoms: Atoms, voigt: NDArray[np.float64]) -> Atoms:
    """A copy with the cell and the positions strained by xx, yy, zz, yz, xz, xy; shears are 2 ε."""
    xx, yy, zz, yz, xz, xy = voigt
    tensor = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    copy: Atoms = atoms.copy()
    copy.set_cell(np.asarray(atoms.cell.array) @ (np.eye(3) + tensor), scale_atoms=True)
    return copy


def _from_stresses(strains: NDArray[np.float64], stresses: NDArray[np.float64]) -> ElasticConstants:
    """Constants from stresses in GPa of uniaxial and shear strains, shape (2, n_strains, 6)."""
    coefficients, residual = _fit(strains, np.moveaxis(stresses, 1, 0).reshape(len(strains), 12), order=1)
    uniaxial, shear = coefficients[1].reshape(2, 6)
    c11, c12, c44 = uniaxial[0], (uniaxial[1] + uniaxial[2]) / 2, shear[3]
    # What symmetry forbids: forces a uniaxial strain to shear, or a shear to do anything but shear.
    forbidden = np.concatenate([uniaxial[3:], shear[:3], shear[4:], [uniaxial[1] - uniaxial[2]]])
    asymmetry = float(np.abs(forbidden).max())
    if asymmetry > LARGEST_ASYMMETRY * abs(c11):
        message = (
            f"the stress of a strained cubic crystal has not its symmetry: {asymmetry:.3g} GPa where "
            f"C11 is {c11:.4g} GPa"
        )
        raise CalculationError(
            message,
            hint="the model or its plugin gets the stress wrong (Voigt order?): 'mlpzoo check' shows it",
        )
    return ElasticConstants(
        c11_gpa=float(c11),
        c12_gpa=float(c12),
        c44_gpa=float(c44),
        residual_percent=residual,
        asymmetry_gpa=asymmetry,
        pressure_gpa=-float(coefficients[0, :3].mean()),
        method="stress",
        strains=strains,
        response=stresses,
    )


def _from_energies(
    strains: NDArray[np.float64], energies: NDArray[np.float64], crystal: Crystal
) -> ElasticConstants:
    """Constants from energies in eV/atom of uniaxial, biaxial and shear strains, shape (3, n_strains).

    E'' / V is C11, 2 (C11 + C12) and C44, at zero pressure.
    """
    volume = crystal.lattice_constant_ang**3 / len(crystal.cubic())
    coefficients, residual = _fit(strains, energies.T / volume * EV_PER_ANG3_IN_GPA, order=2)
    c11, biaxial, c44 = 2 * coefficients[2]
    return ElasticConstants(
        c11_gpa=float(c11),
        c12_gpa=float(biaxial / 2 - c11),
        c44_gpa=float(c44),
        residual_percent=residual,
        asymmetry_gpa=0.0,
        pressure_gpa=-float(coefficients[1, 0]),
        method="energy",
        strains=strains,
        response=energies,
    )


def _fit(
    strains: NDArray[np.float64], values: NDArray[np.float64], *, order: int
) -> tuple[NDArray[np.float64], float]:
    """Least squares with all powers of the strain up to one above ``order``, for n responses at once.

    Args:
        strains: Shape (n_strains,).
        values: Shape (n_strains, n).
        order: The power that is wanted.

    Returns:
        Coefficients, shape (order + 2, n), and in percent the root mean square of what the fit leaves, of
        that of what the wanted power explains.
    """
    powers = np.vander(strains, order + 2, increasing=True)
    scale = np.abs(powers).max(axis=0)  # or lstsq takes the higher powers for rounding errors
    coefficients = np.linalg.lstsq(powers / scale, values, rcond=None)[0] / scale[:, None]
    explained = powers[:, [order]] * coefficients[[order]]
    left = values - powers @ coefficients
    return coefficients, 100 * float(np.linalg.norm(left) / np.linalg.norm(explained))
