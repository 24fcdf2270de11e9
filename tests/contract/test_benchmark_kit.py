"""The kit of benchmarks finds what it must: each promise has a planted bug, an honest benchmark has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import planted_benchmarks as planted
import pytest
import zoo_harness as harness

from mlpzoo.api import launch_for
from mlpzoo.errors import UsageError
from mlpzoo.registry import Registry
from mlpzoo.testing import BENCHMARK_CHECKS, BenchmarkSubject, run_benchmark_checks
from mlpzoo.workers import Worker

MODULES = ("planted_benchmarks", "planted_import", "zoo_einstein")


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Built-ins and the plugins of this test."""
    return harness.registry_of(*MODULES)


@pytest.fixture(scope="module")
def workers(registry: Registry) -> Iterator[Callable[[], Worker]]:
    """The other process; a new one if a bug has ended it."""
    launch, started = launch_for(registry, "emt", more_modules=MODULES), []

    def living() -> Worker:
        if not started or not started[-1].alive:
            started.append(Worker(launch, "emt"))
        return started[-1]

    yield living
    for worker in started:
        worker.close()


@pytest.fixture
def subject(registry: Registry, workers: Callable[[], Worker]) -> BenchmarkSubject:
    """The honest benchmark."""
    return BenchmarkSubject(
        registry=registry, name=planted.HONEST.benchmark, cpu_limit_s=0.5, worker=workers()
    )


def outcome(subject: BenchmarkSubject, *names: str) -> dict[str, tuple[str, str]]:
    return {r.name: (r.status, r.message) for r in run_benchmark_checks(subject, names)}


def broken(subject: BenchmarkSubject) -> set[str]:
    return {name for name, (status, _) in outcome(subject).items() if status == "failed"}


@pytest.mark.parametrize("bug", planted.BUGS, ids=lambda bug: bug.name)
def test_planted_bug_breaks_its_promise_and_no_other(bug: planted.Bug, subject: BenchmarkSubject) -> None:
    assert broken(replace(subject, name=bug.benchmark)) == set(bug.fails)


def test_module_that_imports_a_framework_is_found(subject: BenchmarkSubject) -> None:
    painted = replace(subject, name="painted", models=("emt",))
    assert outcome(painted, "light-import") == {
        "light-import": ("failed", "importing planted_import, planted_benchmarks imports colorsys")
    }


def test_every_promise_has_a_bug_that_breaks_it_alone() -> None:
    alone = {bug.fails[0] for bug in planted.BUGS if len(bug.fails) == 1}
    assert alone == {check.name for check in BENCHMARK_CHECKS} - {"light-import"}


def test_an_honest_benchmark_keeps_every_promise(subject: BenchmarkSubject) -> None:
    assert set(outcome(subject).values()) == {("passed", "")}


def test_a_third_partys_benchmark_on_a_crystal_of_its_own(subject: BenchmarkSubject) -> None:
    einstein = replace(subject, name="einstein", systems=("ag",), cpu_limit_s=20.0)
    found = outcome(einstein)
    assert {n for n, (status, _) in found.items() if status != "passed"} == {"floors", "derive", "compare"}
    assert found["floors"] == ("skipped", "no case has such rows")
    (reference,) = einstein.picks[0].case.references
    assert (reference.quantity, reference.value) == ("einstein_frequency", 3.63)
    assert einstein.expected.outcome.absent == {"lindemann_temperature": "above melting"}
    # the model is soft by a tenth, which is how its phonons are
    assert einstein.expected.outcome.values["einstein_frequency"] == pytest.approx(3.36, abs=0.01)


def test_what_rests_on_a_broken_promise_is_not_judged(subject: BenchmarkSubject) -> None:
    found = outcome(replace(subject, name="planted-remembers"), "resumed", "repeatable")
    assert found["resumed"] == ("skipped", "see the check 'repeatable'")
    assert found["repeatable"][0] == "failed"
    assert "roughness_ratio" in found["repeatable"][1]


def test_wall_clock_times_need_not_repeat_themselves(registry: Registry, subject: BenchmarkSubject) -> None:
    speed = replace(subject, name="speed", models=("emt",), systems=("cu",))
    found = outcome(speed, "repeatable", "any-calculator", "other-process", "resumed")
    assert set(found.values()) == {("passed", "")}
    assert speed.again.outcome.values != speed.expected.outcome.values


def test_the_resumed_run_makes_only_the_calls_that_are_left(subject: BenchmarkSubject) -> None:
    assert subject.expected.n_evaluations == 6
    first, second = subject.resumed.stops
    assert subject.resumed.ran.n_evaluations == 6 - first - second
    assert subject.resumed.found


def test_a_model_can_be_named_and_must_know_a_case(subject: BenchmarkSubject) -> None:
    assert replace(subject, models=("lj/cu",)).picks[0].model.name == "lj/cu"
    status, message = outcome(replace(subject, models=("tersoff/si",)), "runs")["runs"]
    assert status == "failed"
    assert "name 'models'" in message


def test_unknown_names_are_refused(subject: BenchmarkSubject) -> None:
    with pytest.raises(UsageError, match="unknown check 'unit'"):
        run_benchmark_checks(subject, ["unit"])
    with pytest.raises(UsageError, match="unknown benchmark 'honest'"):
        _ = replace(subject, name="honest").spec
