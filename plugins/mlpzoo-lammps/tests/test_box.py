"""Boxes of LAMMPS: geometry alone, without LAMMPS."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_lammps.box import MARGIN_ANG, MAX_TILT, box_of, stress_of

from mlpzoo.errors import CalculationError

SKEW = np.array([[1, 0, 0], [3, 1, 0], [-2, 4, 1]])


def strange(seed: int) -> Atoms:
    """A crystal that is turned, mirrored, sheared, and has atoms outside of its long and narrow cell."""
    random = np.random.default_rng(seed)
    atoms = bulk("Si").repeat((1, 2, 1))
    q, _ = np.linalg.qr(random.normal(size=(3, 3)))  # a rotation or a rotation with a reflection
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.1 * random.normal(size=(3, 3))) @ q, scale_atoms=True)
    atoms.set_cell(SKEW @ atoms.cell.array)
    atoms.positions += random.integers(-5, 6, size=(4, 3)) @ atoms.cell.array
    return atoms


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("pbc", list(itertools.product([True, False], repeat=3)))
def test_box_is_what_lammps_wants(seed, pbc):
    atoms = strange(seed)
    atoms.pbc = pbc
    box = box_of(atoms)
    lower = box.cell
    assert (np.diag(lower) > 0).all()
    assert np.array_equal(lower, np.tril(lower))
    assert np.linalg.det(box.rotation) == pytest.approx(1)  # never a mirror image
    for row, column in ((1, 0), (2, 0), (2, 1)):
        assert abs(lower[row, column]) <= MAX_TILT * lower[column, column]
        assert abs(lower[row, column]) < 1e-10 or (pbc[row] and pbc[column])
    inside = box.wrapped(box.inside(atoms.positions))
    fractional = np.linalg.solve(lower.T, inside.T).T
    assert (fractional > -1e-9).all()
    assert (fractional < 1 + 1e-9).all()
    assert box.is_within_walls(inside)


@pytest.mark.parametrize("seed", range(10))
def test_lattice_and_distances_are_those_of_the_structure(seed):
    atoms = strange(seed)
    box = box_of(atoms)
    ours = np.linalg.solve(atoms.cell.array.T, (box.cell @ box.rotation.T).T)  # in lattice vectors
    assert np.abs(ours - np.round(ours)).max() < 1e-9
    assert abs(np.linalg.det(ours)) == pytest.approx(1)
    again = Atoms(atoms.symbols, positions=box.wrapped(box.inside(atoms.positions)), cell=box.cell, pbc=True)
    np.testing.assert_allclose(
        again.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-9
    )


def test_walls_are_beyond_the_atoms():
    atoms = Atoms("Si2", positions=[[3, 0, 0], [3, 0, 7]])
    box = box_of(atoms)
    inside = box.inside(atoms.positions)
    assert inside.min() == pytest.approx(MARGIN_ANG)
    assert sorted(np.diag(box.cell)) == pytest.approx([2 * MARGIN_ANG, 2 * MARGIN_ANG, 2 * MARGIN_ANG + 7])
    inside[0] += 2 * MARGIN_ANG
    assert not box.is_within_walls(inside)


def test_stress_is_turned_back():
    """A virial pressure along the second lattice vector of a cell whose vectors are y, z, x."""
    atoms = Atoms("Si", cell=[[0, 3, 0], [0, 0, 4], [5, 0, 0]], pbc=True)
    box = box_of(atoms)
    found = stress_of([0, 0.1, 0, 0.01, 0.02, 0.03], box, atoms.get_volume())
    # LAMMPS's x, y, z are ASE's y, z, x
    np.testing.assert_allclose(found, [0, 0, -0.1, -0.01, -0.03, -0.02], atol=1e-15)


@pytest.mark.parametrize(
    ("atoms", "reason"),
    [
        (Atoms(), "without atoms"),
        (Atoms("Si", positions=[[0, np.nan, 0]]), "not finite"),
        (Atoms("Si", cell=[1, np.inf, 1], pbc=True), "not finite"),
        (Atoms("Si", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 3]], pbc=True), "in one plane"),
        (Atoms("Si", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 3]], pbc=(1, 1, 0)), "in one plane"),
    ],
)
def test_what_is_no_structure_is_refused(atoms, reason):
    with pytest.raises(CalculationError, match=reason):
        box_of(atoms)
