"""Rank correlations against closed forms and a published table."""

from __future__ import annotations

import numpy as np
import pytest

from mlpzoo.metrics.rank_correlation import rank_correlation, ranks


def test_equal_scores_share_their_mean_rank():
    np.testing.assert_array_equal(ranks([0.3, 0.1, 0.3, 0.2]), [3.5, 1.0, 3.5, 2.0])


def test_order_and_its_reverse():
    a = np.array([0.1, 0.2, 0.5, 0.9, 1.0])
    same, reverse = rank_correlation(a, a**3), rank_correlation(a, -a)
    assert (same.spearman, same.kendall) == pytest.approx((1.0, 1.0))
    assert (reverse.spearman, reverse.kendall) == pytest.approx((-1.0, -1.0))
    assert (same.low, same.high) == pytest.approx((1.0, 1.0))


def test_spearman_without_ties_is_the_textbook_formula():
    a, b = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]
    d2 = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    found = rank_correlation(a, b)
    assert found.spearman == pytest.approx(1 - 6 * d2 / (6 * 35))
    assert found.kendall == pytest.approx((15 - 2 * 3) / 15), "3 of 15 pairs are discordant"
    assert found.low <= found.spearman <= found.high
    assert found.n == 6


def test_the_interval_holds_the_truth_in_most_samples():
    """Normal scores with correlation 0.6: Spearman's is 6/pi asin(0.3) = 0.582."""
    truth, inside = 6 / np.pi * np.arcsin(0.3), 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        x, y = generator.normal(size=(2, 40))
        found = rank_correlation(x, 0.6 * x + 0.8 * y, seed=seed)
        inside += found.low <= truth <= found.high
    assert inside >= 34, "95 % of 40 is 38; below 34 has a probability of one in a hundred"


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [5, 5, 5])])
def test_nothing_to_order(a, b):
    assert rank_correlation(a, b) is None


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match="finite"):
        rank_correlation([1, 2, np.nan], [1, 2, 3])
