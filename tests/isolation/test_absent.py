"""A quantity that has no number, and why: from the benchmark into the store and back."""

from __future__ import annotations

import json

import msgspec
import pytest
import zoo_harness as harness

from mlpzoo.registry import Registry
from mlpzoo.results import Result, decode, encode
from mlpzoo.store import Store

NEW_FIELDS = ("absent", "cpu_time_s", "calculator_time_s")


@pytest.fixture(scope="module")
def steps() -> Registry:
    """Built-ins, toy models, and a benchmark whose cases return all sorts of outcomes."""
    return harness.registry_of("zoo_toys", "zoo_steps")


def result(registry: Registry, store: Store, case: str) -> Result:
    """What the toy model gives, run in a worker."""
    done = harness.run_all(registry, store, "toy/good", benchmarks=("steps",), systems=(case,))
    return done["toy/good"]


def test_reason_is_stored_and_found_again(steps: Registry, store: Store) -> None:
    found = result(steps, store, "steps-cu")
    assert found.status == "ok"
    assert found.values.keys() == {"mean_energy"}
    assert found.absent == {"gap": "a metal"}
    (task,) = harness.planned(steps, store, "toy/good", benchmarks=("steps",), systems=("steps-cu",)).tasks
    assert task.state == "cached"
    assert task.result == found
    assert found.cpu_time_s > 0
    assert 0 < found.calculator_time_s < found.wall_time_s


def test_all_quantities_may_be_absent(steps: Registry, store: Store) -> None:
    found = result(steps, store, "steps-absent")
    assert (found.status, found.values) == ("ok", {})
    assert found.absent == {"gap": "a metal", "mean_energy": "melted"}


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("steps-both", "the benchmark returned quantities that it also calls absent: mean_energy"),
        ("steps-undeclared", "the benchmark returned undeclared quantities: bandwidth"),
    ],
)
def test_contradiction_is_a_failure(steps: Registry, store: Store, case: str, reason: str) -> None:
    found = result(steps, store, case)
    assert (found.status, found.message.splitlines()[0]) == ("failed", reason)
    assert (found.values, found.absent, found.arrays) == ({}, {}, {})


def test_result_stored_before_there_was_a_word_for_it_is_still_read(steps: Registry, store: Store) -> None:
    found = result(steps, store, "steps-cu")
    old = {k: v for k, v in json.loads(encode(found)).items() if k not in NEW_FIELDS}
    for array in old["arrays"].values():
        del array["codec"]
    read = decode(json.dumps(old).encode())
    assert (read.absent, read.cpu_time_s, read.calculator_time_s) == ({}, 0.0, 0.0)
    assert read.values == found.values
    assert read.arrays == found.arrays


@pytest.mark.parametrize("wrong", [["melted"], {"gap": 3}, "melted"])
def test_what_is_no_reason_is_no_result(steps: Registry, store: Store, wrong: object) -> None:
    raw = json.loads(encode(result(steps, store, "steps-cu")))
    with pytest.raises(msgspec.ValidationError):
        decode(json.dumps(raw | {"absent": wrong}).encode())
