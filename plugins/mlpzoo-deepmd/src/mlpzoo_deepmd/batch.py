"""Several structures as one set of arrays, of few different shapes: XLA compiles for each shape anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlpzoo_deepmd.neighbours import Surroundings


class Shape(NamedTuple):
    """Sizes of a batch: numbers of atoms, of ghosts and of structures, empty places included."""

    atoms: int
    ghosts: int
    structures: int


class Batch(NamedTuple):
    """Structures beside each other; atoms of the batch first, then ghosts.

    Attributes:
        positions: Of atoms, Å, shape (atoms, 3).
        types: Of atoms and ghosts, shape (atoms + ghosts,); -1 for empty places.
        mapping: Which atom each atom and ghost is, shape (atoms + ghosts,).
        offsets: Vector from that atom, Å, shape (atoms + ghosts, 3).
        structure: To which structure it belongs, shape (atoms + ghosts,).
        places: Neighbours of atoms, shape (atoms, places); -1 for none.
        real: 1 for atoms, 0 for empty places, shape (atoms,).
    """

    positions: Any
    types: Any
    mapping: Any
    offsets: Any
    structure: Any
    places: Any
    real: Any


def needed(parts: Sequence[Surroundings]) -> Shape:
    """The smallest shape that holds some structures."""
    return Shape(
        atoms=sum(len(part.positions) for part in parts),
        ghosts=sum(len(part.owners) for part in parts),
        structures=len(parts),
    )


def rounded(shape: Shape) -> Shape:
    """A shape from a coarse series, so that similar structures share one.

    Places of atoms cost time: they grow by an eighth at most, or to 8.  Ghosts are nothing but coordinates,
    and their number changes from one step of MD to the next: up to a half, and 64 at least.
    """
    structures = 1 << (shape.structures - 1).bit_length()
    return Shape(_up(shape.atoms, 8, 8), _up(shape.ghosts + shape.ghosts // 8, 64, 4), structures)


def _up(number: int, least: int, parts: int) -> int:
    """The next multiple of the largest power of two that is no more than ``number / parts``."""
    step = max(least, (1 << max(number, 1).bit_length() - 1) // parts)
    return -(-max(number, 1) // step) * step


def packed(parts: Sequence[Surroundings], shape: Shape) -> Batch:
    """Put structures beside each other in arrays of a given shape (numpy)."""
    n_all = shape.atoms + shape.ghosts
    width = parts[0].places.shape[1]
    batch = Batch(
        positions=np.zeros((shape.atoms, 3)),
        types=np.full(n_all, -1, dtype=np.int32),
        mapping=np.zeros(n_all, dtype=np.int32),
        offsets=np.zeros((n_all, 3)),
        structure=np.zeros(n_all, dtype=np.int32),
        places=np.full((shape.atoms, width), -1, dtype=np.int32),
        real=np.zeros(shape.atoms),
    )
    batch.mapping[: shape.atoms] = np.arange(shape.atoms)
    first, ghost = 0, shape.atoms
    for number, part in enumerate(parts):
        n, n_ghosts = len(part.positions), len(part.owners)
        here, there = slice(first, first + n), slice(ghost, ghost + n_ghosts)
        batch.positions[here] = part.positions
        batch.types[here], batch.types[there] = part.types, part.types[part.owners]
        batch.mapping[there] = part.owners + first
        batch.offsets[there] = part.offsets
        batch.structure[here], batch.structure[there] = number, number
        moved = np.where(part.places >= n, part.places - n + ghost, part.places + first)
        batch.places[here] = np.where(part.places < 0, -1, moved)
        batch.real[here] = 1.0
        first, ghost = first + n, ghost + n_ghosts
    return batch
