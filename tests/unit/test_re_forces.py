"""The benchmark ``re-forces`` on a small data set whose labels are EMT's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_harness as harness
import zoo_shifted
from ase.io import read

import mlpzoo
from mlpzoo.benchmark import Case, Job, Outcome, RunSettings
from mlpzoo.benchmarks import re_forces
from mlpzoo.calculator import ZooCalculator
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.errors import DataError
from mlpzoo.metrics import (
    ForceComparison,
    error_by_distance,
    magnitude_error_distribution,
    rare_event_metrics,
)
from mlpzoo.registry import Registry
from mlpzoo.results import Result, decode, encode, unpack
from mlpzoo.store import Store
from mlpzoo.table import Mark, comparison

DATA = harness.FIXTURES / "toy-cu"
STANDARD, SMOKE = RunSettings(), RunSettings(profile="smoke")
PRECISION_EV_PER_ANG = 1e-8
"""Positions and forces in the file have 10 digits after the point."""


@pytest.fixture(scope="module")
def known() -> Registry:
    """Built-ins, toys and models that are wrong by a known amount."""
    return harness.registry_of("zoo_toys", "zoo_shifted")


@pytest.fixture(scope="module")
def case() -> Case:
    """The case of the small data set."""
    (found,) = re_forces.cases([DatasetSpec.from_directory(DATA)])
    return found


@pytest.fixture(scope="module")
def outcome(known: Registry, case: Case) -> Any:
    """``outcome(card, settings)``: the benchmark on one model, each computed once."""
    made: dict[tuple[str, RunSettings], Outcome] = {}

    def run(card: str, settings: RunSettings = STANDARD) -> Outcome:
        if (card, settings) not in made:
            calculator = mlpzoo.load(f"shifted/{card}", registry=known)
            made[card, settings] = re_forces.run(calculator, case, settings, Job())
        return made[card, settings]

    return run


@pytest.fixture(scope="module")
def frames() -> list[Any]:
    """The data, read with ASE alone: no code of ours."""
    return read(DATA / "frames.extxyz", index=":")


def labels(atoms: Any) -> np.ndarray:
    """Reference forces of a frame."""
    return atoms.calc.results["forces"]


# -- values ------------------------------------------------------------------------------------------


def test_model_that_made_the_labels_has_no_error(outcome: Any) -> None:
    values = outcome("exact").values
    for name in ("force_rmse_all", "force_rmse_re", "force_mae_all", "magnitude_error_mean_re"):
        assert 0.0 <= values[name] < PRECISION_EV_PER_ANG
    assert values["energy_rmse"] < 1e-5
    assert abs(values["energy_offset"]) < 1e-5
    assert values["angle_median_re"] < 1e-3
    for name in ("angle_over_15_re", "angle_over_30_all", "magnitude_error_over_0p5_re"):
        assert values[name] == 0.0


@pytest.mark.parametrize("card", ["near", "far"])
def test_values_of_a_wrong_model_equal_independent_formulas(
    outcome: Any, frames: list[Any], card: str
) -> None:
    """Atom by atom in plain Python, straight from the file and the known noise."""
    squares: dict[str, list[float]] = {"all": [], "re": []}
    magnitudes: dict[str, list[float]] = {"all": [], "re": []}
    angles: dict[str, list[float]] = {"all": [], "re": []}
    energy_errors = []
    for atoms in frames:
        noise = zoo_shifted.noise(card, atoms.positions)
        for reference, error, is_re in zip(labels(atoms), noise, atoms.arrays["re_mask"], strict=True):
            predicted = [f + e for f, e in zip(reference, error, strict=True)]
            size, size_predicted = math.dist(reference, (0, 0, 0)), math.dist(predicted, (0, 0, 0))
            cosine = sum(f * p for f, p in zip(reference, predicted, strict=True)) / (size * size_predicted)
            for group in ("all", "re") if is_re else ("all",):
                squares[group] += [e * e for e in error]
                magnitudes[group].append(abs(size_predicted - size))
                angles[group].append(math.degrees(math.acos(max(-1.0, min(1.0, cosine)))))
        offset = zoo_shifted.SHIFTS[card].offset_ev * (1.0 + atoms.positions[0, 0])
        energy_errors.append(1000.0 * offset / len(atoms))
    mean_energy_error = sum(energy_errors) / len(energy_errors)
    expected = {
        "energy_offset": mean_energy_error,
        "energy_rmse": math.sqrt(
            sum((e - mean_energy_error) ** 2 for e in energy_errors) / len(energy_errors)
        ),
        "n_atoms": sum(len(atoms) for atoms in frames),
        "n_re_atoms": sum(int(atoms.arrays["re_mask"].sum()) for atoms in frames),
        "n_snapshots": len(frames),
        "n_re_snapshots": sum(bool(atoms.arrays["re_mask"].any()) for atoms in frames),
    }
    for group in ("all", "re"):
        n = len(angles[group])
        middle = sorted(angles[group])
        expected |= {
            f"force_rmse_{group}": math.sqrt(sum(squares[group]) / len(squares[group])),
            f"force_mae_{group}": sum(map(math.sqrt, squares[group])) / len(squares[group]),
            f"magnitude_error_mean_{group}": sum(magnitudes[group]) / n,
            f"magnitude_error_over_0p5_{group}": 100.0 * sum(m > 0.5 for m in magnitudes[group]) / n,
            f"angle_median_{group}": (middle[n // 2] + middle[(n - 1) // 2]) / 2,
            f"angle_over_15_{group}": 100.0 * sum(a > 15.0 for a in angles[group]) / n,
            f"angle_over_30_{group}": 100.0 * sum(a > 30.0 for a in angles[group]) / n,
        }
    expected["force_rmse_ratio"] = expected["force_rmse_re"] / expected["force_rmse_all"]
    values = outcome(card).values
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert values["force_rmse_all"] == pytest.approx(zoo_shifted.SHIFTS[card].noise_ev_per_ang, rel=0.15)


def test_every_value_is_a_declared_column(outcome: Any) -> None:
    declared = {q.name for q in re_forces.SPEC.quantities}
    assert set(outcome("near").values) == declared
    assert set(outcome("near").interval) <= declared


def test_interval_holds_its_value(outcome: Any) -> None:
    found = outcome("near")
    for name in ("force_rmse_all", "force_rmse_re", "magnitude_error_mean_re", "angle_median_re"):
        low, high = found.interval[name]
        assert low < found.values[name] < high
    assert "n_atoms" not in found.interval


def test_seed_changes_intervals_and_not_values(outcome: Any) -> None:
    first, second = outcome("near"), outcome("near", RunSettings(seed=1))
    assert first.values == second.values
    assert first.interval != second.interval


def test_model_without_energies_gets_the_force_columns_and_no_others(outcome: Any) -> None:
    with_energy, without = outcome("near"), outcome("forces-only")
    assert set(with_energy.values) - set(without.values) == {"energy_rmse", "energy_offset"}
    assert without.values == {k: with_energy.values[k] for k in without.values}
    assert not {"energies", "reference_energies"} & set(without.arrays)


def test_progress_counts_snapshots(known: Registry, case: Case) -> None:
    told: list[tuple[int, int, str]] = []
    calculator = mlpzoo.load("shifted/exact", registry=known)
    re_forces.run(calculator, case, SMOKE, Job(progress=lambda *step: told.append(step)))
    assert told == [(done, 3, "snapshots") for done in (0, 1, 2, 3)]
    assert isinstance(calculator, ZooCalculator)
    assert calculator.n_evaluations == 3, "energy and forces of a snapshot are one evaluation"


# -- profiles, cases, reference rows -----------------------------------------------------------------


def test_smoke_takes_three_snapshots_that_have_re_atoms(outcome: Any, frames: list[Any]) -> None:
    assert not frames[0].arrays["re_mask"].any(), "or the test says nothing"
    found = outcome("near", SMOKE)
    assert found.values["n_snapshots"] == found.values["n_re_snapshots"] == 3.0
    np.testing.assert_allclose(
        found.arrays["reference_forces"], np.concatenate([labels(a) for a in frames[1:4]]), atol=1e-12
    )


def test_case_says_what_the_manifest_says(case: Case) -> None:
    assert (case.name, case.system, case.elements) == ("toy-cu", "toy", ("Cu",))
    assert case.level_of_theory == "EMT"
    assert case.floors == {"noisy": "EMT with noise"}
    assert case.unavailable == ""
    assert len(case.fingerprint) == 64


def test_only_data_of_its_kind_makes_a_case() -> None:
    assert re_forces.cases([DatasetSpec(name="t", kind="training", system="x", directory=DATA)]) == []


def test_manifest_that_cannot_be_read_makes_the_case_unavailable_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text("schema = ")
    (found,) = re_forces.cases([DatasetSpec(name="x", kind="re-forces", directory=tmp_path)])
    assert "dataset.toml" in found.unavailable


def test_data_that_was_altered_is_refused(known: Registry, case: Case, tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_bytes((DATA / "dataset.toml").read_bytes())
    text = (DATA / "frames.extxyz").read_text()
    (tmp_path / "frames.extxyz").write_text(text.replace("Cu 0.0150876265", "Cu 0.0150876266", 1))
    altered = Case(name="x", system="toy", elements=("Cu",), params={"directory": str(tmp_path)})
    with pytest.raises(DataError, match="sha256"):
        re_forces.run(mlpzoo.load("shifted/exact", registry=known), altered, STANDARD, Job())


def test_noise_floor_is_the_coarser_labels_against_the_reference(case: Case, frames: list[Any]) -> None:
    found = re_forces.run_floor(case, "noisy", STANDARD)
    errors = np.concatenate([atoms.arrays["forces_noisy"] - labels(atoms) for atoms in frames])
    assert found.values["force_rmse_all"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-9)
    assert found.values["energy_offset"] == pytest.approx(100.0 / 32, rel=1e-6), "0.1 eV on 32 atoms"
    assert found.values["energy_rmse"] < 1e-6


def test_noise_floor_of_a_profile_is_over_its_snapshots(case: Case, outcome: Any) -> None:
    found = re_forces.run_floor(case, "noisy", SMOKE)
    np.testing.assert_array_equal(
        found.arrays["reference_forces"], outcome("near", SMOKE).arrays["reference_forces"]
    )


# -- stored results ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(known: Registry, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Results of a run, read back from their files."""
    store = Store(_made(tmp_path_factory.mktemp("store") / "results"))
    models = "shifted/exact,shifted/copy,shifted/near,shifted/near-twin,shifted/far,shifted/forces-only"
    options = {"benchmarks": ("re-forces",), "systems": ("toy-cu",), "isolate": "never"}
    harness.run_all(known, store, models, **options)
    found = [decode(path.read_bytes()) for path in store.directory.glob("*.json")]
    return {result.model: result for result in found}


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def rebuilt(result: Result) -> ForceComparison:
    """The comparison that a stored result was computed from."""
    arrays = {name: unpack(array) for name, array in result.arrays.items()}
    return ForceComparison(
        reference_forces=arrays["reference_forces"],
        predicted_forces=arrays["forces"],
        snapshot=arrays["snapshot"],
        re_mask=arrays["re_mask"],
        atom_counts=np.bincount(arrays["snapshot"]),
        reference_energies=arrays.get("reference_energies"),
        predicted_energies=arrays.get("energies"),
    )


def test_stored_result_holds_all_that_its_values_came_from(stored: dict[str, Result]) -> None:
    for title in ("shifted/near", "shifted/forces-only", "EMT with noise"):
        result = stored[title]
        assert rare_event_metrics(rebuilt(result)) == pytest.approx(result.values, rel=1e-12)


def test_curves_can_be_drawn_from_a_stored_result(stored: dict[str, Result], frames: list[Any]) -> None:
    found = rebuilt(stored["shifted/far"])
    assert len(magnitude_error_distribution(found).errors) == 10, "those of the RE atoms"
    distances = unpack(stored["shifted/far"].arrays["r"])
    np.testing.assert_allclose(distances, np.concatenate([atoms.arrays["r"] for atoms in frames]), atol=1e-6)
    bins = error_by_distance(found, distances, [0.0, 0.1, 3.0, 6.0])
    assert len(bins) == 3
    assert bins[0].n_atoms == 10, "the RE atoms are at distance 0"


def test_stored_result_says_where_its_numbers_come_from(stored: dict[str, Result], case: Case) -> None:
    result = stored["shifted/near"]
    assert result.status == "ok"
    assert result.n_evaluations == 6
    assert result.provenance.dataset_sha256 == case.fingerprint
    assert result.provenance.level_of_theory == "EMT"
    assert not result.is_floor
    assert stored["EMT with noise"].is_floor
    assert stored["EMT with noise"].n_evaluations == 0
    assert decode(encode(result)) == result


def test_table_ranks_the_better_ties_the_equal_and_keeps_the_worse_apart(
    stored: dict[str, Result], known: Registry, tmp_path: Path
) -> None:
    models = "shifted/near-twin,shifted/near,shifted/far,shifted/forces-only"
    work = harness.planned(
        known, Store(_made(tmp_path / "none")), models, benchmarks=("re-forces",), systems=("toy-cu",)
    )
    (table,) = comparison(work, list(stored.values())).tables
    assert [row.model for row in table.rows] == models.split(",")
    assert [row.model for row in table.floors] == ["EMT with noise"]
    for name in ("force_rmse_all", "force_rmse_re", "angle_median_re"):
        assert table.marks["shifted/near-twin", name] == Mark(best=True)
        assert table.marks["shifted/near", name] == Mark(best=True), "exactly equal: both are best"
        assert ("shifted/far", name) not in table.marks
    assert ("shifted/forces-only", "energy_rmse") not in table.marks
    assert table.marks["shifted/forces-only", "force_rmse_all"] == Mark(best=True)
    assert table.notes == ()


def arrays_of(result: Result) -> dict[str, Any]:
    """What ``compare`` gets."""
    return {name: unpack(array) for name, array in result.arrays.items()}


def test_difference_of_a_model_with_itself_is_exactly_zero(stored: dict[str, Result]) -> None:
    found = re_forces.compare(
        arrays_of(stored["shifted/near"]), arrays_of(stored["shifted/near-twin"]), STANDARD
    )
    assert found["force_rmse_re"] == (0.0, 0.0)
    assert set(found.values()) == {(0.0, 0.0)}


def test_difference_has_the_sign_of_the_worse_model(stored: dict[str, Result]) -> None:
    near, far = arrays_of(stored["shifted/near"]), arrays_of(stored["shifted/far"])
    low, high = re_forces.compare(far, near, STANDARD)["force_rmse_re"]
    assert 0.0 < low < high
    difference = (
        stored["shifted/far"].values["force_rmse_re"] - stored["shifted/near"].values["force_rmse_re"]
    )
    assert low < difference < high
    reverse = re_forces.compare(near, far, STANDARD)["force_rmse_re"]
    assert reverse == pytest.approx((-high, -low))


def test_models_are_compared_only_in_what_both_have(stored: dict[str, Result]) -> None:
    found = re_forces.compare(
        arrays_of(stored["shifted/near"]), arrays_of(stored["shifted/forces-only"]), STANDARD
    )
    assert "force_rmse_all" in found
    assert not any(name.startswith("energy") for name in found)
