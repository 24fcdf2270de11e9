"""Pairs within a cutoff, against ASE's neighbour list; the built-in EMT, against ASE's."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from mlpzoo.backends import pairs as pairs_module
from mlpzoo.backends.emt_calculator import EmtCalculator
from mlpzoo.backends.pairs import pairs


def structure(number: int) -> Atoms:
    """Small and large cells, skewed, partly periodic, far outside of the cell, without a cell."""
    random = np.random.default_rng(number)
    atoms = bulk("Cu", cubic=bool(number % 2), a=3.3 + 0.05 * number).repeat(1 + number % 3)
    atoms.symbols = random.choice(["Cu", "Al", "Au", "Ni", "Pt"], len(atoms))
    atoms.rattle(0.1, seed=number)
    if number % 4 == 1:
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.1 * random.normal(size=(3, 3))), scale_atoms=True)
    if number % 4 == 2:
        atoms.pbc = random.integers(0, 2, 3)
    if number % 3 == 0:
        atoms.positions += 30 * random.normal(size=3)
    if number == 5:
        atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [1.7, 1, 0], [0.3, 2.2, 1]])
    if number == 7:
        atoms.pbc = False
        atoms.set_cell(None)
    return atoms


def rows(i, j, vectors, lengths) -> np.ndarray:
    """One row a pair, in an order."""
    table = np.column_stack([i, j, np.round(vectors, 7) + 0.0, lengths])
    return table[np.lexsort(table.T[::-1])]


@pytest.mark.parametrize("number", range(10))
def test_pairs_are_those_of_ase(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "_AT_ONCE", 500)  # in several parts
    atoms = structure(number)
    assert rows(*pairs(atoms, 5.3)) == pytest.approx(rows(*neighbor_list("ijDd", atoms, 5.3)), abs=1e-6)


def test_atoms_out_of_reach_and_a_single_one_have_no_pairs() -> None:
    for atoms in (Atoms("Cu"), Atoms("Cu2", [[0, 0, 0], [9.0, 0, 0]])):
        i, j, vectors, lengths = pairs(atoms, 5.0)
        assert [i.size, j.size, vectors.shape, lengths.size] == [0, 0, (0, 3), 0]


@pytest.mark.parametrize("number", range(10))
def test_emt_is_that_of_ase(number: int) -> None:
    atoms = structure(number)
    ours, theirs = EmtCalculator(), EMT()
    names = ("energy", "forces", "stress") if atoms.cell.rank == 3 else ("energy", "forces")
    for name in names:
        assert ours.get_property(name, atoms) == pytest.approx(theirs.get_property(name, atoms), abs=1e-10)


def test_lone_atoms_are_those_of_ase() -> None:
    for atoms in (Atoms("Cu"), Atoms("CuAl2", [[0, 0, 0], [2.5, 0, 0], [30, 0, 0]])):
        assert EmtCalculator().get_property("energy", atoms) == EMT().get_property("energy", atoms)
        found = EmtCalculator().get_property("forces", atoms)
        assert found == pytest.approx(EMT().get_property("forces", atoms), abs=1e-12)
