"""How far two rankings of the same models agree.  Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlpzoo.metrics.arrays import FloatArray, finite_array

N_RESAMPLES = 2000
FEWEST = 3


class RankCorrelation(NamedTuple):
    """Rank correlations of two scores over the same models.

    Attributes:
        spearman: Spearman's ρ: the correlation of the ranks; ties share their mean rank.
        kendall: Kendall's τ-b: concordant less discordant pairs, ties taken into account.
        low: Lower end of the 95 % interval of ρ, by bootstrap over models; -1 if it cannot be had.
        high: Upper end; 1 if it cannot be had.
        n: Models.
    """

    spearman: float
    kendall: float
    low: float
    high: float
    n: int


def ranks(scores: npt.ArrayLike) -> FloatArray:
    """Ranks from 1 for the lowest score; equal scores share the mean of their ranks, shape (n,)."""
    from scipy.stats import rankdata

    found: FloatArray = rankdata(finite_array(scores, "scores", (None,)))
    return found


def rank_correlation(a: npt.ArrayLike, b: npt.ArrayLike, *, seed: int = 0) -> RankCorrelation | None:
    """Compare two scores of the same models.

    Args:
        a: One score a model, shape (n,).
        b: Another one, shape (n,).
        seed: Of the bootstrap over models.

    Returns:
        None with fewer than three models, or where all models have one score: there is nothing to order.

    Raises:
        ValueError: If shapes differ or a score is not finite.
    """
    from scipy.stats import kendalltau, rankdata, spearmanr

    a = finite_array(a, "scores", (None,))
    b = finite_array(b, "other scores", (len(a),))
    if len(a) < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    picks = np.random.default_rng(seed).integers(len(a), size=(N_RESAMPLES, len(a)))
    found = _pearson(rankdata(a[picks], axis=1), rankdata(b[picks], axis=1))
    low, high = np.percentile(found, (2.5, 97.5)) if len(found) else (-1.0, 1.0)
    return RankCorrelation(
        spearman=float(spearmanr(a, b).statistic),
        kendall=float(kendalltau(a, b).statistic),
        low=float(low),
        high=float(high),
        n=len(a),
    )


def _pearson(a: FloatArray, b: FloatArray) -> FloatArray:
    """Correlation of each row of one with that row of the other; rows without spread are left out."""
    a, b = (rows - rows.mean(axis=1, keepdims=True) for rows in (a, b))
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    ordered = spread > 0
    found: FloatArray = (a * b).sum(axis=1)[ordered] / spread[ordered]
    return found
