"""Curves of the rare-event table: distributions of errors, and error against distance.

Source: Liu, He, Mo, npj Comput. Mater. 9, 174 (2023), doi 10.1038/s41524-023-01123-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.metrics.arrays import FloatArray, finite_array
from mlpzoo.metrics.forces import component_rmse, direction_error, magnitude_error

if TYPE_CHECKING:
    import numpy.typing as npt

    from mlpzoo.metrics.comparison import ForceComparison


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distribution:
    """Empirical cumulative distribution of an error over atoms.

    Attributes:
        errors: The errors, ascending, shape (n_atoms,). Empty if no atom has one.
    """

    errors: FloatArray

    @property
    def percent(self) -> FloatArray:
        """Percentage of atoms with at most the error in `errors`, atom by atom, up to 100."""
        return 100.0 * np.arange(1, len(self.errors) + 1) / max(1, len(self.errors))

    def percent_at_most(self, errors: npt.ArrayLike) -> FloatArray:
        """Percentage of atoms whose error is at most each given one, same shape as `errors`.

        Raises:
            ValueError: If the distribution is empty.
        """
        if not len(self.errors):
            msg = "the distribution over no atoms is undefined"
            raise ValueError(msg)
        rank = np.searchsorted(self.errors, np.asarray(errors, dtype=np.float64), side="right")
        return np.asarray(100.0 * rank / len(self.errors), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceBin:
    """Force error of the atoms in one range of distances.

    Attributes:
        low: Smallest distance in Å, included.
        high: Largest distance in Å, excluded but for the last bin.
        n_atoms: Atoms in the bin, at least one.
        force_rmse: Their component RMSE in eV/Å.
    """

    low: float
    high: float
    n_atoms: int
    force_rmse: float


def magnitude_error_distribution(comparison: ForceComparison) -> Distribution:
    """Distribution of | |F'| - |F| | over the RE atoms, in eV/Å."""
    re = comparison.re_mask
    errors = magnitude_error(comparison.reference_forces[re], comparison.predicted_forces[re])
    return Distribution(errors=np.sort(np.abs(errors)))


def direction_error_distribution(comparison: ForceComparison) -> Distribution:
    """Distribution of the angle between F' and F over the RE atoms that have one, in degrees."""
    re = comparison.re_mask
    errors = direction_error(comparison.reference_forces[re], comparison.predicted_forces[re])
    return Distribution(errors=np.sort(errors.angles))


def error_by_distance(
    comparison: ForceComparison, distance: npt.ArrayLike, edges: npt.ArrayLike
) -> tuple[DistanceBin, ...]:
    """Force error against the distance to the nearest migrating atom.

    Args:
        comparison: Predicted and reference forces.
        distance: Distance of each atom to the nearest RE atom in Å (0 for an RE atom itself),
            shape (n_atoms,).
        edges: Borders of the bins in Å, ascending, shape (n_bins + 1,). Bins hold their lower
            edge; the last one holds its upper edge too, so that capped distances are kept.

    Returns:
        The bins that hold an atom, in order.

    Raises:
        ValueError: If shapes do not fit, a number is not finite, edges do not ascend, or an atom
            falls outside all bins (none is dropped in silence).
    """
    borders = finite_array(edges, "edges", (None,))
    distances = finite_array(distance, "distance", (len(comparison.re_mask),))
    if len(borders) < 2 or np.any(np.diff(borders) <= 0):  # noqa: PLR2004
        msg = f"edges: expected two or more ascending numbers, got {borders.tolist()}"
        raise ValueError(msg)
    if distances.min() < borders[0] or distances.max() > borders[-1]:
        msg = (
            f"distance: runs from {distances.min():g} to {distances.max():g} Å, "
            f"edges only from {borders[0]:g} to {borders[-1]:g} Å"
        )
        raise ValueError(msg)
    n_bins = len(borders) - 1
    index = np.minimum(np.searchsorted(borders, distances, side="right") - 1, n_bins - 1)
    bins = []
    for i in range(n_bins):
        inside = index == i
        if inside.any():
            rmse = component_rmse(comparison.reference_forces[inside], comparison.predicted_forces[inside])
            low, high = float(borders[i]), float(borders[i + 1])
            count = int(np.count_nonzero(inside))
            bins.append(DistanceBin(low=low, high=high, n_atoms=count, force_rmse=rmse))
    return tuple(bins)
