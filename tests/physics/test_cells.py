"""Cells without images in directions that are not periodic."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances

from mlpzoo.physics.cells import cell_without_images

GAP = 4.0


def cluster(pbc: tuple[bool, ...]) -> Atoms:
    random = np.random.default_rng(0)
    cell = np.diag([3.0, 4.0, 5.0]) + random.normal(0.0, 0.4, (3, 3))
    return Atoms("Si4", positions=random.uniform(-6, 6, (4, 3)), cell=cell, pbc=pbc)


@pytest.mark.parametrize("pbc", list(itertools.product([True, False], repeat=3)))
def test_new_images_are_out_of_reach_and_periodic_vectors_are_kept(pbc: tuple[bool, ...]) -> None:
    atoms = cluster(pbc)
    before = atoms.copy()
    cell = cell_without_images(atoms, GAP)
    assert atoms == before
    periodic = np.array(pbc)
    np.testing.assert_allclose(cell[periodic], atoms.cell.array[periodic], rtol=0, atol=1e-12)
    for axis in np.flatnonzero(~periodic):
        others = [cell[k] for k in range(3) if k != axis]
        np.testing.assert_allclose([cell[axis] @ other for other in others], 0.0, atol=1e-9)
        moved = atoms.positions + cell[axis]
        _, distances = get_distances(atoms.positions, moved)
        assert distances.min() >= GAP - 1e-9


def test_a_molecule_without_a_cell_gets_one() -> None:
    cell = cell_without_images(Atoms("Si2", positions=[[0, 0, 0], [0, 0, 2.0]]), GAP)
    np.testing.assert_allclose(np.sort(np.diag(cell)), [GAP, GAP, GAP + 2.0])
