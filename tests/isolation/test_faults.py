"""A model that dies, lies or raises costs its own row and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import FaultRun


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("exit", "the worker ended by itself with exit code 3"),
        ("segfault", "the worker was killed by SIGSEGV"),
        ("killed", "the worker was killed by SIGKILL, perhaps out of memory"),
        ("memory", "out of memory: Unable to allocate"),
        ("greedy", "out of memory: Unable to allocate 2.79 GiB"),
        ("nan", "toy/nan returned a non-finite forces on atom 0 for 4 atoms"),
        ("inf-energy", "toy/inf-energy returned a non-finite energy for 4 atoms"),
        ("raises", "ValueError: a defect in the framework"),
        ("sys-exit", "SystemExit: the framework gives up"),
        ("no-load", "RuntimeError: these weights are of another version"),
    ],
)
def test_fault_becomes_a_failed_row_with_its_reason(faults: FaultRun, fault: str, reason: str) -> None:
    row = faults.rows[fault]
    assert row["status"] == "failed"
    assert row["values"] == {}
    assert row["interval"] == {}
    assert row["message"].splitlines()[0].startswith(reason)


@pytest.mark.parametrize("model", ["good", "chatty"])
def test_models_beside_a_fault_get_their_numbers(faults: FaultRun, model: str) -> None:
    row = faults.rows[model]
    assert row["status"] == "ok", row["message"]
    assert row["values"]["energy"] == faults.rows["good"]["values"]["energy"]
    assert row["n_evaluations"] == 2


def test_rows_keep_the_order_asked_for(faults: FaultRun) -> None:
    assert [name.removeprefix("toy/") for name in faults.order] == list(faults.rows)
    assert faults.order[0] == "toy/good"
    assert faults.order[-1] == "toy/no-load"


def test_a_fault_makes_the_exit_code_one(faults: FaultRun) -> None:
    assert faults.returncode == 1
    assert "Traceback" not in faults.stderr


@pytest.mark.parametrize(
    ("fault", "last_words"),
    [("exit", "last words of the framework"), ("no-load", "the framework says why")],
)
def test_failed_row_ends_with_what_the_worker_said_last(
    faults: FaultRun, fault: str, last_words: str
) -> None:
    lines = faults.rows[fault]["message"].splitlines()
    assert lines[1] == "last lines of stderr:"
    assert lines[-1] == last_words


def test_crash_leaves_the_interpreters_own_report_of_where_it_was(faults: FaultRun) -> None:
    assert "Segmentation fault" in faults.rows["segfault"]["message"]
    assert "misbehave" in faults.rows["segfault"]["message"]


def test_last_words_of_one_model_are_not_blamed_on_the_next(faults: FaultRun) -> None:
    for other in ("killed", "memory", "raises", "sys-exit"):
        assert "last words" not in faults.rows[other]["message"]
        assert "Segmentation" not in faults.rows[other]["message"]
    assert "noise on" not in faults.rows["no-load"]["message"]


def test_noise_on_stdout_does_not_reach_the_table(faults: FaultRun) -> None:
    assert faults.rows["chatty"]["message"] == ""
    assert "noise on stdout" not in faults.stderr


def test_every_result_says_where_it_comes_from(faults: FaultRun) -> None:
    for row in faults.rows.values():
        origin = row["provenance"]
        assert (origin["plugin"], origin["plugin_version"]) == ("toys", "1.2")
        assert origin["device"] == "cpu"
    found = faults.rows["good"]["provenance"]
    assert {"ase", "numpy"} <= set(found["frameworks"])
    assert found["python"]
    assert found["threads"] > 0


def test_progress_tells_each_outcome_once(faults: FaultRun) -> None:
    told = [line for line in faults.stderr.splitlines() if "toy-cells · toy-cu: " in line]
    for name, row in faults.rows.items():
        mine = [line for line in told if f" toy/{name} ·" in line and "] " in line]
        assert len(mine) == 1
        assert f": {row['status']}" in mine[0]
