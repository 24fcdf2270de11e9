"""However a task is cut short, it goes on where it was; however it ends by itself, it starts anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import zoo_harness as harness
from zoo_steps import N_STEPS

from mlpzoo.registry import Registry
from mlpzoo.results import Result, decode, unpack
from mlpzoo.store import TASK_FILE, Store

ALL = [str(step) for step in range(N_STEPS)]


@pytest.fixture(scope="module")
def steps() -> Registry:
    """Built-ins, toy models, and the benchmark of many steps."""
    return harness.registry_of("zoo_toys", "zoo_steps")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the benchmark's steps wrote."""
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("ZOO_STEPS_LOG", str(path))
    return lambda: path.read_text().split()


def run(registry: Registry, store: Store, fault: str = "", **options: object) -> Result:
    """One model on one case, with a fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_STEPS_FAULT", fault)
        done = harness.run_all(
            registry, store, "toy/good", benchmarks=("steps",), systems=("steps-cu",), **options
        )
    return done["toy/good"]


def kept(store: Store) -> list[str]:
    """Checkpoints in the store."""
    return sorted(path.name for path in store.directory.glob("*.work/*") if path.name != TASK_FILE)


def test_task_whose_worker_was_killed_goes_on_where_it_was(
    steps: Registry, store: Store, log: Callable[[], list[str]]
) -> None:
    failed = run(steps, store, "killed 3")
    assert failed.status == "failed"
    assert failed.message.startswith("the worker was killed by SIGKILL")
    assert kept(store) == ["steps.npz"]

    failed = run(steps, store, "killed 5")
    assert failed.status == "failed"

    found = run(steps, store)
    assert log() == ["0", "1", "2", "killed", "3", "4", "killed", "5", "6", "7"]
    assert found.n_evaluations == 3
    assert kept(store) == []
    assert not list(store.directory.glob("*.work"))

    whole = run(steps, store, fresh=True)
    assert whole.n_evaluations == N_STEPS
    assert (found.values, found.absent) == (whole.values, whole.absent)
    assert unpack(found.arrays["energies"]).tobytes() == unpack(whole.arrays["energies"]).tobytes()


def test_task_that_ran_out_of_time_goes_on_with_more(
    steps: Registry, store: Store, log: Callable[[], list[str]]
) -> None:
    while "hang" not in log():  # a busy machine needs more than one limit to start a worker
        failed = run(steps, store, "hang 4", timeout_s=5.0)
    assert failed.message.startswith("no answer within the time limit of 5 s")
    assert kept(store) == ["steps.npz"]
    assert run(steps, store).status == "ok"
    assert log() == ["0", "1", "2", "3", "hang", "4", "5", "6", "7"]
    assert kept(store) == []


def test_task_that_ended_by_itself_starts_anew(
    steps: Registry, store: Store, log: Callable[[], list[str]]
) -> None:
    failed = run(steps, store, "raises 3")
    assert failed.message.startswith("ValueError: the benchmark gives up")
    assert not list(store.directory.glob("*.work"))
    assert run(steps, store).n_evaluations == N_STEPS
    assert log() == ["0", "1", "2", "raises", *ALL]


def test_fresh_starts_anew(steps: Registry, store: Store, log: Callable[[], list[str]]) -> None:
    run(steps, store, "killed 3")
    assert kept(store) == ["steps.npz"]
    assert run(steps, store, fresh=True).n_evaluations == N_STEPS
    assert log() == ["0", "1", "2", "killed", *ALL]


def test_damaged_checkpoint_costs_what_it_held_and_no_more(
    steps: Registry, store: Store, log: Callable[[], list[str]]
) -> None:
    run(steps, store, "killed 3")
    (path,) = store.directory.glob("*.work/steps.npz")
    path.write_bytes(path.read_bytes()[:-40])
    assert run(steps, store).status == "ok"
    assert log() == ["0", "1", "2", "killed", *ALL]


def test_another_seed_is_another_task(steps: Registry, store: Store, log: Callable[[], list[str]]) -> None:
    run(steps, store, "killed 3")
    run(steps, store, seed=1)
    assert log() == ["0", "1", "2", "killed", *ALL]
    assert kept(store) == ["steps.npz"]


def test_without_isolation_it_goes_on_just_so(
    steps: Registry, store: Store, log: Callable[[], list[str]]
) -> None:
    run(steps, store, "killed 3")
    assert run(steps, store, isolate="never").n_evaluations == N_STEPS - 3
    assert log() == ["0", "1", "2", "killed", *ALL[3:]]
    assert kept(store) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_whole_command_goes_on_after_ctrl_c_and_after_a_power_cut(
    end: signal.Signals, tmp_path: Path
) -> None:
    home, note = tmp_path / "home", tmp_path / "log"
    info = tmp_path / "site" / "zoo_steps-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-steps\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlpzoo]\nsteps = zoo_steps\n")
    known = harness.environment(home)["PYTHONPATH"]
    variables = {
        "PYTHONPATH": os.pathsep.join([str(info.parent), known]),
        "ZOO_STEPS_LOG": str(note),
    }
    command = ("compare", "-m", "toy/good", "-b", "steps", "-s", "steps-cu", "-f", "csv")
    with harness.started(*command, home=home, **variables, ZOO_STEPS_FAULT="hang 4") as process:
        harness.wait_until(lambda: note.exists() and "hang" in note.read_text(), "step 4 hangs")
        (worker,) = harness.children_of(process.pid)
        process.send_signal(end)
        process.communicate(timeout=harness.PATIENCE_S)
        assert process.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL)
        harness.wait_until(lambda: not harness.is_running(worker), "the worker is gone", patience_s=20.0)
    assert not list((home / "results").glob("*.json"))

    again = harness.mlpzoo(*command, home=home, **variables)
    assert again.returncode == 0, again.stderr
    assert note.read_text().split() == ["0", "1", "2", "3", "hang", "4", "5", "6", "7"]
    (path,) = (home / "results").glob("*.json")
    assert decode(path.read_bytes()).n_evaluations == 4
    assert not list((home / "results").glob("*.work"))
