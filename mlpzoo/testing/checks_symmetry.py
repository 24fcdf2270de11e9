"""Promises about symmetry: what may not change the energy, and how forces and stress turn with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress

from mlpzoo.testing.report import Check
from mlpzoo.testing.structures import generator, mixed, molecule
from mlpzoo.testing.subject import Evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpzoo.testing.subject import FloatArray, Subject


def permutation(subject: Subject) -> None:
    """Atoms in random order, species interleaved: same energy, forces in the new order."""
    atoms = mixed(subject.card, "permutation").repeat((2, 1, 1))
    expected = subject.evaluate(atoms)
    for _ in range(2):
        order = generator("permutation").permutation(len(atoms))
        found = subject.evaluate(atoms[order])
        subject.require_equal(found, _reordered(expected, order), "atoms in another order")
        atoms, expected = atoms[order], found


def rotation(subject: Subject) -> None:
    """Atoms and cell turned together: same energy, forces and stress turned."""
    turn = _rotation_matrix()
    for atoms in (mixed(subject.card, "rotation"), molecule(subject.card)):
        turned = atoms.copy()
        turned.positions = atoms.positions @ turn.T
        turned.cell[:] = atoms.cell.array @ turn.T
        expected = _turned(subject.evaluate(atoms), turn)
        subject.require_equal(subject.evaluate(turned), expected, "everything rotated")


def translation(subject: Subject) -> None:
    """All atoms moved by one vector, also out of the cell."""
    for atoms in (mixed(subject.card, "translation"), molecule(subject.card)):
        expected = subject.evaluate(atoms)
        for scale in (0.5, 20.0):
            moved = atoms.copy()
            moved.positions += scale * generator("translation").uniform(-1, 1, 3)
            subject.require_equal(subject.evaluate(moved), expected, "all atoms shifted")


def wrapping(subject: Subject) -> None:
    """Each atom moved by its own lattice vector: MD and relaxations do not wrap."""
    atoms = mixed(subject.card, "wrapping")
    moved = atoms.copy()
    moved.positions += generator("wrapping").integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    subject.require_equal(subject.evaluate(moved), subject.evaluate(atoms), "atoms moved by lattice vectors")


def _rotation_matrix() -> FloatArray:
    """A proper rotation, far from the identity and from any symmetry."""
    a, b, c = 0.7, 1.9, -1.1
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix: FloatArray = about_z @ about_y @ about_x
    return matrix


def _turned(evaluation: Evaluation, turn: FloatArray) -> Evaluation:
    forces, stress = evaluation.forces, evaluation.stress
    if stress is not None:
        stress = full_3x3_to_voigt_6_stress(turn @ voigt_6_to_full_3x3_stress(stress) @ turn.T)
    return Evaluation(evaluation.energy, None if forces is None else forces @ turn.T, stress)


def _reordered(evaluation: Evaluation, order: NDArray[np.int64]) -> Evaluation:
    forces = None if evaluation.forces is None else evaluation.forces[order]
    return Evaluation(evaluation.energy, forces, evaluation.stress)


CHECKS = (
    Check(
        name="permutation",
        promise="the order of the atoms does not matter",
        function=permutation,
    ),
    Check(
        name="rotation",
        promise="turning everything leaves the energy alone and turns forces and stress",
        function=rotation,
    ),
    Check(
        name="translation",
        promise="shifting everything changes nothing",
        function=translation,
    ),
    Check(
        name="wrapping",
        promise="moving atoms by lattice vectors changes nothing",
        function=wrapping,
    ),
)
