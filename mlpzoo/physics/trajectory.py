"""Trajectories for keeping: displacements from the first frame in steps of 0.001 Å, as small integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEP_ANG: Final = 1e-3
"""Positions come back within half of it."""


def encode(positions_ang: NDArray[np.float64]) -> NDArray[np.int16] | NDArray[np.int32]:
    """Displacements from the first frame in units of `STEP_ANG`, shape (n_frames, n_atoms, 3).

    16 bits reach 32 Å; farther ones take 32 bits.

    Raises:
        DataError: A position is not finite, or more than 2000 km away.
    """
    with np.errstate(invalid="ignore"):  # infinity minus infinity: refused below
        steps = np.rint((positions_ang - positions_ang[0]) / STEP_ANG)
    farthest = float(np.abs(steps).max(initial=0.0))
    if not farthest <= np.iinfo(np.int32).max:
        raise DataError("a trajectory with positions that are not finite", hint="cut it before it exploded")
    small = farthest <= np.iinfo(np.int16).max
    return np.asarray(steps, dtype=np.int16) if small else np.asarray(steps, dtype=np.int32)


def decode(
    steps: NDArray[np.int16] | NDArray[np.int32], first_ang: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The positions, to within half of `STEP_ANG` in each component.

    Args:
        steps: From `encode`.
        first_ang: Positions of the first frame, shape (n_atoms, 3).
    """
    return np.asarray(first_ang + STEP_ANG * steps)
