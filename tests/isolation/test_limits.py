"""Limits of time and memory turn a greedy model into a failed row."""

from __future__ import annotations

from pathlib import Path

import pytest
import zoo_harness as harness

from mlpzoo.registry import Registry
from mlpzoo.store import Store

TIME_LIMIT_S = 15.0
"""Enough for a framework to be imported on a busy machine."""


@pytest.fixture
def out_of_time(
    toys: Registry, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict, int]:
    """Results of a model that hangs beside one that does not, and the process that the first started."""
    note = tmp_path / "child.pid"
    monkeypatch.setenv("ZOO_TOYS_CHILD", str(note))
    results = harness.run_all(toys, store, "toy/child,toy/good", timeout_s=TIME_LIMIT_S)
    return results, int(note.read_text())


def test_time_limit_ends_the_worker_and_what_it_started_and_the_next_model_runs(
    out_of_time: tuple[dict, int],
) -> None:
    results, child = out_of_time
    failed = results["toy/child"]
    assert failed.status == "failed"
    assert failed.message.startswith("no answer within the time limit of 15 s; the worker was stopped")
    assert failed.wall_time_s >= TIME_LIMIT_S
    assert not harness.is_running(child)
    assert results["toy/good"].status == "ok"


def test_memory_limit_makes_a_failed_row_of_a_greedy_model(toys: Registry, store: Store) -> None:
    results = harness.run_all(toys, store, "toy/greedy,toy/good", memory_limit_gb=1.5, threads=1)
    assert results["toy/greedy"].status == "failed"
    assert results["toy/greedy"].message.startswith("out of memory: Unable to allocate 2.79 GiB")
    assert results["toy/good"].status == "ok", results["toy/good"].message
