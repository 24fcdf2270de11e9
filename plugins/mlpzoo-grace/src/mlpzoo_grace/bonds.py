"""Neighbours, and how many there seem to be: a compiled graph is for one number of atoms and of bonds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matscipy.neighbours import neighbour_list

from mlpzoo.physics.cells import cell_without_images

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo_grace.saved import Metadata

FEWEST_ATOMS: Final = 16
FEWEST_BONDS: Final = 512
MORE_ATOMS: Final = 1.5
MORE_BONDS: Final = 1.2
"""The next larger graph has this many times as many."""
FAR_ANG: Final = 52.0
"""Components of a bond that is longer than any cutoff, as GRACE pads with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bonds:
    """All directed bonds of a structure.

    Attributes:
        first: Index of the atom that the bond starts at.
        second: Index of the atom that it ends at.
        vectors_ang: From the first to the second, Å, shape (n_bonds, 3).
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    vectors_ang: NDArray[np.float64]


def bonds_of(atoms: Atoms, metadata: Metadata) -> Bonds:
    """All bonds within the cutoffs; in a direction that is not periodic nothing repeats."""
    periodic = atoms.copy()
    periodic.calc = None
    periodic.set_cell(cell_without_images(atoms, metadata.cutoff_ang + 1.0))
    periodic.pbc = True
    cutoff: float | dict[tuple[str, str], float] = metadata.cutoff_ang
    if metadata.cutoffs_ang is not None:
        here = set(atoms.get_chemical_symbols())
        cutoff = {pair: r for pair, r in metadata.cutoffs_ang.items() if here.issuperset(pair)}
    first, second, vectors = neighbour_list("ijD", periodic, cutoff=cutoff)
    return Bonds(
        first=first.astype(np.int32), second=second.astype(np.int32), vectors_ang=vectors.reshape(-1, 3)
    )


def inputs_of(species: NDArray[np.int32], bonds: Bonds) -> dict[str, NDArray[Any]]:
    """What a model of ``n`` atoms is given: padded, so that a graph that is compiled fits many structures.

    The size follows from the structure alone.  GRACE's own calculator takes the next size that it has seen,
    so that the last digits depend on what was computed before.

    Args:
        species: The model's own numbers of the species, shape (n_atoms,).
        bonds: Of these atoms.
    """
    n_atoms, n_bonds = len(species), len(bonds.first)
    more_atoms = rung(n_atoms + 1, FEWEST_ATOMS, MORE_ATOMS) - n_atoms  # padding bonds need an atom
    more_bonds = rung(n_bonds + 1, FEWEST_BONDS, MORE_BONDS) - n_bonds
    last = np.full(more_bonds, n_atoms + more_atoms - 1, dtype=np.int32)
    nobody = np.full(more_bonds, species[0], dtype=np.int32)
    return {
        "atomic_mu_i": np.concatenate([species, np.full(more_atoms, species[0], dtype=np.int32)]),
        "batch_tot_nat": np.int32(n_atoms + more_atoms),
        "batch_tot_nat_real": np.int32(n_atoms),
        "bond_vector": np.concatenate([bonds.vectors_ang, np.full((more_bonds, 3), FAR_ANG)]),
        "ind_i": np.concatenate([bonds.first, last]),
        "ind_j": np.concatenate([bonds.second, last]),
        "mu_i": np.concatenate([species[bonds.first], nobody]),
        "mu_j": np.concatenate([species[bonds.second], nobody]),
    }


def rung(n: int, fewest: int, factor: float) -> int:
    """The smallest of ``fewest``, ``factor * fewest``, ... that is not smaller than ``n``."""
    size = fewest
    while size < n:
        size = math.ceil(size * factor)
    return size
