"""The core's own benchmarks keep the promises that a third party's have to keep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zoo_harness as harness

from mlpzoo.api import launch_for
from mlpzoo.testing import BENCHMARK_CHECKS, BenchmarkSubject, run_benchmark_checks
from mlpzoo.workers import Worker

REGISTRY = harness.registry_of()
MODELS = {"cu": "emt", "si": "tersoff/si"}
WITHOUT_CASES = {("path-forces", "cu"), ("re-forces", "cu")}
SLOW = {
    ("diffusion", "cu"),
    ("interstitial-migration", "cu"),
    ("stability", "cu"),
    ("vibrations", "cu"),
}  # EMT is; silicon's go the same way
PAIRS = [
    (benchmark, system)
    for benchmark in REGISTRY.benchmarks
    for system in MODELS
    if (benchmark, system) not in WITHOUT_CASES | SLOW
]


@pytest.fixture(scope="module")
def workers() -> Iterator[dict[str, Worker]]:
    """One process for each family."""
    families = {system: model.partition("/")[0] for system, model in MODELS.items()}
    started = {system: Worker(launch_for(REGISTRY, f), f) for system, f in families.items()}
    yield started
    for worker in started.values():
        worker.close()


@pytest.mark.parametrize(("benchmark_name", "system"), PAIRS)
def test_core_benchmark_keeps_every_promise(
    benchmark_name: str, system: str, workers: dict[str, Worker]
) -> None:
    subject = BenchmarkSubject(
        registry=REGISTRY,
        name=benchmark_name,
        models=(MODELS[system],),
        systems=(system,),
        cpu_limit_s=20.0,
        worker=workers[system],
    )
    found = {r.name: r for r in run_benchmark_checks(subject)}
    assert {n: r.message for n, r in found.items() if r.status == "failed"} == {}
    skipped = {name for name, result in found.items() if result.status == "skipped"}
    optional = {"floors": subject.picks[0].case.floors, "derive": subject.spec.derive}
    optional |= {"compare": subject.spec.compare}
    assert skipped == {name for name, given in optional.items() if not given}
    assert len(found) == len(BENCHMARK_CHECKS)


def test_every_benchmark_of_the_core_is_tested() -> None:
    assert {benchmark for benchmark, _ in PAIRS} == set(REGISTRY.benchmarks)
    assert {system for _, system in PAIRS} == set(MODELS)
