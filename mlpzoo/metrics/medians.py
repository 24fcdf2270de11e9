"""Medians of many bootstrap resamples at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlpzoo.metrics.arrays import FloatArray, IntArray

# Elements of the work array (8 bytes each): large enough for speed, small enough for the cache.
CHUNK_ELEMENTS = 1 << 18


def resampled_medians(sorted_values: FloatArray, owner: IntArray, counts: IntArray) -> FloatArray:
    """Median of values that are drawn in groups, once for each row of `counts`.

    In row k, each value counts as often as its group was drawn. The result is what `np.median`
    gives for the drawn values written out.

    Args:
        sorted_values: The values, ascending, shape (n_values,).
        owner: Group of each value, shape (n_values,).
        counts: How often each group is drawn, shape (n_resamples, n_groups).

    Returns:
        Medians, shape (n_resamples,); NaN in a row that draws no value.
    """
    medians = np.full(len(counts), np.nan)
    if not len(sorted_values):
        return medians
    rows = max(1, CHUNK_ELEMENTS // len(sorted_values))
    for start in range(0, len(counts), rows):
        chunk = slice(start, start + rows)
        medians[chunk] = _medians(sorted_values, owner, counts[chunk])
    return medians


def _medians(sorted_values: FloatArray, owner: IntArray, counts: IntArray) -> FloatArray:
    # One running sum through all rows, so that one binary search serves them all.
    drawn = counts[:, owner]
    running = np.cumsum(drawn.ravel())
    end = running[len(sorted_values) - 1 :: len(sorted_values)]
    begin = np.concatenate(([0], end[:-1]))
    total = end - begin
    some = total > 0
    first_of_row = np.arange(len(counts)) * len(sorted_values)
    middle = np.zeros((2, len(counts)))
    for half, rank in enumerate(((total - 1) // 2, total // 2)):
        position = np.searchsorted(running, begin[some] + rank[some], side="right")
        middle[half, some] = sorted_values[position - first_of_row[some]]
    return np.where(some, middle.mean(axis=0), np.nan)
