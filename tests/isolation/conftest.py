"""One run of every fault, shared by the tests of isolation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zoo_harness as harness

from mlpzoo.registry import Registry
from mlpzoo.store import Store

QUICK_FAULTS = (
    "good",
    "exit",
    "segfault",
    "killed",
    "memory",
    "greedy",
    "nan",
    "inf-energy",
    "raises",
    "sys-exit",
    "chatty",
    "no-load",
)


@dataclass(frozen=True)
class FaultRun:
    """``mlpzoo compare`` of a model of each fault."""

    rows: dict[str, dict[str, Any]]
    order: list[str]
    returncode: int
    stderr: str


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> FaultRun:
    """Every fault that shows at once, in one run with a memory limit of 1.5 GB."""
    models = ",".join(f"toy/{name}" for name in QUICK_FAULTS)
    done = harness.mlpzoo(
        "compare", "-m", models, "-b", "toy-cells", "-s", "toy-cu", "-f", "json", "--memory-limit", "1.5",
        home=tmp_path_factory.mktemp("faults"),
    )  # fmt: skip
    rows = json.loads(done.stdout)["tables"][0]["rows"]
    return FaultRun(
        rows={row["model"].removeprefix("toy/"): row for row in rows},
        order=[row["model"] for row in rows],
        returncode=done.returncode,
        stderr=done.stderr,
    )


@pytest.fixture(scope="session")
def toys() -> Registry:
    """Built-ins and the fixture plugin."""
    return harness.registry_of("zoo_toys")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store below a home of its own."""
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    return Store()
