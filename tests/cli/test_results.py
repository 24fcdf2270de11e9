"""``mlpzoo results``: what is stored, what of it is stale, what is deleted and what never."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlpzoo import locks
from mlpzoo.benchmark import RunSettings
from mlpzoo.planning import plan
from mlpzoo.registry import default_registry
from mlpzoo.results import Result, encode
from mlpzoo.store import Store
from mlpzoo.tasks import Request, Task, result_of

Zoo = Callable[..., object]


@pytest.fixture
def task(zoo: Zoo) -> Task:
    """That of EMT copper's bulk properties."""
    request = Request(
        models=("emt",), benchmarks=("bulk",), systems=("cu",), settings=RunSettings(profile="smoke", seed=3)
    )
    return plan(request, default_registry(), Store()).tasks[0]


def put(task: Task, key: str = "", **changes: object) -> Path:
    """Store a result of a task, under its key or another one."""
    result: Result = replace(result_of(task, "ok", ""), values={"c11": 1.0}, **changes)
    return Store().put(task.store_name, key or task.key, result)


def begin(task: Task, key: str = "") -> Path:
    """Leave checkpoints of a task."""
    store = Store()
    store.begin_work(task.store_name, key or task.key, result_of(task, "failed", "not finished"))
    directory = store.work(task.store_name, key or task.key)
    (directory / "md.npz").write_bytes(bytes(2_500_000))
    return directory


def states(zoo: Zoo) -> dict[str, str]:
    """State of each entry, by kind."""
    return {row["kind"]: row["state"] for row in json.loads(zoo("results", "list", "--json").out)}


def test_what_is_current_and_what_is_stale(zoo: Zoo, task: Task) -> None:
    put(task)
    begin(task)
    assert states(zoo) == {"ok": "", "unfinished": "not finished: the same command goes on"}
    assert zoo("results", "prune").out == "nothing to remove\n"
    put(task, "0" * 64)
    put(task, "1" * 64, version=0)
    put(task, "2" * 64, benchmark="gone")
    put(task, "3" * 64, model="emt/gone")
    listed = zoo("results", "list", "--stale").out
    for reason in ("were changed since", "version 0 of the benchmark; it is 1 now", "gone", "emt/gone"):
        assert reason in " ".join(listed.split())
    assert "4 entries" in listed


def test_prune_deletes_what_is_stale_and_nothing_else(zoo: Zoo, task: Task) -> None:
    good, bad = put(task), put(task, "0" * 64)
    kept, stale = begin(task), begin(task, "0" * 64)
    damaged = bad.with_suffix(".damaged")
    damaged.write_bytes(b"{")
    tried = zoo("results", "prune", "--dry-run")
    assert tried.out.count("would remove") == 3
    assert "would free: 3 entries, 2.50 MB" in tried.out
    assert all(path.exists() for path in (good, bad, kept, stale, damaged))
    done = zoo("results", "prune")
    assert done.out == tried.out.replace("would remove", "removed").replace("would free", "freed")
    assert (good.exists(), kept.exists()) == (True, True)
    assert not any(path.exists() for path in (bad, stale, damaged))
    assert not list(good.parent.glob("*.lock"))


def test_checkpoints_and_all_go_when_they_are_named(zoo: Zoo, task: Task) -> None:
    good, kept = put(task), begin(task)
    assert "removed" in zoo("results", "prune", "--unfinished").out
    assert (good.exists(), kept.exists()) == (True, False)
    zoo("results", "prune", "--all")
    assert not good.exists()


def test_age_spares_what_is_new(zoo: Zoo, task: Task) -> None:
    old, new = put(task, "0" * 64), put(task, "1" * 64)
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    zoo("results", "prune", "--older-than", "2")
    assert (old.exists(), new.exists()) == (False, True)
    assert zoo("results", "prune", "--older-than", "-1").code == 2


def test_what_a_process_is_computing_stays(zoo: Zoo, task: Task) -> None:
    stale = begin(task, "0" * 64)
    with locks.alone(stale.with_suffix(".lock"), give_up=lambda: True):
        assert f"in use: {stale.name}" in zoo("results", "prune", "--all").out
    assert (stale / "md.npz").exists()
    zoo("results", "prune")
    assert not stale.exists()


def test_checkpoints_that_say_not_what_they_are_of_are_stale(zoo: Zoo, task: Task) -> None:
    directory = begin(task)
    (directory / "task.json").unlink()
    assert states(zoo) == {"unfinished": "stale: cannot be read"}
    (directory / "task.json").write_bytes(encode(result_of(task, "failed", "")))
    assert states(zoo) == {"unfinished": "not finished: the same command goes on"}


def test_reference_rows_are_known_too(cached: Callable[..., object], zoo: Zoo) -> None:
    del cached
    rows = json.loads(zoo("results", "list", "--json").out)
    assert len(rows) > 4
    assert {row["state"] for row in rows} == {""}
