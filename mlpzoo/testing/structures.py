"""Small seeded structures, made of the elements on a card."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from ase import Atoms

from mlpzoo.testing.crystals import crystal, spacing, species

if TYPE_CHECKING:
    from mlpzoo.models import ModelCard

RATTLE = 0.04
"""Standard deviation of displacements, in units of the distance of nearest neighbours."""


def generator(label: str) -> np.random.Generator:
    """A random generator of its own for each purpose, so that no check depends on another."""
    return np.random.default_rng(crc32(label.encode()))


def perturbed(card: ModelCard, label: str, *, n_species: int = 1) -> Atoms:
    """A strained, sheared and rattled crystal of four or eight atoms; species in blocks.

    Two species take half of the sites each; distances are the mean of both.
    """
    random = generator(label)
    symbols = species(card, n_species)
    atoms = crystal(symbols[0], conventional=True)
    scale = float(np.mean([spacing(s) for s in symbols])) / spacing(symbols[0])
    atoms.symbols = [symbols[i * len(symbols) // len(atoms)] for i in range(len(atoms))]
    deformation = scale * (np.eye(3) + 0.03 * random.uniform(-1, 1, (3, 3)))
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    amplitude = RATTLE * scale * spacing(symbols[0])
    atoms.positions += amplitude * random.normal(size=(len(atoms), 3)).clip(-2, 2)
    return atoms


def mixed(card: ModelCard, label: str) -> Atoms:
    """`perturbed` with two species, or one if the card has no more."""
    return perturbed(card, label, n_species=2)


def primitive_pair(card: ModelCard) -> Atoms:
    """A perturbed cell of two atoms, smaller than any cutoff."""
    symbol = species(card, 1)[0]
    atoms = crystal(symbol)
    if len(atoms) == 1:
        atoms = atoms.repeat((1, 1, 2))
    atoms.positions += 0.03 * spacing(symbol) * generator("pair").uniform(-1, 1, (len(atoms), 3))
    return atoms


def single(card: ModelCard) -> Atoms:
    """One atom in a periodic cell: an fcc crystal with the element's own distance."""
    symbol = species(card, 1)[0]
    half = spacing(symbol) / 2**0.5
    cell = half * (np.ones((3, 3)) - np.eye(3))
    return Atoms(symbol, cell=cell, pbc=True)


def isolated(card: ModelCard) -> Atoms:
    """One atom alone, without a cell."""
    return Atoms(species(card, 1)[0])


def molecule(card: ModelCard) -> Atoms:
    """A bent molecule of three atoms, without a cell."""
    symbols = species(card, 2)
    first, last = symbols[0], symbols[-1]
    a, b = spacing(first), 0.5 * (spacing(first) + spacing(last))
    positions = [[0, 0, 0], [1.02 * a, 0.1, 0], [-0.3 * b, 0.97 * b, 0.2]]
    return Atoms([first, first, last], positions=positions)


def line(card: ModelCard, distance_ang: float) -> Atoms:
    """A dimer and a third atom on its axis, at a distance from the middle one; no cell."""
    symbol = species(card, 1)[0]
    positions = [[0, 0, 0], [-spacing(symbol), 0, 0], [distance_ang, 0, 0]]
    return Atoms([symbol] * 3, positions=positions)


def boxed(atoms: Atoms, edge_ang: float, *, pbc: bool = True) -> Atoms:
    """The atoms, not moved, in a cubic cell."""
    result: Atoms = atoms.copy()
    result.set_cell([edge_ang] * 3)
    result.pbc = pbc
    return result
