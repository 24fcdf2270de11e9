"""Promises about size and surroundings: large and small cells, one atom, molecules, surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.testing.report import Check, NotApplicableError, require
from mlpzoo.testing.structures import (
    boxed,
    isolated,
    mixed,
    molecule,
    perturbed,
    primitive_pair,
    single,
)
from mlpzoo.testing.subject import Evaluation
from mlpzoo.testing.tolerances import SYMMETRY

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.testing.subject import Subject

SKEW = np.array([[1, 0, 0], [2, 1, 0], [-1, 2, 1]])
"""Other lattice vectors of the same lattice: long ones, close together."""


def extensivity(subject: Subject) -> None:
    """Twice and four times the cell: energy times as much, the same forces and stress."""
    for make, repeat in ((mixed, (2, 1, 1)), (perturbed, (1, 2, 2))):
        atoms = make(subject.card, "extensivity")
        n = int(np.prod(repeat))
        found = subject.evaluate(atoms.repeat(repeat))
        subject.require_equal(found, _times(subject.evaluate(atoms), n), f"{n} times the cell")


def small_cells(subject: Subject) -> None:
    """One and two atoms in cells smaller than the cutoff, also in long and narrow ones."""
    one = single(subject.card)
    expected = subject.evaluate(one)
    lone = Evaluation(expected.energy, None, expected.stress)
    for what, atoms in (("2x2x2 of one atom", one.repeat(2)), ("a skew cell of one atom", _skewed(one))):
        found = subject.evaluate(atoms)
        per_atom = Evaluation(found.energy / len(atoms), None, found.stress)
        subject.require_equal(per_atom, lone, what)
    pair = primitive_pair(subject.card)
    expected = subject.evaluate(pair)
    subject.require_equal(subject.evaluate(_skewed(pair)), expected, "a skew cell of two atoms")
    found = subject.evaluate(pair.repeat((2, 2, 1)))
    subject.require_equal(found, _times(expected, 4), "2x2x1 of a primitive cell")


def one_atom(subject: Subject) -> None:
    """A crystal with one atom per cell: finite energy, and no force because of symmetry."""
    evaluation = subject.evaluate(single(subject.card))
    _require_no_force(subject, evaluation, "the only atom of a periodic cell")


def isolated_atom(subject: Subject) -> None:
    """One atom without neighbours: finite energy, no force, the same in a large periodic cell."""
    atoms = isolated(subject.card)
    alone = subject.evaluate(atoms)
    _require_no_force(subject, alone, "an isolated atom")
    found = subject.evaluate(boxed(atoms, _far(subject)), properties=_without_stress(subject))
    subject.require_equal(found, alone, "an isolated atom in a large periodic cell")


def molecule_without_cell(subject: Subject) -> None:
    """Three atoms without a cell, in a large periodic cell, and in a small cell that is not periodic."""
    atoms = molecule(subject.card)
    expected = subject.evaluate(atoms)
    wanted = _without_stress(subject)
    large = boxed(atoms, _far(subject) + 10)
    found = subject.evaluate(large, properties=wanted)
    subject.require_equal(found, expected, "a molecule in a large periodic cell")
    found = subject.evaluate(boxed(atoms, 4.0, pbc=False), properties=wanted)
    subject.require_equal(found, expected, "a molecule in a small cell with pbc=False")


def slab(subject: Subject) -> None:
    """A surface, periodic in two directions: the third lattice vector must not matter."""
    atoms = perturbed(subject.card, "slab")
    normal = np.cross(atoms.cell[0], atoms.cell[1])
    normal /= np.linalg.norm(normal)
    wanted = _without_stress(subject)

    def with_third_vector(vector: object, pbc: object) -> Evaluation:
        surface = atoms.copy()
        surface.cell[2] = vector
        surface.pbc = pbc
        return subject.evaluate(surface, properties=wanted)

    thickness = float(np.ptp(atoms.positions @ normal))
    vacuum = (thickness + _far(subject)) * normal
    expected = with_third_vector(vacuum, pbc=True)
    two = (True, True, False)
    for what, vector in (
        ("with vacuum", vacuum),
        ("without vacuum", atoms.cell[2].copy()),
        ("without a third lattice vector", np.zeros(3)),
    ):
        found = with_third_vector(vector, pbc=two)
        subject.require_equal(found, expected, f"a slab {what}, pbc = T T F")


def cutoff(subject: Subject) -> None:
    """Two atoms farther apart than the declared cutoff do not know of each other."""
    declared = subject.card.cutoff_ang
    if not declared:
        raise NotApplicableError("the card declares no cutoff")
    near, far = (_dimer(subject, factor * declared) for factor in (1.01, 3.0))
    subject.require_equal(
        subject.evaluate(near), subject.evaluate(far), f"a dimer beyond the declared {declared:g} Å"
    )


def _dimer(subject: Subject, distance_ang: float) -> Atoms:
    atoms = molecule(subject.card)[:2]
    atoms.positions = [[0, 0, 0], [0, 0, distance_ang]]
    return atoms


def _skewed(atoms: Atoms) -> Atoms:
    result: Atoms = atoms.copy()
    result.set_cell(SKEW @ atoms.cell.array)
    return result


def _times(evaluation: Evaluation, n: int) -> Evaluation:
    forces = None if evaluation.forces is None else np.tile(evaluation.forces, (n, 1))
    return Evaluation(n * evaluation.energy, forces, evaluation.stress)


def _far(subject: Subject) -> float:
    """A distance at which nothing interacts (Å)."""
    return max(15.0, 2.5 * subject.card.cutoff_ang)


def _without_stress(subject: Subject) -> list[str]:
    return [p for p in subject.card.properties if p != "stress"]


def _require_no_force(subject: Subject, evaluation: Evaluation, what: str) -> None:
    if evaluation.forces is not None:
        largest = float(np.abs(evaluation.forces).max())
        allowed = SYMMETRY[subject.dtype].force_ev_per_ang
        require(largest <= allowed, f"{what} feels {largest:.3g} eV/Å (allowed {allowed:.2g})")


CHECKS = (
    Check(
        name="extensivity",
        promise="twice the cell has twice the energy and the same forces and stress",
        function=extensivity,
    ),
    Check(
        name="small-cells",
        promise="cells smaller than the cutoff and skew cells give what supercells give",
        function=small_cells,
    ),
    Check(
        name="one-atom",
        promise="a periodic cell of one atom works and has no force",
        function=one_atom,
    ),
    Check(
        name="isolated-atom",
        promise="an atom without neighbours works and has no force",
        function=isolated_atom,
    ),
    Check(
        name="molecule",
        promise="a molecule works without a cell, and pbc=False is respected",
        function=molecule_without_cell,
    ),
    Check(
        name="slab",
        promise="a slab with pbc T T F does not interact through the third direction",
        function=slab,
    ),
    Check(
        name="cutoff",
        promise="atoms farther apart than the declared cutoff do not interact",
        function=cutoff,
    ),
)
