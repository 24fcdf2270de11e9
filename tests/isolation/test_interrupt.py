"""However ``mlpzoo compare`` ends, no process stays behind and finished work is kept."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from pathlib import Path

import zoo_harness as harness

from mlpzoo.results import Result, decode

ON_TOYS = ("-b", "toy-cells", "-s", "toy-cu,toy-al")


def stored(home: Path) -> list[Result]:
    """All results below a home."""
    return [decode(path.read_bytes()) for path in sorted((home / "results").glob("*.json"))]


def the_worker_of(process: subprocess.Popen[str]) -> int:
    """The one process that a run has started."""
    return harness.wait_until(lambda: harness.children_of(process.pid), "a worker runs")[0]


def has_written(note: Path) -> bool:
    """Whether the worker has come to the point where it writes this file."""
    return note.exists() and note.read_text() != ""


def test_ctrl_c_exits_with_130_leaves_no_process_and_keeps_what_is_finished(tmp_path: Path) -> None:
    home, note = tmp_path / "home", tmp_path / "child.pid"
    run = harness.started(
        "compare", "-m", "toy/good,toy/child", "-b", "toy-cells", "-s", "toy-cu",
        home=home, ZOO_TOYS_CHILD=str(note),
    )  # fmt: skip
    with run as process:
        harness.wait_until(lambda: has_written(note), "the second model hangs")
        worker, child = the_worker_of(process), int(note.read_text())
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=harness.PATIENCE_S)
        assert process.returncode == 130
        assert not harness.is_running(worker)
        assert not harness.is_running(child)
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == "interrupted; finished tasks are kept, the same command goes on"
    assert [(r.model, r.status) for r in stored(home)] == [("toy/good", "ok")]


def test_worker_in_the_middle_of_a_task_ends_with_its_child_when_its_parent_is_terminated(
    tmp_path: Path,
) -> None:
    note = tmp_path / "child.pid"
    run = harness.started(
        "compare", "-m", "toy/child", "-b", "toy-cells", "-s", "toy-cu",
        home=tmp_path / "home", ZOO_TOYS_CHILD=str(note),
    )  # fmt: skip
    with run as process:
        harness.wait_until(lambda: has_written(note), "the model hangs")
        worker, child = the_worker_of(process), int(note.read_text())
        assert set(harness.group_of(worker)) == {worker, child}
        process.terminate()
        assert process.wait(harness.PATIENCE_S) == -signal.SIGTERM
        harness.wait_until(
            lambda: not harness.group_of(worker), "worker and its child are gone", patience_s=20.0
        )
    assert stored(tmp_path / "home") == []


def test_worker_that_is_still_starting_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    run = harness.started("compare", "-m", "toy/hang", *ON_TOYS, home=tmp_path / "home")
    with run as process:
        worker = the_worker_of(process)
        process.kill()
        process.wait(harness.PATIENCE_S)
        harness.wait_until(lambda: not harness.is_running(worker), "the worker is gone")


def test_same_command_after_a_power_cut_does_only_what_was_not_finished(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    models = "toy/good,toy/raises,toy/chatty"
    command = ("compare", "-m", models, *ON_TOYS, "-f", "csv")
    with harness.started(*command, home=home, ZOO_TOYS_LOG=str(log), ZOO_TOYS_SLEEP="0.7") as process:
        # In turn: good, raises, chatty on copper, then on aluminium.
        harness.wait_until(lambda: len(stored(home)) >= 3, "three tasks are stored")
        worker = the_worker_of(process)
        process.kill()
        process.wait(harness.PATIENCE_S)
        harness.wait_until(lambda: not harness.is_running(worker), "the worker is gone", patience_s=20.0)
    finished = {(r.model, r.case) for r in stored(home) if r.status == "ok"}
    assert finished >= {("toy/good", "toy-cu"), ("toy/chatty", "toy-cu")}
    assert ("toy/chatty", "toy-al") not in finished

    again = harness.mlpzoo(*command, home=home, ZOO_TOYS_LOG=str(log))
    assert again.returncode == 1
    todo = 6 - len(finished)
    assert f"[{todo}/{todo}]" in again.stderr
    runs = Counter(tuple(line.split()) for line in log.read_text().splitlines())
    assert {pair: runs[pair] for pair in finished} == dict.fromkeys(finished, 1)
    assert "toy/raises · toy-cells · toy-cu: failed" in again.stderr, "a failed task is tried again"
    assert {(r.model, r.case) for r in stored(home) if r.status == "ok"} == {
        (model, case) for model in ("toy/good", "toy/chatty") for case in ("toy-cu", "toy-al")
    }
    assert not list((home / "results").glob("*.part"))


def test_two_commands_at_once_compute_every_result_once(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    command = ("compare", "-m", "toy/good", *ON_TOYS, "-f", "csv")
    environment = {"ZOO_TOYS_LOG": str(log), "ZOO_TOYS_SLEEP": "0.7"}
    with (
        harness.started(*command, home=home, **environment) as first,
        harness.started(*command, home=home, **environment) as second,
    ):
        (out, _), (also, waited) = (p.communicate(timeout=harness.PATIENCE_S) for p in (first, second))
    assert (first.returncode, second.returncode) == (0, 0)
    assert out == also
    assert "[2/2]" in waited
    runs = Counter(tuple(line.split()) for line in log.read_text().splitlines())
    assert set(runs.values()) == {1}
    assert sorted(p.suffix for p in (home / "results").iterdir()) == [".json", ".json"]
