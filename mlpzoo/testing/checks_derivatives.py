"""Promises about derivatives: forces, stress, smoothness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.testing.crystals import spacing, species
from mlpzoo.testing.report import Check, NotApplicableError, require
from mlpzoo.testing.structures import generator, line, mixed, molecule, perturbed
from mlpzoo.testing.tolerances import DERIVATIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms

    from mlpzoo.testing.subject import FloatArray, Subject
    from mlpzoo.testing.tolerances import FiniteDifference

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
NAMES = ("xx", "yy", "zz", "yz", "xz", "xy")


def five_point(function: Callable[[float], float], step: float) -> float:
    """Derivative at zero; error ``step**4 f'''''/30``."""
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)


def derivative(
    function: Callable[[float], float], rule: FiniteDifference, step: float, expected: float, allowed: float
) -> float:
    """Derivative at zero, from a finer step if it is not the expected one.

    A model with many radial and angular functions has a fifth derivative of 1e8 eV/Å^5 (CHGNet 0.3.0): what
    its truncation error adds goes with the fourth power of the step; what is wrong with a force stays.
    """
    found = five_point(function, step)
    if abs(found - expected) > allowed and rule.finer > 1:
        return five_point(function, step / rule.finer)
    return found


def forces_are_the_gradient(subject: Subject) -> None:
    """Atom by atom in pure, mixed and non-periodic structures, then all atoms at once."""
    rule = DERIVATIVE[subject.dtype]
    random = generator("gradient")
    structures = [perturbed(subject.card, "gradient"), molecule(subject.card)]
    if len(species(subject.card)) > 1:
        structures.append(mixed(subject.card, "gradient"))
    for atoms in structures:
        evaluation = subject.evaluate(atoms)
        forces = np.asarray(evaluation.forces)
        allowed = rule.allowed(float(np.abs(forces).max()), evaluation.energy, rule.step_ang)
        some = random.permutation(len(atoms))[:3]
        directions = [_unit(len(atoms), int(a), x) for a in some for x in range(3)]
        whole = random.normal(size=forces.shape)
        directions.append(whole / np.linalg.norm(whole))
        for direction in directions:
            force = float(np.sum(forces * direction))
            energy = _along(subject, atoms, direction)
            numerical = -derivative(energy, rule, rule.step_ang, -force, allowed)
            error = abs(force - numerical)
            where = "" if direction is directions[-1] else f" on atom {_atom(direction)}"
            require(
                error <= allowed,
                f"{atoms.get_chemical_formula()}: force{where} is off by {error:.3g} eV/Å from "
                f"-dE/dx = {numerical:.6g} (allowed {allowed:.2g})",
            )


def stress_is_the_strain_derivative(subject: Subject) -> None:
    """All six components on a sheared cell, so that an order other than Voigt's shows."""
    rule = DERIVATIVE[subject.dtype]
    atoms = mixed(subject.card, "stress")
    evaluation = subject.evaluate(atoms)
    stress = np.asarray(evaluation.stress)
    volume = atoms.get_volume()
    largest = float(np.abs(stress).max())
    allowed = 0.1 * rule.allowed(10 * largest, evaluation.energy / volume, rule.step_strain)
    for component, (i, j) in enumerate(VOIGT):
        direction = np.zeros((3, 3))
        direction[i, j] += 0.5
        direction[j, i] += 0.5
        energy, expected = _strained(subject, atoms, direction), float(stress[component]) * volume
        numerical = derivative(energy, rule, rule.step_strain, expected, allowed * volume) / volume
        error = abs(stress[component] - numerical)
        require(
            error <= allowed,
            f"stress {NAMES[component]} is {stress[component]:.6g} eV/Å³, "
            f"dE/dstrain/V is {numerical:.6g} (allowed difference {allowed:.2g})",
        )


def smooth_at_the_cutoff(subject: Subject) -> None:
    """An atom leaves a dimer: its force must fade, not jump.

    Bisection brackets the distance where the force falls below a thousandth of a typical one; across a
    bracket of 1e-6 Å a continuous force changes by nothing.
    """
    cutoff = subject.card.cutoff_ang
    if not cutoff:
        raise NotApplicableError("the card declares no cutoff")
    near = spacing(species(subject.card, 1)[0])
    typical = max(abs(_pull(subject, x * near)) for x in (0.95, 1.1, 1.25))
    threshold, width = (1e-3 * typical, 1e-6) if subject.dtype == "float64" else (1e-2 * typical, 1e-3)
    starts = [x * cutoff for x in (0.95, 0.85, 0.7, 0.5) if x * cutoff > near]
    low = next((r for r in starts if abs(_pull(subject, r)) > threshold), 0.0)
    if not low:
        return
    ends = [x * cutoff for x in (1.02, 1.5, 3.0)]
    high = next((r for r in ends if abs(_pull(subject, r)) <= threshold), 0.0)
    if not high:
        raise NotApplicableError("the interaction reaches far beyond the declared cutoff")
    while high - low > width:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if abs(_pull(subject, middle)) > threshold else (low, middle)
    jump = abs(_pull(subject, low) - _pull(subject, high))
    require(
        jump <= 0.5 * threshold,
        f"the force on an atom jumps by {jump:.3g} eV/Å at a distance of {high:.6g} Å",
    )


def _unit(n_atoms: int, atom: int, axis: int) -> FloatArray:
    direction = np.zeros((n_atoms, 3))
    direction[atom, axis] = 1.0
    return direction


def _atom(direction: FloatArray) -> int:
    return int(np.abs(direction).max(axis=1).argmax())


def _along(subject: Subject, atoms: Atoms, direction: FloatArray) -> Callable[[float], float]:
    def energy(amount: float) -> float:
        moved = atoms.copy()
        moved.positions += amount * direction
        return subject.energy(moved)

    return energy


def _strained(subject: Subject, atoms: Atoms, direction: FloatArray) -> Callable[[float], float]:
    def energy(amount: float) -> float:
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ (np.eye(3) + amount * direction), scale_atoms=True)
        return subject.energy(strained)

    return energy


def _pull(subject: Subject, distance_ang: float) -> float:
    """Force on the leaving atom along the axis (eV/Å)."""
    forces = subject.evaluate(line(subject.card, distance_ang), properties=["energy", "forces"]).forces
    return float(np.asarray(forces)[2, 0])


CHECKS = (
    Check(
        name="forces",
        promise="forces are minus the gradient of the energy",
        function=forces_are_the_gradient,
        needs=("energy", "forces"),
        conservative=True,
    ),
    Check(
        name="stress",
        promise="the six stresses are strain derivatives of the energy, in eV/Å³ and Voigt order",
        function=stress_is_the_strain_derivative,
        needs=("energy", "stress"),
        conservative=True,
    ),
    Check(
        name="smooth-cutoff",
        promise="a force fades to zero when a neighbour crosses the cutoff; it does not jump",
        function=smooth_at_the_cutoff,
        needs=("energy", "forces"),
    ),
)
