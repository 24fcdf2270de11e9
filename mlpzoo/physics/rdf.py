"""Radial distribution function g(r) of periodic structures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.geometry import minkowski_reduce

from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BIN_ANG: Final = 0.05
_PEAK_END: Final = (
    1.25  # times where it rises: beyond its top, and before the second shell of diamond and fcc
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RadialDistribution:
    """g(r) in bins.

    Attributes:
        r_ang: Middles of the bins, shape (n_bins,).
        g: Density of neighbours over the mean density, shape (n_bins,).
        density_per_ang3: Mean number density of the neighbours: all atoms but one, over the volume.
    """

    r_ang: NDArray[np.float64]
    g: NDArray[np.float64]
    density_per_ang3: float

    @property
    def first_peak(self) -> int:
        """Bin of the highest value of the first peak that is at least half as high as the highest one.

        (In silicon the second shell has more neighbours per area of its sphere than the first.)
        """
        begin = int(np.argmax(self.g >= 0.5 * self.g.max()))
        end = int(np.searchsorted(self.r_ang, _PEAK_END * self.r_ang[begin])) + 1
        return begin + int(np.argmax(self.g[begin:end]))

    @property
    def peak_position_ang(self) -> float:
        """Of the first peak, by a parabola through its three highest bins."""
        i = self.first_peak
        if not 0 < i < len(self.g) - 1:
            return float(self.r_ang[i])
        left, top, right = self.g[i - 1 : i + 2]
        return float(self.r_ang[i] + 0.5 * BIN_ANG * (left - right) / (left - 2 * top + right))

    @property
    def first_minimum_ang(self) -> float:
        """Where g is lowest between the first peak and 1.6 times its distance."""
        i = self.first_peak
        beyond = int(np.searchsorted(self.r_ang, 1.6 * self.r_ang[i]))
        lowest = self.g[i:beyond].min(initial=np.inf)
        flat = np.flatnonzero(self.g[i:beyond] == lowest)
        return float(self.r_ang[i + int(flat[len(flat) // 2])]) if len(flat) else float(self.r_ang[-1])

    @property
    def coordination(self) -> float:
        """Neighbours up to the first minimum."""
        inside = self.r_ang < self.first_minimum_ang
        shells = _shells(len(self.g))[inside]
        return float(self.density_per_ang3 * (self.g[inside] * shells).sum())

    def difference_percent(self, other: RadialDistribution) -> float:
        """Integral of |g - g'| over the integral of g', in percent, over the bins that both have."""
        n = min(len(self.g), len(other.g))
        return float(100 * np.abs(self.g[:n] - other.g[:n]).sum() / other.g[:n].sum())


def radial_distribution(frames_ang: Iterable[ArrayLike], cell_ang: ArrayLike) -> RadialDistribution:
    """g(r) up to the radius of the sphere that fits into the cell, averaged over frames.

    The time is quadratic in the atoms and linear in the frames.

    Args:
        frames_ang: Positions of shape (n_atoms, 3) each, wrapped or not.
        cell_ang: Cell vectors as rows; periodic in all three.

    Raises:
        DataError: There are no frames, or fewer than two atoms.
    """
    cell = np.asarray(minkowski_reduce(np.asarray(cell_ang, dtype=float))[0])
    inverse = np.linalg.inv(cell)
    volume = abs(float(np.linalg.det(cell)))
    largest = 0.5 / float(np.linalg.norm(inverse, axis=0).max())
    n_bins = int(largest / BIN_ANG)
    counts = np.zeros(n_bins, dtype=np.int64)
    n_frames = n_atoms = 0
    for frame in frames_ang:
        positions = np.asarray(frame, dtype=float)
        n_atoms = len(positions)
        i, j = np.triu_indices(n_atoms, k=1)
        vectors = positions[j] - positions[i]
        vectors -= np.rint(vectors @ inverse) @ cell
        lengths = np.sqrt(np.einsum("ik,ik->i", vectors, vectors))
        counts += np.histogram(lengths, bins=n_bins, range=(0.0, n_bins * BIN_ANG))[0]
        n_frames += 1
    if n_frames == 0 or n_atoms < 2:  # noqa: PLR2004
        raise DataError(
            "a radial distribution needs frames with two atoms or more", hint="check the trajectory"
        )
    edges = BIN_ANG * np.arange(n_bins + 1)
    pairs = 0.5 * n_atoms * (n_atoms - 1)  # of an ideal gas of as many atoms
    return RadialDistribution(
        r_ang=0.5 * (edges[1:] + edges[:-1]),
        g=counts / (n_frames * pairs * _shells(n_bins) / volume),
        density_per_ang3=(n_atoms - 1) / volume,
    )


def _shells(n_bins: int) -> NDArray[np.float64]:
    """Volumes of the bins."""
    return np.asarray(4.0 / 3.0 * np.pi * np.diff((BIN_ANG * np.arange(n_bins + 1)) ** 3))
