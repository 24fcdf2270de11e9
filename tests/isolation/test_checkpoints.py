"""A task that was ended from outside goes on from its checkpoint; its directory goes when it is not needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zoo_harness as harness

from mlpzoo.registry import Registry
from mlpzoo.results import Result, decode, unpack
from mlpzoo.store import Store

WALK = {"benchmarks": ("toy-walk",), "systems": ("walk",)}
Walk = Callable[..., Result]


@pytest.fixture(scope="module")
def walkers() -> Registry:
    """Built-ins, the toy models and the benchmark with a checkpoint."""
    return harness.registry_of("zoo_toys", "zoo_walk")


@pytest.fixture
def walk(
    walkers: Registry, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """``walk("killed")``: a run of the benchmark that ends so at its fourth step; ``walk()``: to its end."""
    monkeypatch.setenv("ZOO_WALK_LOG", str(tmp_path / "log"))

    def run(end: str = "", *, where: Store = store, **options: object) -> Result:
        monkeypatch.setenv("ZOO_WALK_END", end)
        return harness.run_all(walkers, where, "toy/good", **WALK, **options)["toy/good"]

    return run


def steps(tmp_path: Path) -> list[int]:
    """Steps that were made, in turn."""
    return [int(line) for line in (tmp_path / "log").read_text().split()]


def kept(store: Store) -> list[str]:
    """Checkpoints in the store."""
    return sorted(path.name for path in store.directory.glob("*.work/*"))


def same(one: Result, other: Result) -> bool:
    """The same numbers, to the last bit."""
    a, b = (unpack(result.arrays["energies"]).tobytes() for result in (one, other))
    return a == b and one.values == other.values and one.absent == other.absent


def test_a_killed_workers_task_goes_on_from_its_checkpoint(walk: Walk, store: Store, tmp_path: Path) -> None:
    killed = walk("killed")
    assert killed.status == "failed"
    assert killed.message.startswith("the worker was killed by SIGKILL")
    assert kept(store) == ["walk.npz"]
    assert steps(tmp_path) == [0, 1, 2, 3]

    resumed = walk()
    assert resumed.status == "ok"
    assert steps(tmp_path) == [0, 1, 2, 3, 3, 4, 5]
    assert resumed.n_evaluations == 3
    assert list(store.directory.glob("*.work")) == []

    straight = walk(where=Store(tmp_path / "other"))
    assert straight.n_evaluations == 6
    assert same(resumed, straight)


def test_it_may_be_killed_again_and_again(walk: Walk, tmp_path: Path) -> None:
    for _ in range(3):
        assert walk("killed").status == "failed"
    assert walk().status == "ok"
    assert steps(tmp_path) == [0, 1, 2, 3, 3, 3, 3, 4, 5]


def test_fresh_starts_anew(walk: Walk, store: Store, tmp_path: Path) -> None:
    walk("killed")
    assert walk(fresh=True).n_evaluations == 6
    assert steps(tmp_path) == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert kept(store) == []


def test_a_time_limit_keeps_the_checkpoint(walk: Walk, store: Store, tmp_path: Path) -> None:
    late = walk("hangs", timeout_s=8.0)
    assert "no answer within the time limit" in late.message
    assert kept(store) == ["walk.npz"]
    assert walk().n_evaluations == 3
    assert steps(tmp_path) == [0, 1, 2, 3, 3, 4, 5]


def test_a_failure_of_its_own_starts_anew(walk: Walk, store: Store, tmp_path: Path) -> None:
    failed = walk("raises")
    assert failed.message.startswith("ValueError: it cannot go on")
    assert list(store.directory.glob("*.work")) == []
    assert walk().n_evaluations == 6
    assert steps(tmp_path) == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]


def test_a_damaged_checkpoint_starts_anew(walk: Walk, store: Store, tmp_path: Path) -> None:
    walk("killed")
    (path,) = store.directory.glob("*.work/*")
    path.write_bytes(path.read_bytes()[:100])
    assert walk().n_evaluations == 6
    assert steps(tmp_path)[4:] == [0, 1, 2, 3, 4, 5]


def test_other_settings_do_not_share_a_checkpoint(walk: Walk, tmp_path: Path) -> None:
    walk("killed")
    assert walk(seed=1).n_evaluations == 6
    assert walk().n_evaluations == 3


def test_without_isolation_there_is_a_checkpoint_too(walk: Walk, store: Store, tmp_path: Path) -> None:
    walk("killed")
    assert walk(isolate="never").n_evaluations == 3
    assert kept(store) == []


def test_a_power_cut_of_all_processes_keeps_the_checkpoint(
    walk: Walk, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import zoo_harness as h; from mlpzoo.store import Store; "
        "h.run_all(h.registry_of('zoo_toys', 'zoo_walk'), Store(), 'toy/good', "
        "benchmarks=('toy-walk',), systems=('walk',))"
    )
    log = tmp_path / "log"
    environ = harness.environment(
        Path(os.environ["MLPZOO_HOME"]), ZOO_WALK_LOG=str(log), ZOO_WALK_END="hangs"
    )
    with subprocess.Popen([sys.executable, "-c", program], env=environ) as process:
        harness.wait_until(lambda: log.exists() and "3" in log.read_text(), "the fourth step")
        (worker,) = harness.children_of(process.pid)
        process.kill()
        process.wait(harness.PATIENCE_S)
    harness.wait_until(lambda: not harness.is_running(worker), "the worker is gone", patience_s=20.0)
    assert list(store.directory.glob("*.json")) == []
    assert kept(store) == ["walk.npz"]
    assert walk().n_evaluations == 3


def test_why_a_quantity_is_absent_comes_from_the_worker_to_the_store(
    walk: Walk, walkers: Registry, store: Store
) -> None:
    assert walk().absent == {"melting": "melted"}
    (path,) = store.directory.glob("*.json")
    assert decode(path.read_bytes()).absent == {"melting": "melted"}
    (task,) = harness.planned(walkers, store, "toy/good", **WALK).tasks
    assert (task.state, task.result.absent) == ("cached", {"melting": "melted"})
    assert json.loads(path.read_text())["cpu_time_s"] > 0
