"""However a training is cut short, the same command goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import zoo_harness as harness
import zoo_training_sets as sets

N_EPOCHS = 8
ALL = [str(epoch) for epoch in range(N_EPOCHS)]


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A directory with the data and an installed family."""
    info = tmp_path / "site" / "zoo_trainable-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-trainable\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlpzoo]\npairs = zoo_trainable\n")
    sets.write(tmp_path / "cu", {"train": sets.frames(10)})
    return tmp_path


def command(where: Path, name: str = "model") -> tuple[str, ...]:
    return (
        "train", "pairs", "-d", str(where / "cu"), "-p", "smoke", "--out", str(where / "out"), "--name", name,
    )  # fmt: skip


def variables(where: Path, fault: str = "") -> dict[str, str]:
    path = harness.environment(where / "home")["PYTHONPATH"]
    return {
        "PYTHONPATH": os.pathsep.join([str(where / "site"), path]),
        "ZOO_TRAINABLE_LOG": str(where / "log"),
        "ZOO_TRAINABLE_FAULT": fault,
    }


def run(where: Path, fault: str = "", name: str = "model"):
    return harness.mlpzoo(*command(where, name), home=where / "home", **variables(where, fault))


def epochs(where: Path) -> list[str]:
    path = where / "log"
    return path.read_text().split() if path.exists() else []


def models(where: Path) -> list[str]:
    return sorted(p.name for p in (where / "out").glob("*") if p.is_file())


def test_worker_that_was_killed_costs_one_epoch(where: Path) -> None:
    failed = run(where, "killed 3")
    assert failed.returncode == 2
    assert "training stopped: the worker was killed by SIGKILL" in failed.stderr
    assert "the same command goes on where it stopped" in failed.stderr
    assert models(where) == []

    assert run(where, "killed 5").returncode == 2
    done = run(where)
    assert done.returncode == 0, done.stderr
    assert epochs(where) == ["0", "1", "2", "killed", "3", "4", "killed", "5", "6", "7"]
    assert models(where) == ["model.card.toml", "model.json"]

    whole = run(where, name="whole")
    assert whole.returncode == 0, whole.stderr
    out = where / "out"
    assert (out / "whole.json").read_bytes() == (out / "model.json").read_bytes()


def test_exception_of_the_framework_is_told_with_what_it_printed(where: Path) -> None:
    failed = run(where, "raises 2")
    assert failed.returncode == 2
    assert "training stopped: ValueError: the loss is NaN" in failed.stderr
    assert "the framework says why" in failed.stderr
    assert "the framework talks" in (where / "out" / "model.work" / "train.log").read_text()
    assert "the framework talks" not in failed.stdout
    assert run(where).returncode == 0
    assert epochs(where) == ["0", "1", "raises", *ALL[2:]]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_command_that_was_ended_leaves_no_process_and_goes_on(end: signal.Signals, where: Path) -> None:
    with harness.started(*command(where), home=where / "home", **variables(where, "hang 4")) as process:
        harness.wait_until(lambda: "hang" in epochs(where), "epoch 4 hangs")
        (worker,) = harness.children_of(process.pid)
        process.send_signal(end)
        process.communicate(timeout=harness.PATIENCE_S)
        assert process.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL)
        harness.wait_until(lambda: not harness.is_running(worker), "the worker is gone", patience_s=20.0)
    assert models(where) == []
    again = run(where)
    assert again.returncode == 0, again.stderr
    assert epochs(where) == ["0", "1", "2", "3", "hang", *ALL[4:]]


def test_damaged_state_costs_what_it_held_and_no_more(where: Path) -> None:
    run(where, "killed 4")
    state = where / "out" / "model.work" / "state.npz"
    state.write_bytes(state.read_bytes()[:-30])
    assert run(where).returncode == 0
    assert epochs(where) == ["0", "1", "2", "3", "killed", *ALL]


def test_time_is_that_of_all_pieces(where: Path) -> None:
    run(where, "killed 3")
    seconds = where / "out" / "model.work" / "seconds"
    seconds.write_text("1000.0")
    assert run(where).returncode == 0
    assert "; 100" in (where / "out" / "model.card.toml").read_text()
