"""Neighbour lists against ASE's, and that none is ever dropped; no framework is needed."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from mlpzoo_deepmd.batch import Shape, needed, packed, rounded
from mlpzoo_deepmd.neighbours import Layout, counts, pairs, surroundings

from mlpzoo.errors import CalculationError

CUTOFF = 5.0


def structure(pbc: object, seed: int = 0, *, skew: bool = False) -> Atoms:
    random = np.random.default_rng(seed)
    cell = np.diag([4.0, 5.0, 9.0]) + 0.3 * random.normal(size=(3, 3))
    if skew:
        cell = np.array([[1, 0, 0], [2, 1, 0], [-1, 2, 1]]) @ cell
    positions = random.uniform(-1.0, 2.0, size=(7, 3)) @ cell  # outside of the cell, too
    return Atoms("Si4Ge3", positions=positions, cell=cell, pbc=pbc)


@pytest.mark.parametrize("pbc", [True, False, (True, True, False), (False, False, True)])
@pytest.mark.parametrize("skew", [False, True])
def test_pairs_are_those_of_ase(pbc: object, *, skew: bool) -> None:
    atoms = structure(pbc, skew=skew)
    found = pairs(atoms, CUTOFF)
    first, second, distances = neighbor_list("ijd", atoms, CUTOFF)
    expected = sorted(zip(first, second, distances.round(9), strict=True))
    assert sorted(zip(found.atom, found.other, found.length_ang.round(9), strict=True)) == expected


def test_places_hold_every_neighbour_at_its_distance() -> None:
    atoms = structure(pbc=True)
    layout = Layout(CUTOFF, (60, 50), by_type=True)
    found = surroundings(atoms, {"Si": 0, "Ge": 1}, layout)
    everywhere = np.concatenate([found.positions, found.positions[found.owners] + found.offsets])
    types = np.concatenate([found.types, found.types[found.owners]])
    first, second, distances = neighbor_list("ijd", atoms, CUTOFF)
    for atom, row in enumerate(found.places):
        for section, (start, stop) in enumerate([(0, 60), (60, 110)]):
            there = row[start:stop][row[start:stop] >= 0]
            lengths = np.linalg.norm(everywhere[there] - everywhere[atom], axis=1)
            same = (first == atom) & (found.types[second] == section)
            assert set(types[there]) <= {section}
            np.testing.assert_allclose(lengths, np.sort(distances[same]), rtol=0, atol=1e-9)


def test_more_neighbours_than_places_is_an_error_never_another_result() -> None:
    crystal = bulk("Si", "diamond", a=5.43)
    assert counts(crystal, ("Si",), CUTOFF).tolist() == [28]
    surroundings(crystal, {"Si": 0}, Layout(CUTOFF, (28,), by_type=True))
    with pytest.raises(CalculationError, match=r"atom 0 has 28 neighbours within 5 Å .* places for 27"):
        surroundings(crystal, {"Si": 0}, Layout(CUTOFF, (27,), by_type=True))


def test_places_of_one_type_are_no_places_for_another() -> None:
    crystal = bulk("Si", "diamond", a=5.43)
    with pytest.raises(CalculationError, match="places for 8"):
        surroundings(crystal, {"Ge": 0, "Si": 1}, Layout(CUTOFF, (50, 8), by_type=True))
    surroundings(crystal, {"Ge": 0, "Si": 1}, Layout(CUTOFF, (50, 8), by_type=False))


def test_an_inner_shell_with_too_few_places_is_an_error_too() -> None:
    crystal = bulk("Si", "diamond", a=5.43)
    surroundings(crystal, {"Si": 0}, Layout(CUTOFF, (40,), by_type=False, shells=((4.0, 16),)))
    with pytest.raises(CalculationError, match=r"16 neighbours within 4 Å .* places for 15"):
        surroundings(crystal, {"Si": 0}, Layout(CUTOFF, (40,), by_type=False, shells=((4.0, 15),)))


def test_excluded_pairs_are_left_out() -> None:
    atoms = structure(pbc=True)
    layout = Layout(CUTOFF, (60, 50), by_type=True, excluded=frozenset({(0, 1), (1, 0)}))
    found = surroundings(atoms, {"Si": 0, "Ge": 1}, layout)
    types = np.concatenate([found.types, found.types[found.owners]])
    for atom, row in enumerate(found.places):
        assert set(types[row[row >= 0]]) <= {found.types[atom]}


def test_similar_structures_share_one_shape() -> None:
    """What XLA compiles once: 60 steps of a random walk, in which the number of ghosts changes."""
    crystal = bulk("Si", "diamond", a=5.43, cubic=True) * (2, 2, 2)
    random = np.random.default_rng(0)
    shapes, ghosts = set(), set()
    for _ in range(60):
        crystal.positions += 0.02 * random.normal(size=crystal.positions.shape)
        shape = needed([surroundings(crystal, {"Si": 0}, Layout(CUTOFF, (60,), by_type=True))])
        ghosts.add(shape.ghosts)
        shapes.add(rounded(shape))
    assert len(ghosts) > 10
    assert len(shapes) <= 2


def test_a_shape_has_room() -> None:
    for atoms in (1, 7, 8, 9, 63, 64, 65, 511, 513):
        for ghosts in (0, 1, 100, 1000, 3000):
            shape = Shape(atoms, ghosts, 3)
            more = rounded(shape)
            assert more.atoms >= atoms
            assert more.ghosts > ghosts
            assert more.structures == 4
            assert more.atoms <= max(8, 1.25 * atoms + 8)


def test_packed_structures_keep_their_neighbours() -> None:
    layout = Layout(CUTOFF, (60, 50), by_type=True)
    parts = [surroundings(structure(pbc=True, seed=s), {"Si": 0, "Ge": 1}, layout) for s in range(3)]
    batch = packed(parts, rounded(needed(parts)))
    everywhere = batch.positions[batch.mapping] + batch.offsets
    first = 0
    for number, part in enumerate(parts):
        alone = np.concatenate([part.positions, part.positions[part.owners] + part.offsets])
        for atom, row in enumerate(part.places):
            there = batch.places[first + atom]
            assert ((there >= 0) == (row >= 0)).all()
            together = everywhere[there[there >= 0]] - everywhere[first + atom]
            np.testing.assert_allclose(together, alone[row[row >= 0]] - alone[atom], rtol=0, atol=1e-12)
            assert set(batch.structure[there[there >= 0]]) <= {number}
        first += len(part.positions)
    assert batch.real.sum() == first
    assert set(batch.types[first : len(batch.real)]) == {-1}
