"""Values of the rare-event table: naive loops, closed forms, symmetries, and known traps."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpzoo.metrics import METRIC_UNITS, ForceComparison, rare_event_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., ForceComparison]
    Take = Callable[[ForceComparison, list[int]], ForceComparison]

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


def _naive_metrics(comparison: ForceComparison) -> dict[str, float]:
    """Compute the table again from its definitions in loops over atoms and snapshots."""
    result: dict[str, float] = {}
    for suffix in ("all", "re"):
        components, magnitudes, angles, undefined = [], [], [], 0
        for f, g, is_re in zip(
            comparison.reference_forces.tolist(),
            comparison.predicted_forces.tolist(),
            comparison.re_mask.tolist(),
            strict=True,
        ):
            if suffix == "re" and not is_re:
                continue
            components += [b - a for a, b in zip(f, g, strict=True)]
            magnitudes.append(abs(math.hypot(*g) - math.hypot(*f)))
            if min(math.hypot(*f), math.hypot(*g)) < 1e-3:
                undefined += 1
                continue
            cosine = sum(a * b for a, b in zip(f, g, strict=True)) / math.hypot(*f) / math.hypot(*g)
            angles.append(math.degrees(math.acos(max(-1.0, min(1.0, cosine)))))
        result |= {
            f"force_rmse_{suffix}": math.sqrt(fmean(c * c for c in components)),
            f"force_mae_{suffix}": fmean(abs(c) for c in components),
            f"magnitude_error_mean_{suffix}": fmean(magnitudes),
            f"magnitude_error_over_0p5_{suffix}": 100 * fmean(m > 0.5 for m in magnitudes),
            f"angle_median_{suffix}": median(angles),
            f"angle_over_15_{suffix}": 100 * fmean(a > 15 for a in angles),
            f"angle_over_30_{suffix}": 100 * fmean(a > 30 for a in angles),
            f"n_undefined_angles_{suffix}": float(undefined),
        }
    result["force_rmse_ratio"] = result["force_rmse_re"] / result["force_rmse_all"]
    assert comparison.reference_energies is not None
    assert comparison.predicted_energies is not None
    errors = [
        1000 * (b - a) / n
        for a, b, n in zip(
            comparison.reference_energies.tolist(),
            comparison.predicted_energies.tolist(),
            comparison.atom_counts.tolist(),
            strict=True,
        )
    ]
    result["energy_offset"] = fmean(errors)
    result["energy_rmse"] = math.sqrt(fmean((e - fmean(errors)) ** 2 for e in errors))
    owners = zip(comparison.snapshot.tolist(), comparison.re_mask.tolist(), strict=True)
    result |= {
        "n_atoms": float(len(comparison.re_mask)),
        "n_re_atoms": float(sum(comparison.re_mask.tolist())),
        "n_snapshots": float(len(errors)),
        "n_re_snapshots": float(len({i for i, is_re in owners if is_re})),
    }
    return result


@given(seed=SEEDS, n_snapshots=st.integers(min_value=2, max_value=20))
def test_metrics_equal_naive_loops(make_comparison: Make, seed: int, n_snapshots: int) -> None:
    comparison = make_comparison(seed, n_snapshots=n_snapshots)
    metrics = rare_event_metrics(comparison)
    assert metrics == pytest.approx(_naive_metrics(comparison), rel=1e-6)
    assert metrics.keys() == METRIC_UNITS.keys()


def test_closed_form() -> None:
    """One snapshot of four atoms: perfect, 20° off, 0.6 eV/Å too strong, reversed and RE."""
    turned = math.radians(20.0)
    metrics = rare_event_metrics(
        ForceComparison.from_snapshots(
            reference_forces=[[[1, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 1]]],
            predicted_forces=[
                [
                    [1.0, 0.0, 0.0],
                    [2.0 * math.cos(turned), 2.0 * math.sin(turned), 0.0],
                    [0.0, 3.6, 0.0],
                    [0.0, 0.0, -1.0],
                ]
            ],
            re_masks=[[False, False, False, True]],
        )
    )
    chord = 16.0 * math.sin(turned / 2.0) ** 2
    expected = {
        "force_rmse_all": math.sqrt((chord + 0.36 + 4.0) / 12.0),
        "force_rmse_re": math.sqrt(4.0 / 3.0),
        "force_mae_re": 2.0 / 3.0,
        "magnitude_error_mean_all": 0.15,
        "magnitude_error_mean_re": 0.0,
        "magnitude_error_over_0p5_all": 25.0,
        "magnitude_error_over_0p5_re": 0.0,
        "angle_median_all": 10.0,
        "angle_median_re": 180.0,
        "angle_over_15_all": 50.0,
        "angle_over_30_all": 25.0,
        "angle_over_30_re": 100.0,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


@given(seed=SEEDS, order=st.permutations(range(12)))
def test_order_of_snapshots_does_not_matter(
    make_comparison: Make, take_snapshots: Take, seed: int, order: list[int]
) -> None:
    comparison = make_comparison(seed)
    shuffled = rare_event_metrics(take_snapshots(comparison, order))
    assert shuffled == pytest.approx(rare_event_metrics(comparison), rel=1e-12)


@given(seed=SEEDS)
def test_rotation_changes_nothing_but_the_absolute_components(make_comparison: Make, seed: int) -> None:
    comparison = make_comparison(seed)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turned = rare_event_metrics(
        _changed(
            comparison,
            reference_forces=comparison.reference_forces @ turn,
            predicted_forces=comparison.predicted_forces @ turn,
        )
    )
    expected = rare_event_metrics(comparison)
    for name in expected.keys() - {"force_mae_all", "force_mae_re"}:
        assert turned[name] == pytest.approx(expected[name], rel=1e-9), name


@given(seed=SEEDS, factor=st.floats(min_value=0.1, max_value=50.0))
def test_forces_in_another_unit_scale_the_errors_and_not_the_angles(
    make_comparison: Make, seed: int, factor: float
) -> None:
    comparison = make_comparison(seed)
    scaled = rare_event_metrics(
        _changed(
            comparison,
            reference_forces=factor * comparison.reference_forces,
            predicted_forces=factor * comparison.predicted_forces,
        )
    )
    for name, value in rare_event_metrics(comparison).items():
        if name.startswith(("force_rmse_a", "force_rmse_re", "force_mae", "magnitude_error_mean")):
            assert scaled[name] == pytest.approx(factor * value, rel=1e-9), name
        elif not name.startswith(("magnitude_error_over", "n_undefined")):
            assert scaled[name] == pytest.approx(value, rel=1e-9), name


@given(seed=SEEDS)
def test_exchanging_model_and_reference_only_reverses_the_offset(make_comparison: Make, seed: int) -> None:
    comparison = make_comparison(seed)
    exchanged = rare_event_metrics(
        _changed(
            comparison,
            reference_forces=comparison.predicted_forces,
            predicted_forces=comparison.reference_forces,
            reference_energies=comparison.predicted_energies,
            predicted_energies=comparison.reference_energies,
        )
    )
    expected = rare_event_metrics(comparison)
    expected["energy_offset"] *= -1.0
    assert exchanged == pytest.approx(expected)


def test_constant_energy_per_atom_is_offset_and_not_error(make_comparison: Make) -> None:
    comparison = make_comparison(3)
    energies, counts = comparison.reference_energies, comparison.atom_counts
    assert energies is not None
    shifted = rare_event_metrics(_changed(comparison, predicted_energies=energies + 7.0 * counts))
    assert shifted["energy_offset"] == pytest.approx(7000.0)
    assert shifted["energy_rmse"] == pytest.approx(0.0, abs=1e-9)


def test_energy_error_is_per_atom_of_its_own_snapshot() -> None:
    """Two and four atoms, 10 meV/atom too high and 4 meV/atom too high: 7 off, spread 3."""
    comparison = ForceComparison.from_snapshots(
        reference_forces=[np.zeros((2, 3)), np.zeros((4, 3))],
        predicted_forces=[np.zeros((2, 3)), np.zeros((4, 3))],
        re_masks=[np.zeros(2, dtype=bool), np.zeros(4, dtype=bool)],
        reference_energies=[-10.0, -20.0],
        predicted_energies=[-9.98, -19.984],
    )
    metrics = rare_event_metrics(comparison)
    assert metrics["energy_offset"] == pytest.approx(7.0)
    assert metrics["energy_rmse"] == pytest.approx(3.0)


def test_more_frames_of_the_same_kind_do_not_shrink_the_error(
    make_comparison: Make, take_snapshots: Take
) -> None:
    """Trap: a root mean square over atoms divided by the number of frames."""
    comparison = make_comparison(4)
    tenfold = rare_event_metrics(take_snapshots(comparison, list(range(12)) * 10))
    for name, value in rare_event_metrics(comparison).items():
        assert tenfold[name] == pytest.approx(value * (10 if name.startswith("n_") else 1)), name


def test_undefined_angle_is_not_zero_degrees() -> None:
    """Trap: the atom without a predicted force would count as perfectly directed."""
    metrics = rare_event_metrics(
        ForceComparison.from_snapshots(
            reference_forces=[[[1.0, 0.0, 0.0]] * 3],
            predicted_forces=[[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]],
            re_masks=[[True, False, True]],
        )
    )
    for suffix, undefined in (("all", 2.0), ("re", 1.0)):
        assert metrics[f"angle_median_{suffix}"] == pytest.approx(90.0)
        assert metrics[f"angle_over_15_{suffix}"] == 100.0
        assert metrics[f"n_undefined_angles_{suffix}"] == undefined
    assert metrics["magnitude_error_mean_all"] == pytest.approx(2.0 / 3.0)


def test_model_without_any_force_has_no_angles_at_all(make_comparison: Make) -> None:
    comparison = make_comparison(5)
    metrics = rare_event_metrics(
        _changed(comparison, predicted_forces=np.zeros_like(comparison.reference_forces))
    )
    assert not [name for name in metrics if name.startswith("angle_")]
    assert metrics["n_undefined_angles_all"] == metrics["n_atoms"]
    assert metrics["n_undefined_angles_re"] == metrics["n_re_atoms"]


@pytest.mark.parametrize("row", [0, -1])
def test_every_row_counts(make_comparison: Make, row: int) -> None:
    """Trap: the first row lost. The error sits on a single atom, at either end."""
    comparison = make_comparison(6)
    predicted = comparison.reference_forces.copy()
    predicted[row, 1] += 2.0
    metrics = rare_event_metrics(_changed(comparison, predicted_forces=predicted))
    assert metrics["force_mae_all"] == pytest.approx(2.0 / predicted.size)
    assert metrics["n_atoms"] == len(predicted)


def test_what_is_undefined_is_absent(make_comparison: Make) -> None:
    comparison = make_comparison(7, energies=False)
    without = _changed(comparison, re_mask=np.zeros_like(comparison.re_mask))
    names = rare_event_metrics(without).keys()
    counted = {"n_re_atoms", "n_re_snapshots", "n_undefined_angles_re"}
    absent = {n for n in METRIC_UNITS if n.endswith("_re")} | {"n_re_atoms", "n_re_snapshots"}
    absent |= {"force_rmse_ratio", "energy_rmse", "energy_offset"}
    assert names == METRIC_UNITS.keys() - (absent - counted)
    assert rare_event_metrics(without)["n_re_atoms"] == 0.0


def test_single_snapshot_has_an_energy_offset_and_no_spread(
    make_comparison: Make, take_snapshots: Take
) -> None:
    metrics = rare_event_metrics(take_snapshots(make_comparison(8), [4]))
    assert "energy_offset" in metrics
    assert "energy_rmse" not in metrics


def test_perfect_model_has_no_ratio(make_comparison: Make) -> None:
    comparison = make_comparison(9)
    perfect = _changed(comparison, predicted_forces=comparison.reference_forces)
    metrics = rare_event_metrics(perfect)
    assert metrics["force_rmse_re"] == metrics["angle_over_15_re"] == 0.0
    assert "force_rmse_ratio" not in metrics


def test_no_value_is_nan(make_comparison: Make) -> None:
    assert all(math.isfinite(v) for v in rare_event_metrics(make_comparison(10)).values())


def _changed(comparison: ForceComparison, **fields: Any) -> ForceComparison:
    names = ForceComparison.__dataclass_fields__
    return ForceComparison(**({name: getattr(comparison, name) for name in names} | fields))
