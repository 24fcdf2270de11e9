"""Neighbour lists as DeePMD-kit's models take them: complete, or an error.

DeePMD-kit drops the farthest neighbours of an atom that has more than the model's ``sel``; energies jump
then, and forces are not their gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase.geometry import complete_cell
from scipy.spatial import cKDTree

from mlpzoo.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_SLACK = 1e-6  # positions of images round


class Pairs(NamedTuple):
    """Ordered pairs of atoms within a cutoff.

    Attributes:
        atom: Index of the first, shape (n_pairs,); ascending, and for each atom by distance.
        other: Index of the second.
        shift: Periodic image of the second, in lattice vectors, shape (n_pairs, 3).
        length_ang: Distances.
        positions_ang: Of all atoms, inside the cell along periodic directions, shape (n_atoms, 3).
    """

    atom: Ints
    other: Ints
    shift: Ints
    length_ang: Floats
    positions_ang: Floats


class Layout(NamedTuple):
    """What a model's lists look like.

    Attributes:
        cutoff_ang: Å.
        sel: Places for neighbours: of each type, or of all types together.
        by_type: Which of the two.
        excluded: Pairs of types that do not interact.
        shells: Shorter cutoffs (Å) and the places within them: what DPA models use for angles.
    """

    cutoff_ang: float
    sel: tuple[int, ...]
    by_type: bool
    excluded: frozenset[tuple[int, int]] = frozenset()
    shells: tuple[tuple[float, int], ...] = ()


class Surroundings(NamedTuple):
    """One structure with its periodic images that are neighbours of an atom (ghosts).

    Attributes:
        positions: Å, shape (n_atoms, 3).
        types: Shape (n_atoms,).
        owners: Atom of which each ghost is an image, shape (n_ghosts,).
        offsets: Vector from the owner to the ghost, Å, shape (n_ghosts, 3).
        places: Neighbours of each atom, shape (n_atoms, sum of ``sel``): an atom, a ghost (they count on
            from the atoms), or -1.
    """

    positions: Floats
    types: Ints
    owners: Ints
    offsets: Floats
    places: Ints


def surroundings(atoms: Atoms, type_of: Mapping[str, int], layout: Layout) -> Surroundings:
    """Neighbours of every atom of a structure.

    Raises:
        CalculationError: An atom has more neighbours than the model has places for.
    """
    types = np.array([type_of[symbol] for symbol in atoms.get_chemical_symbols()], dtype=np.int64)
    found = pairs(atoms, layout.cutoff_ang)
    if layout.excluded:
        kept = [
            (a, b) not in layout.excluded for a, b in zip(types[found.atom], types[found.other], strict=True)
        ]
        found = Pairs(*(column[kept] for column in found[:4]), found.positions_ang)
    n = len(atoms)
    for cutoff, room in layout.shells:
        most = np.bincount(found.atom[found.length_ang < cutoff], minlength=1)
        _require_room(int(most.argmax()), int(most.max()), room, cutoff)
    inside = ~found.shift.any(axis=1)
    images = np.column_stack([found.other, found.shift])[~inside]
    ghosts, number = np.unique(images, axis=0, return_inverse=True)
    index = found.other.copy()
    index[~inside] = n + number.ravel()
    section = types[found.other] if layout.by_type else np.zeros_like(found.other)
    places = _places(found.atom, section, index, n, layout)
    cell = np.asarray(complete_cell(atoms.cell.array))
    return Surroundings(
        positions=found.positions_ang,
        types=types,
        owners=ghosts[:, 0],
        offsets=ghosts[:, 1:] @ cell,
        places=places,
    )


def counts(atoms: Atoms, elements: tuple[str, ...], cutoff_ang: float) -> Ints:
    """Most neighbours of each element that an atom of a structure has, shape (n_elements,)."""
    found = pairs(atoms, cutoff_ang)
    number = {symbol: k for k, symbol in enumerate(elements)}
    types = np.array([number[symbol] for symbol in atoms.get_chemical_symbols()])
    table = np.zeros((len(atoms), len(elements)), dtype=np.int64)
    np.add.at(table, (found.atom, types[found.other]), 1)
    return table.max(axis=0)


def pairs(atoms: Atoms, cutoff_ang: float) -> Pairs:
    """All ordered pairs nearer than a cutoff, an atom's own images among them.

    The order, and so every sum over it, depends on the structure alone.
    """
    cell = np.asarray(complete_cell(atoms.cell.array), dtype=float)
    pbc = np.asarray(atoms.pbc, dtype=bool)
    inverse = np.linalg.inv(cell)
    fractions = atoms.positions @ inverse
    fractions -= np.floor(fractions) * pbc
    positions = fractions @ cell
    margin = cutoff_ang * np.linalg.norm(inverse, axis=0) + _SLACK
    other, shift = _images(fractions, np.where(pbc, margin, 0.0), pbc)
    near = cKDTree(positions).sparse_distance_matrix(
        cKDTree(positions[other] + shift @ cell), cutoff_ang, output_type="ndarray"
    )
    atom, image, length = near["i"].astype(np.int64), near["j"].astype(np.int64), near["v"]
    kept = (length < cutoff_ang) & ((other[image] != atom) | shift[image].any(axis=1))
    atom, image, length = atom[kept], image[kept], length[kept]
    order = np.lexsort((image, length, atom))
    atom, image, length = atom[order], image[order], length[order]
    return Pairs(atom, other[image], shift[image], length, positions)


def _images(fractions: Floats, margin: Floats, pbc: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Atoms and lattice shifts of all images in the cell or nearer to it than a margin (lattice vectors)."""
    reach = np.ceil(margin).astype(int)
    shifts = np.stack(np.meshgrid(*[np.arange(-m, m + 1) for m in reach], indexing="ij"), axis=-1)
    shifts = shifts.reshape(-1, 3)
    places = fractions[:, None, :] + shifts
    near = ((places > -margin) & (places < 1 + margin)) | ~pbc
    atom, number = np.nonzero(near.all(axis=2))
    return atom, shifts[number]


def _places(atom: Ints, section: Ints, index: Ints, n_atoms: int, layout: Layout) -> Ints:
    """Put each neighbour into the next free place of its section."""
    key = atom * len(layout.sel) + section
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    rank = np.arange(len(key)) - np.searchsorted(sorted_key, sorted_key)
    room = np.array(layout.sel if layout.by_type else [sum(layout.sel)])
    section = section[order]
    over = rank >= room[section]
    if over.any():
        worst = int(np.argmax(np.where(over, rank - room[section], -1)))
        places_there = int(room[section[worst]])
        _require_room(int(atom[order][worst]), int(rank[worst]) + 1, places_there, layout.cutoff_ang)
    start = np.concatenate([[0], np.cumsum(room)[:-1]])
    places = np.full((n_atoms, int(room.sum())), -1, dtype=np.int64)
    places[atom[order], start[section] + rank] = index[order]
    return places


def _require_room(atom: int, number: int, room: int, cutoff_ang: float) -> None:
    if number > room:
        raise CalculationError(
            f"atom {atom} has {number} neighbours within {cutoff_ang:g} Å where the model has places for "
            f"{room}",
            hint="the structure is denser than the model allows; train one with a larger 'sel'",
        )
