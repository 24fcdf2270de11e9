"""Distributions of errors, and error against distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlpzoo.metrics import (
    ForceComparison,
    component_rmse,
    direction_error_distribution,
    error_by_distance,
    magnitude_error_distribution,
    rare_event_metrics,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., ForceComparison]


def test_distributions_agree_with_the_table(make_comparison: Make) -> None:
    comparison = make_comparison(1, n_snapshots=60)
    metrics = rare_event_metrics(comparison)
    magnitude = magnitude_error_distribution(comparison)
    direction = direction_error_distribution(comparison)
    over = 100.0 - magnitude.percent_at_most(0.5)
    assert float(over) == pytest.approx(metrics["magnitude_error_over_0p5_re"])
    np.testing.assert_allclose(
        100.0 - direction.percent_at_most([15.0, 30.0]),
        [metrics["angle_over_15_re"], metrics["angle_over_30_re"]],
    )
    assert np.median(direction.errors) == pytest.approx(metrics["angle_median_re"])
    assert np.mean(magnitude.errors) == pytest.approx(metrics["magnitude_error_mean_re"])
    assert len(magnitude.errors) == metrics["n_re_atoms"]


def test_distribution_rises_to_hundred_percent(make_comparison: Make) -> None:
    for distribution in (
        magnitude_error_distribution(make_comparison(2)),
        direction_error_distribution(make_comparison(2)),
    ):
        assert np.all(np.diff(distribution.errors) >= 0)
        assert np.all(distribution.errors >= 0)
        np.testing.assert_allclose(distribution.percent, distribution.percent_at_most(distribution.errors))
        assert distribution.percent[-1] == 100.0
        assert distribution.percent_at_most(-1.0) == 0.0


def test_distribution_leaves_out_undefined_angles() -> None:
    comparison = ForceComparison.from_snapshots(
        reference_forces=[[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]],
        predicted_forces=[[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]],
        re_masks=[[True, True]],
    )
    np.testing.assert_allclose(direction_error_distribution(comparison).errors, [90.0])


def test_distribution_without_rare_event_atoms_is_empty(make_comparison: Make) -> None:
    comparison = make_comparison(3)
    without = ForceComparison(
        reference_forces=comparison.reference_forces,
        predicted_forces=comparison.predicted_forces,
        snapshot=comparison.snapshot,
        re_mask=np.zeros_like(comparison.re_mask),
        atom_counts=comparison.atom_counts,
    )
    empty = magnitude_error_distribution(without)
    assert len(empty.errors) == len(empty.percent) == 0
    with pytest.raises(ValueError, match="no atoms"):
        empty.percent_at_most(0.5)


def test_error_by_distance_closed_form() -> None:
    """Distances on the edges: the lower edge belongs to a bin, the cap to the last one."""
    distance = [0.0, 1.0, 1.5, 2.0, 5.5]
    error = [3.0, 1.0, 2.0, 4.0, 6.0]
    comparison = ForceComparison.from_snapshots(
        reference_forces=[np.zeros((5, 3))],
        predicted_forces=[np.array(error)[:, None] * [1.0, 0.0, 0.0]],
        re_masks=[np.array(distance) == 0.0],
    )
    bins = error_by_distance(comparison, distance, [0.0, 1.0, 2.0, 5.0, 5.5])
    assert [(b.low, b.high, b.n_atoms) for b in bins] == [
        (0.0, 1.0, 1),
        (1.0, 2.0, 2),
        (2.0, 5.0, 1),
        (5.0, 5.5, 1),
    ]
    mean_squares = [9.0, 2.5, 16.0, 36.0]
    np.testing.assert_allclose([b.force_rmse for b in bins], np.sqrt(np.array(mean_squares) / 3.0))


def test_bins_hold_all_atoms_and_their_whole_error(make_comparison: Make) -> None:
    comparison = make_comparison(4, n_snapshots=30)
    distance = np.random.default_rng(0).uniform(0.0, 5.5, len(comparison.re_mask))
    bins = error_by_distance(comparison, distance, np.linspace(0.0, 5.5, 12))
    total = sum(b.n_atoms for b in bins)
    assert total == len(comparison.re_mask)
    mean_square = sum(b.n_atoms * b.force_rmse**2 for b in bins) / total
    overall = component_rmse(comparison.reference_forces, comparison.predicted_forces)
    assert np.sqrt(mean_square) == pytest.approx(overall)


def test_bins_without_atoms_are_left_out(make_comparison: Make) -> None:
    comparison = make_comparison(5)
    distance = np.full(len(comparison.re_mask), 2.5)
    bins = error_by_distance(comparison, distance, [0.0, 1.0, 2.0, 3.0])
    assert [(b.low, b.high) for b in bins] == [(2.0, 3.0)]


@pytest.mark.parametrize(
    ("distance", "edges", "message"),
    [
        ([0.0, 1.0], [0.0, 2.0], r"distance: shape \(2,\), expected \(3,\)"),
        ([0.0, 1.0, np.nan], [0.0, 2.0], "distance: 1 of 3"),
        ([0.0, 1.0, 5.5], [0.0, 5.0], "distance: runs from 0 to 5.5 Å, edges only from 0 to 5 Å"),
        ([0.0, 1.0, 5.5], [0.5, 6.0], "distance: runs from 0 to 5.5 Å, edges only from 0.5"),
        ([0.0, 1.0, 1.0], [0.0, 2.0, 1.0], "edges: .*ascending"),
        ([0.0, 1.0, 1.0], [0.0, 1.0, 1.0], "edges: .*ascending"),
        ([0.0, 1.0, 1.0], [0.0], "edges: expected two or more"),
    ],
)
def test_distances_and_edges_that_do_not_fit_are_refused(
    distance: list[float], edges: list[float], message: str
) -> None:
    comparison = ForceComparison.from_snapshots(
        reference_forces=[np.ones((3, 3))],
        predicted_forces=[np.ones((3, 3))],
        re_masks=[[True, False, False]],
    )
    with pytest.raises(ValueError, match=message):
        error_by_distance(comparison, distance, edges)
