"""Copies have one fingerprint, different structures have different ones."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlpzoo.data.fingerprint import fingerprint


def structures() -> dict[str, Atoms]:
    """Hot, skewed, partly periodic, mixed, isolated, one atom."""
    random = np.random.default_rng(0)
    hot = bulk("Si", cubic=True).repeat(2)
    del hot[5]
    alloy = bulk("SiC", "zincblende", a=4.36).repeat(2)
    slab = bulk("Si", cubic=True)
    slab.pbc = (True, True, False)
    cluster = bulk("Cu", cubic=True)
    cluster.pbc = False
    for atoms in (hot, alloy, slab, cluster):
        atoms.positions += 0.1 * random.normal(size=atoms.positions.shape)
    return {
        "hot": hot,
        "alloy": alloy,
        "slab": slab,
        "cluster": cluster,
        "crystal": bulk("Si"),
        "atom": Atoms("Si"),
    }


NAMES = sorted(structures())


def copies(atoms: Atoms, random: np.random.Generator) -> dict[str, Atoms]:
    order = random.permutation(len(atoms))
    moved, wrapped, elsewhere, turned, written = (atoms.copy() for _ in range(5))
    moved.positions += random.normal(size=3)
    wrapped.positions += random.normal(size=3)
    wrapped.wrap()
    elsewhere.positions += (random.integers(-2, 3, size=(len(atoms), 3)) * atoms.pbc) @ atoms.cell.array
    turned.rotate(37.0, (1, 2, 3), rotate_cell=True)
    mirrored = atoms.copy()
    mirrored.positions[:, 0] *= -1
    mirrored.cell.array[:, 0] *= -1
    mirrored.set_cell(atoms.cell.array * [-1, 1, 1])
    written.positions = np.round(written.positions, 10)
    return {
        "order": atoms[order],
        "translation": moved,
        "wrapping": wrapped,
        "images": elsewhere,
        "rotation": turned,
        "reflection": mirrored,
        "ten decimals": written,
    }


@pytest.mark.parametrize("name", NAMES)
def test_copies_have_one_fingerprint(name: str) -> None:
    atoms, random = structures()[name], np.random.default_rng(1)
    expected = fingerprint(atoms)
    for what, copy in copies(atoms, random).items():
        assert fingerprint(copy) == expected, what


def test_other_vectors_of_the_same_lattice_make_no_difference() -> None:
    atoms = structures()["hot"]
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, 0, 0], [1, 1, 0], [0, -2, 1]]) @ atoms.cell.array)
    assert fingerprint(skewed) == fingerprint(atoms)


def test_supercell_species_and_periodicity_make_another_structure() -> None:
    atoms = structures()["alloy"]
    swapped = atoms.copy()
    swapped.numbers[[0, 1]] = swapped.numbers[[1, 0]]
    free = atoms.copy()
    free.pbc = False
    others = [atoms, swapped, free, atoms.repeat((2, 1, 1)), *structures().values()]
    assert len({fingerprint(a) for a in others}) == len(others) - 1  # the alloy is there twice


@pytest.mark.parametrize(("size", "who"), [(1e-3, slice(None)), (1e-2, 7)])
def test_tolerance_is_what_it_says(size: float, who: int | slice) -> None:
    atoms, random = structures()["hot"], np.random.default_rng(2)
    seen = {fingerprint(atoms)}
    for _ in range(50):
        other = atoms.copy()
        other.positions[who] += size * random.normal(size=other.positions[who].shape)
        seen.add(fingerprint(other))
    assert len(seen) >= 48  # a random direction may happen to change little


def test_noise_of_the_last_digit_is_forgiven() -> None:
    atoms, random = structures()["hot"], np.random.default_rng(3)
    differ = 0
    for _ in range(300):
        first, second = atoms.copy(), atoms.copy()
        first.positions += 0.05 * random.normal(size=first.positions.shape)
        second.positions = first.positions + 1e-8 * random.normal(size=first.positions.shape)
        differ += fingerprint(first) != fingerprint(second)
    assert differ <= 3  # one in a thousand is expected


def test_strained_crystals_of_opposite_sign_differ() -> None:
    found = {
        fingerprint(bulk("Si", a=5.43 * (1 + strain)))
        for strain in np.linspace(-0.02, 0.02, 41)  # as close as elastic constants take them
    }
    assert len(found) == 41
