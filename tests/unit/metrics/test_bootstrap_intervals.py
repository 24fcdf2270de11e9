"""Resamples, intervals, and paired differences."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpzoo.metrics import ForceComparison, paired_difference, rare_event_metrics, resample
from mlpzoo.metrics.bootstrap import resample_counts
from mlpzoo.metrics.medians import resampled_medians

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., ForceComparison]
    Take = Callable[[ForceComparison, list[int]], ForceComparison]

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


def test_every_resample_equals_the_metrics_of_the_drawn_snapshots(
    make_comparison: Make, take_snapshots: Take
) -> None:
    """The offset, the medians and the ratio too are computed anew in each resample."""
    comparison = make_comparison(1)
    found = resample(comparison, n_resamples=40, seed=3)
    for k, counts in enumerate(resample_counts(12, 40, seed=3)):
        drawn = take_snapshots(comparison, np.repeat(np.arange(12), counts).tolist())
        expected = rare_event_metrics(drawn)
        for name, values in found.resamples.items():
            wanted = expected.get(name, np.nan)
            assert values[k] == pytest.approx(wanted, rel=1e-9, nan_ok=True), name


def test_values_are_those_of_the_table(make_comparison: Make) -> None:
    comparison = make_comparison(2)
    table = rare_event_metrics(comparison)
    values = resample(comparison, n_resamples=1).values
    assert values == {name: table[name] for name in table if not name.startswith("n_")}


@given(seed=SEEDS, n_values=st.integers(min_value=1, max_value=40))
def test_medians_equal_those_of_the_values_written_out(seed: int, n_values: int) -> None:
    generator = np.random.default_rng(seed)
    values = np.sort(generator.integers(0, 10, n_values).astype(float))  # with equal ones
    owner = generator.integers(0, 5, n_values)
    counts = generator.integers(0, 3, (30, 5))
    for row, found in zip(counts, resampled_medians(values, owner, counts), strict=True):
        drawn = np.repeat(values, row[owner])
        wanted = np.median(drawn) if len(drawn) else np.nan
        assert found == pytest.approx(wanted, nan_ok=True)


def test_medians_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    arguments = (np.sort(generator.random(50)), generator.integers(0, 9, 50))
    counts = resample_counts(9, 100, seed=0)
    whole = resampled_medians(*arguments, counts)
    monkeypatch.setattr("mlpzoo.metrics.medians.CHUNK_ELEMENTS", 333)
    np.testing.assert_array_equal(resampled_medians(*arguments, counts), whole)


def test_each_resample_draws_as_many_snapshots_as_there_are() -> None:
    counts = resample_counts(7, 5000, seed=1)
    assert counts.shape == (5000, 7)
    assert np.all(counts.sum(axis=1) == 7)
    # Drawn with replacement: mean 1, variance 6/7, five standard errors of each.
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=5 * np.sqrt(6 / 7 / 5000))
    np.testing.assert_allclose(counts.var(axis=0), 6 / 7, atol=0.1)


def test_draws_follow_from_the_seed_and_not_from_the_model(make_comparison: Make) -> None:
    a, again = (resample(make_comparison(1), n_resamples=50, seed=9) for _ in range(2))
    for name, values in a.resamples.items():
        np.testing.assert_array_equal(values, again.resamples[name])
    other_seed = resample(make_comparison(1), n_resamples=50, seed=10)
    assert not np.array_equal(a.resamples["force_rmse_all"], other_seed.resamples["force_rmse_all"])
    # A model whose error is exactly twice as large doubles it in every single resample.
    first = make_comparison(1)
    twice = ForceComparison(
        reference_forces=first.reference_forces,
        predicted_forces=2.0 * first.predicted_forces - first.reference_forces,
        snapshot=first.snapshot,
        re_mask=first.re_mask,
        atom_counts=first.atom_counts,
    )
    doubled = resample(twice, n_resamples=50, seed=9).resamples["force_rmse_re"]
    np.testing.assert_allclose(doubled, 2.0 * a.resamples["force_rmse_re"])


def test_interval_holds_the_value_and_widens_with_the_level(make_comparison: Make) -> None:
    found = resample(make_comparison(3, n_snapshots=40))
    narrow, wide = found.intervals(level=0.5), found.intervals()
    for name, interval in wide.items():
        assert interval.low <= found.values[name] <= interval.high, name
        assert interval.low <= narrow[name].low <= narrow[name].high <= interval.high, name


def test_interval_is_cut_at_the_percentiles(make_comparison: Make) -> None:
    found = resample(make_comparison(4), n_resamples=1000)
    interval = found.intervals(level=0.9)["force_rmse_all"]
    values = found.resamples["force_rmse_all"]
    assert np.mean(values < interval.low) == pytest.approx(0.05, abs=0.002)
    assert np.mean(values > interval.high) == pytest.approx(0.05, abs=0.002)


def _correlated(seed: int, n_snapshots: int = 40, n_atoms: int = 6) -> ForceComparison:
    """Make errors half of whose variance is shared by all atoms of a snapshot; true RMSE 0.5."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(n_snapshots, 1, 3))
    own = generator.normal(size=(n_snapshots, n_atoms, 3))
    reference = generator.normal(size=own.shape)
    energies = generator.normal(size=n_snapshots)
    return ForceComparison.from_snapshots(
        reference_forces=list(reference),
        predicted_forces=list(reference + 0.5 * np.sqrt(0.5) * (shared + own)),
        re_masks=list(np.arange(n_atoms) < np.ones((n_snapshots, 1))),
        reference_energies=np.zeros(n_snapshots),
        predicted_energies=n_atoms * (0.2 + 0.01 * energies),
    )


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Drawing atoms instead of snapshots would cover the force RMSE in 0.79 of the trials.

    The expected coverage is less than 0.95: percentile intervals from 40 draws are a little
    narrow. It comes from plain loops over 2000 draws of the same distributions; for the offset
    from the factor sqrt(39/40) in the standard deviation.
    """
    truth = {"force_rmse_all": 0.5, "energy_offset": 200.0, "energy_rmse": 10.0}
    coverage = {"force_rmse_all": 0.93, "energy_offset": 0.94, "energy_rmse": 0.89}
    hits = dict.fromkeys(truth, 0)
    n_trials = 300
    for trial in range(n_trials):
        intervals = resample(_correlated(trial), n_resamples=250, seed=trial).intervals()
        for name, value in truth.items():
            hits[name] += intervals[name].low <= value <= intervals[name].high
    for name, expected in coverage.items():
        three_standard_errors = 3.0 * np.sqrt(expected * (1.0 - expected) / n_trials)
        assert hits[name] / n_trials == pytest.approx(expected, abs=three_standard_errors), name


def test_resamples_without_a_rare_event_atom_are_left_out(make_comparison: Make) -> None:
    comparison = make_comparison(5)
    two = np.isin(comparison.snapshot, [1, 5])
    sparse = ForceComparison(
        reference_forces=comparison.reference_forces,
        predicted_forces=comparison.predicted_forces,
        snapshot=comparison.snapshot,
        re_mask=two,
        atom_counts=comparison.atom_counts,
    )
    intervals = resample(sparse, n_resamples=2000, seed=1).intervals()
    counts = resample_counts(12, 2000, seed=1)
    with_re_atoms = np.count_nonzero(counts[:, 1] + counts[:, 5])
    assert 0 < with_re_atoms < 2000
    assert intervals["force_rmse_re"].n_resamples == with_re_atoms
    assert intervals["angle_median_re"].n_resamples == with_re_atoms
    assert intervals["force_rmse_ratio"].n_resamples == with_re_atoms
    assert intervals["force_rmse_all"].n_resamples == 2000


def test_one_snapshot_gives_a_value_and_no_interval(make_comparison: Make, take_snapshots: Take) -> None:
    comparison = make_comparison(6)
    mask = comparison.snapshot == 1
    single_re = ForceComparison(
        reference_forces=comparison.reference_forces,
        predicted_forces=comparison.predicted_forces,
        snapshot=comparison.snapshot,
        re_mask=mask,
        atom_counts=comparison.atom_counts,
    )
    found = resample(single_re, n_resamples=20)
    assert "force_rmse_re" in found.values
    assert not [name for name in found.intervals() if name.endswith(("_re", "_ratio"))]
    assert resample(take_snapshots(comparison, [1]), n_resamples=20).intervals() == {}


def test_nothing_found_in_any_snapshot_is_not_certainty(make_comparison: Make) -> None:
    found = resample(make_comparison(7, noise=1e-3), n_resamples=100)
    assert found.values["magnitude_error_over_0p5_re"] == 0.0
    assert "magnitude_error_over_0p5_re" not in found.intervals()
    assert "force_rmse_re" in found.intervals()


def test_difference_of_a_model_to_itself_is_a_tie(make_comparison: Make) -> None:
    found = resample(make_comparison(8), n_resamples=100)
    for name in found.resamples:
        difference = paired_difference(found, found, name)
        assert difference.value == difference.interval.low == difference.interval.high == 0.0
        assert difference.is_tie


def test_difference_changes_sign_with_the_order(make_comparison: Make) -> None:
    good = resample(make_comparison(1, reference_seed=9, noise=0.1))
    bad = resample(make_comparison(2, reference_seed=9, noise=0.5))
    forth = paired_difference(good, bad, "force_rmse_re")
    back = paired_difference(bad, good, "force_rmse_re")
    assert forth.interval.high < 0.0 < back.interval.low
    assert not forth.is_tie
    assert forth.value == -back.value
    assert forth.interval.low == pytest.approx(-back.interval.high)


def test_pairing_finds_a_difference_that_overlapping_intervals_hide() -> None:
    """Both models err most in the same snapshots; one is 5 % worse everywhere."""
    first = _correlated(0)
    second = ForceComparison(
        reference_forces=first.reference_forces,
        predicted_forces=1.05 * first.predicted_forces - 0.05 * first.reference_forces,
        snapshot=first.snapshot,
        re_mask=first.re_mask,
        atom_counts=first.atom_counts,
    )
    a, b = resample(first), resample(second)
    overlap = a.intervals()["force_rmse_all"].high > b.intervals()["force_rmse_all"].low
    difference = paired_difference(a, b, "force_rmse_all")
    assert overlap
    assert not difference.is_tie
    assert difference.value == pytest.approx(-0.05 * a.values["force_rmse_all"])


def test_equally_good_models_are_mostly_a_tie(make_comparison: Make) -> None:
    ties = 0
    for trial in range(100):
        a, b = (
            resample(make_comparison(seed, reference_seed=trial, n_snapshots=30), n_resamples=200)
            for seed in (2 * trial, 2 * trial + 1)
        )
        ties += paired_difference(a, b, "force_rmse_all").is_tie
    assert 85 <= ties <= 99


def test_models_that_do_not_match_are_not_compared(make_comparison: Make) -> None:
    a = resample(make_comparison(1), n_resamples=20)
    with pytest.raises(ValueError, match="same reference"):
        paired_difference(a, resample(make_comparison(2), n_resamples=20), "force_rmse_all")
    with pytest.raises(ValueError, match="different seeds"):
        paired_difference(a, resample(make_comparison(1), n_resamples=20, seed=1), "force_rmse_all")
    with pytest.raises(ValueError, match="different seeds or numbers"):
        paired_difference(a, resample(make_comparison(1), n_resamples=21), "force_rmse_all")
    with pytest.raises(ValueError, match=r"'force_rms' has no interval .* force_rmse_all"):
        paired_difference(a, a, "force_rms")
    without = resample(make_comparison(1, energies=False), n_resamples=20)
    with pytest.raises(ValueError, match="'energy_rmse' has no interval for both"):
        paired_difference(a, without, "energy_rmse")
    assert paired_difference(a, without, "force_rmse_re").is_tie


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_is_a_probability(make_comparison: Make, level: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        resample(make_comparison(1), n_resamples=5).intervals(level=level)


def test_no_resamples_are_refused(make_comparison: Make) -> None:
    with pytest.raises(ValueError, match="cannot draw 0 resamples of 12 snapshots"):
        resample(make_comparison(1), n_resamples=0)


def test_hundred_snapshots_take_less_than_half_a_second() -> None:
    comparison = _correlated(0, n_snapshots=100, n_atoms=64)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        resample(comparison).intervals()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5
