"""Data sets become queues again: to be extended, or labelled at another level; levels are compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlpzoo.benchmark import Case, RunSettings
from mlpzoo.benchmarks import re_forces
from mlpzoo.cli.data_label import levels as levels_command
from mlpzoo.cli.data_make import adopt as adopt_command
from mlpzoo.data.adopt import adopt
from mlpzoo.data.build import build_dataset
from mlpzoo.data.dataset import load_dataset
from mlpzoo.data.deviations import deviations
from mlpzoo.data.location import embedded_root
from mlpzoo.data.queue import Label, Queue
from mlpzoo.errors import DataError

SET = embedded_root() / "si" / "vacancy"


def test_a_set_that_is_adopted_and_built_again_is_the_same(tmp_path: Path) -> None:
    before = load_dataset(SET)
    queue = Queue(tmp_path / "queue")
    assert len(adopt(before, queue)) == len(before)
    assert adopt(before, queue) == [], "nothing is adopted twice"
    after = build_dataset(queue, tmp_path / "set", system="si-vacancy")
    assert after.frame_ids == before.frame_ids
    for one, other in zip(after.frames, before.frames, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        assert one.info == other.info
    np.testing.assert_array_equal(np.concatenate(after.forces), np.concatenate(before.forces))
    np.testing.assert_array_equal(after.levels["gamma"].energies, before.levels["gamma"].energies)
    assert (after.spec.reference, after.spec.noise_floor) == (before.spec.reference, before.spec.noise_floor)
    assert after.spec.provenance["runs"] == before.spec.provenance["runs"]
    assert after.spec.provenance["cost_cpu_s"] == before.spec.provenance["cost_cpu_s"]


def test_adopted_frames_are_for_the_levels_that_were_asked_for(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    adopt(load_dataset(SET), queue, levels=("abinit",), limit=3)
    assert [frame.levels for frame in queue.frames()] == [("abinit",)] * 3
    assert queue.levels() == ("gamma", "k222")


def test_another_structure_of_the_same_name_is_refused(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    dataset = load_dataset(SET)
    adopt(dataset, queue, limit=2)
    frame = queue.frames()[1]
    moved = np.array(frame.positions_ang) + 0.01
    for label in ("gamma", "k222"):
        (queue.frame_dir(frame.frame_id) / f"{label}.json").unlink()
    queue.add_frame(replace(frame, positions_ang=moved.tolist()))
    with pytest.raises(DataError, match=f"frame '{frame.frame_id}' is another structure"):
        adopt(dataset, queue)


def test_deviations_are_those_of_the_tables_noise_floor(tmp_path: Path) -> None:
    """The row of Γ alone that the benchmark re-forces prints comes from other code."""
    queue = Queue(tmp_path)
    dataset = load_dataset(SET)
    adopt(dataset, queue)
    (row,) = deviations(queue, "k222", ["gamma"])
    case = Case(name="si-vacancy", system="si", elements=("Si",), params={"directory": str(SET)})
    floor = re_forces.run_floor(case, "gamma", RunSettings()).values
    assert row.n_frames == len(dataset)
    assert row.force_rmse_ev_per_ang == pytest.approx(floor["force_rmse_all"])
    assert row.force_rmse_re_ev_per_ang == pytest.approx(floor["force_rmse_re"])
    assert row.energy_rmse_mev_per_atom == pytest.approx(floor["energy_rmse"])
    assert row.stress_rmse_gpa is None


def test_a_constant_shift_of_energies_is_no_deviation_and_failures_do_not_count(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    adopt(load_dataset(SET), queue, limit=4)
    for number, frame in enumerate(queue.frames()):
        label = queue.label(frame.frame_id, "k222")
        assert label is not None
        shifted = replace(label, level="other", energy_ev=label.energy_ev - 3.2 * len(frame.symbols))
        if number == 3:
            shifted = Label(level="other", status="failed", message="no")
        queue.put_label(frame.frame_id, shifted)
    (row,) = deviations(queue, "k222", ["other"])
    assert (row.n_frames, row.force_rmse_ev_per_ang) == (3, 0.0)
    assert row.energy_rmse_mev_per_atom == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(DataError, match="no frame has converged labels of both 'x' and 'k222'"):
        deviations(queue, "k222", ["x"])


def test_commands(tmp_path: Path) -> None:
    arguments = ["si-vacancy", "--out", str(tmp_path), "--limit", "4"]
    result = CliRunner().invoke(adopt_command, arguments, catch_exceptions=False)
    assert "4 new frames" in result.output
    arguments = [str(tmp_path), "--reference", "k222", "--json"]
    result = CliRunner().invoke(levels_command, arguments, catch_exceptions=False)
    (row,) = json.loads(result.output)
    assert (row["level"], row["against"], row["frames"]) == ("gamma", "k222", 4)
