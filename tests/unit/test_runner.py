"""Running a plan: events, stored results, executors, and what happens when it is stopped."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zoo_harness as harness

import mlpzoo
from mlpzoo import wire, workers
from mlpzoo.errors import EnvError, UsageError, WorkerError
from mlpzoo.groups import Event
from mlpzoo.registry import Registry, default_registry
from mlpzoo.runner import run
from mlpzoo.store import Store


@pytest.fixture(scope="module")
def toys() -> Registry:
    """Built-ins and the fixture plugin."""
    return harness.registry_of("zoo_toys")


@pytest.fixture
def store(home: Path) -> Store:
    """An empty store."""
    del home
    return Store()


def report(**changes: Any) -> wire.Report:
    """What a worker sends back when all went well."""
    return wire.Report(**{"status": "ok", "values": {"energy": 1.0}, "n_evaluations": 2, **changes})


class FakeWorker:
    """A worker without a process: answers each task from ``answers`` by model name.

    Attributes:
        made: All of them, in the order of their start.
    """

    made: list[FakeWorker]
    answers: dict[str, Any]

    def __init__(self, launch: workers.Launch, name: str) -> None:
        self.launch, self.name = launch, name
        self.asked: list[str] = []
        self.killed, self.closed = threading.Event(), threading.Event()
        FakeWorker.made.append(self)

    @property
    def alive(self) -> bool:
        return not self.killed.is_set()

    def ask(
        self, request: wire.RunTask, *, timeout_s: float | None, on_message: Callable[[Any], None]
    ) -> wire.Report:
        title = request.model.name if request.model else request.floor
        self.asked.append(f"{title} {request.case.name}")
        on_message(wire.Progress(done=1, total=4, what="cells"))
        answer = FakeWorker.answers.get(title, report())
        if answer == "wait":
            if self.killed.wait(timeout_s):
                raise WorkerError("the worker was killed by SIGKILL")
            self.killed.set()
            raise WorkerError(f"no answer within {timeout_s:g} s", hint="more", stderr_tail="last words")
        if isinstance(answer, Exception):
            self.killed.set()
            raise answer
        found: wire.Report = answer
        return found

    def stderr_tail(self) -> str:
        return "a warning of the framework"

    def kill(self) -> None:
        self.killed.set()

    def close(self) -> None:
        self.closed.set()
        self.killed.set()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeWorker]:
    """Workers are fakes that answer at once."""
    FakeWorker.made, FakeWorker.answers = [], {}
    monkeypatch.setattr(workers, "Worker", FakeWorker)
    return FakeWorker


def events_of(registry: Registry, store: Store, models: str, **options: Any) -> list[Event]:
    """All events of a run."""
    executor = options.pop("executor", None)
    work = harness.planned(registry, store, models, **options)
    return list(run(work, registry=registry, store=store, executor=executor))


def done(events: list[Event]) -> dict[str, Any]:
    """Label of each finished task to its result."""
    return {e.task.label: e.result for e in events if e.kind == "done" and e.task}


# -- events and results ------------------------------------------------------------------------------


@pytest.mark.usefixtures("fake")
def test_events_of_a_task_come_in_order(toys: Registry, store: Store) -> None:
    events = events_of(toys, store, "toy/good")
    assert [(e.kind, e.text, e.done, e.total) for e in events] == [
        ("starting", "starting the worker", 0, 0),
        ("progress", "loading", 0, 0),
        ("progress", "cells", 1, 4),
        ("done", "", 0, 0),
    ]
    assert {e.family for e in events} == {"toy"}
    assert events[-1].result is not None
    assert events[-1].result.values == {"energy": 1.0}


def test_tasks_of_a_family_share_a_worker_and_families_do_not(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    events_of(toys, store, "toy/good,emt,toy/chatty", systems=("toy-cu", "toy-al"))
    assert {w.name: w.asked for w in fake.made} == {
        "toy": [f"toy/{m} toy-{c}" for c in ("cu", "al") for m in ("good", "chatty")],
        "emt": ["emt/emt toy-cu", "emt/emt toy-al"],
    }
    assert all(w.closed.is_set() for w in fake.made)


def test_new_worker_is_started_after_one_died_and_only_then(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    fake.answers["toy/exit"] = WorkerError("the worker ended by itself with exit code 3")
    events = events_of(toys, store, "toy/good,toy/exit,toy/chatty,toy/nan")
    assert [w.asked for w in fake.made] == [
        ["toy/good toy-cu", "toy/exit toy-cu"],
        ["toy/chatty toy-cu", "toy/nan toy-cu"],
    ]
    assert [r.status for r in done(events).values()] == ["ok", "failed", "ok", "ok"]


def test_result_is_in_the_store_when_its_event_comes(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    del fake
    work = harness.planned(toys, store, "toy/good,toy/chatty")
    for event in run(work, registry=toys, store=store):
        if event.kind == "done":
            assert event.task is not None
            assert store.get(event.task.store_name, event.task.key) == event.result


def test_worker_error_becomes_a_failed_result_with_the_last_words(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    fake.answers["toy/hang"] = "wait"
    (result,) = done(events_of(toys, store, "toy/hang", timeout_s=0.2)).values()
    assert result.status == "failed"
    assert result.message == "no answer within 0.2 s\nlast lines of stderr:\nlast words"
    assert result.wall_time_s >= 0.2
    assert result.values == {}


def test_failed_report_gets_the_last_words_too_and_a_good_one_does_not(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    fake.answers["toy/nan"] = report(status="failed", values={}, message="not a number")
    results = done(events_of(toys, store, "toy/nan,toy/good"))
    messages = [r.message for r in results.values()]
    assert messages == ["not a number\nlast lines of stderr:\na warning of the framework", ""]


def test_environment_that_cannot_be_made_fails_each_task_of_its_family_and_is_tried_once(
    toys: Registry, store: Store, fake: type[FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpzoo import api

    tries = []

    def launch_for(registry: Registry, family: str, **options: Any) -> workers.Launch:
        if family == "toy":
            tries.append(family)
            raise EnvError("no network", hint="check the index")
        return real(registry, family, **options)

    real = api.launch_for
    monkeypatch.setattr(api, "launch_for", launch_for)
    results = done(events_of(toys, store, "toy/good,toy/chatty,emt"))
    assert [(r.model, r.status, r.message) for r in results.values()] == [
        ("toy/good", "failed", "no network\nhint: check the index"),
        ("toy/chatty", "failed", "no network\nhint: check the index"),
        ("emt/emt", "ok", ""),
    ]
    assert tries == ["toy"]
    assert len(fake.made) == 1


def test_failed_tasks_are_run_again_and_finished_ones_are_not(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    fake.answers["toy/raises"] = report(status="failed", values={}, message="no")
    events_of(toys, store, "toy/good,toy/raises")
    fake.made.clear()
    fake.answers.clear()
    results = done(events_of(toys, store, "toy/good,toy/raises"))
    assert [w.asked for w in fake.made] == [["toy/raises toy-cu"]]
    assert [(r.model, r.status) for r in results.values()] == [("toy/raises", "ok")]
    assert events_of(toys, store, "toy/good,toy/raises") == []


def test_unsupported_case_starts_nothing(toys: Registry, store: Store, fake: type[FakeWorker]) -> None:
    assert events_of(toys, store, "toy/good", systems=("toy-si",)) == []
    assert fake.made == []


def test_threads_are_the_cores_divided_by_the_jobs_at_work(
    toys: Registry, store: Store, fake: type[FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 12)
    events_of(toys, store, "toy/good,emt", jobs=3)  # two families: two at a time
    assert [w.launch.threads for w in fake.made] == [6, 6]
    fake.made.clear()
    events_of(toys, store, "toy/good", threads=5, memory_limit_gb=2.0, fresh=True)
    assert [(w.launch.threads, w.launch.memory_limit_bytes) for w in fake.made] == [(5, 2_000_000_000)]


# -- executors and stopping --------------------------------------------------------------------------


class CountingExecutor(ThreadPoolExecutor):
    """An executor of somebody else's."""

    submitted = 0

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        self.submitted += 1
        return super().submit(*arguments, **options)


@pytest.mark.usefixtures("fake")
def test_foreign_executor_takes_a_group_each_and_is_left_open(toys: Registry, store: Store) -> None:
    with CountingExecutor(1) as executor:
        results = done(events_of(toys, store, "toy/good,emt,toy/chatty", executor=executor))
        assert executor.submitted == 2
        assert executor.submit(lambda: "still open").result() == "still open"
    assert sorted(r.model for r in results.values()) == ["emt/emt", "toy/chatty", "toy/good"]


def stop_after(
    registry: Registry, store: Store, models: str, condition: Callable[[Event], bool], **options: Any
) -> float:
    """Close a run when an event fulfils a condition; seconds that closing took."""
    executor: Executor | None = options.pop("executor", None)
    work = harness.planned(registry, store, models, **options)
    events = run(work, registry=registry, store=store, executor=executor)
    for event in events:
        if condition(event):
            break
    start = time.monotonic()
    events.close()
    return time.monotonic() - start


@pytest.fixture
def threads_before() -> Iterator[int]:
    """Number of threads; at the end of the test there are no more."""
    before = threading.active_count()
    yield before
    harness.wait_until(lambda: threading.active_count() <= before, "all threads have ended")


@pytest.mark.usefixtures("threads_before")
@pytest.mark.parametrize("foreign", [False, True])
def test_closing_early_kills_the_workers_keeps_what_is_finished_and_stores_no_failure(
    toys: Registry, store: Store, fake: type[FakeWorker], foreign: bool
) -> None:
    fake.answers["toy/hang"] = "wait"
    with ThreadPoolExecutor(1) if foreign else contextlib.nullcontext() as executor:
        seconds = stop_after(
            toys, store, "toy/good,toy/hang,toy/chatty", executor=executor, timeout_s=60.0,
            condition=lambda e: e.task is not None and e.task.title == "toy/hang" and e.done == 1,
        )  # fmt: skip
    assert seconds < 30.0
    (worker,) = fake.made
    assert worker.killed.is_set()
    assert worker.asked == ["toy/good toy-cu", "toy/hang toy-cu"]
    names = [path.name for path in store.directory.iterdir()]
    assert len(names) == 1
    assert "toy_good" in names[0]


@pytest.mark.usefixtures("threads_before")
def test_closing_while_an_environment_is_made_starts_no_worker_afterwards(
    toys: Registry, store: Store, fake: type[FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the minutes that an environment takes: nobody is left who could end the worker."""
    from mlpzoo import api

    real = api.launch_for

    def slow(registry: Registry, family: str, *, progress: Callable[[str], None], **options: Any) -> Any:
        progress("installing")
        time.sleep(0.5)
        return real(registry, family, progress=progress, **options)

    monkeypatch.setattr(api, "launch_for", slow)
    fake.answers["toy/hang"] = "wait"
    seconds = stop_after(toys, store, "toy/hang", lambda e: e.kind == "environment", timeout_s=10.0)
    assert seconds < 8.0, "closing waited for the task to run into its time limit"
    assert all(not worker.asked for worker in fake.made)


@pytest.mark.usefixtures("threads_before")
def test_real_worker_is_gone_when_closing_returns(toys: Registry, store: Store) -> None:
    seen: list[int] = []

    def hangs(event: Event) -> bool:
        if event.text == "cells":
            seen.extend(w.pid for w in workers.Worker._living)
        return bool(seen)

    seconds = stop_after(toys, store, "toy/hang", hangs, timeout_s=harness.PATIENCE_S)
    assert seconds < 30.0
    assert seen
    assert not any(harness.group_of(pid) for pid in seen)


def test_defect_of_ours_in_a_group_is_not_swallowed(
    toys: Registry, store: Store, fake: type[FakeWorker]
) -> None:
    fake.answers["toy/good"] = ZeroDivisionError("a defect of ours")
    with pytest.raises(ZeroDivisionError):
        events_of(toys, store, "toy/good")


# -- in this process ---------------------------------------------------------------------------------

PLUGIN = """
import numpy as np
from mlpzoo import BenchmarkSpec, Case, ModelCard, Outcome, Quantity, hookimpl

def run(calculator, case, settings, job):
    {run}

@hookimpl
def mlpzoo_register_benchmarks():
    return [BenchmarkSpec(name="odd", version=1, title="Odd", run=run,
                          quantities=(Quantity(name="e", unit="eV", title="E"),),
                          cases=lambda _: [Case(name="odd-cu", system="odd", elements=("Cu",))])]
"""


@pytest.fixture
def odd(store: Store) -> Callable[[str], Any]:
    """``odd(body)``: the result of EMT on a benchmark whose run function has this body."""

    def result(body: str) -> Any:
        module = ModuleType("odd_plugin")
        exec(PLUGIN.format(run=body), module.__dict__)
        return harness.run_all(
            harness.registry_of(module), store, "emt", benchmarks=("odd",), systems=("odd",), isolate="never",
            fresh=True,
        )["emt/emt"]  # fmt: skip

    return result


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return Outcome(values={'e': float('nan')})", "non-finite values: e"),
        ("return Outcome(values={'e': 1.0}, interval={'e': (float('nan'), 1.0)})", "non-finite"),
        ("return Outcome(values={'e': 1.0, 'other': 2.0})", "undeclared quantities: other"),
        ("return Outcome(values={})", "no values"),
        ("return None", "AttributeError"),
        ("return Outcome(values={'e': 'one'})", "ValueError"),
        ("return Outcome(values={'e': 1.0}, arrays={'a': np.array([object()])})", "TypeError"),
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("raise MemoryError", "out of memory"),
    ],
)
def test_benchmark_that_returns_what_it_must_not_makes_a_failed_result(
    odd: Callable[[str], Any], body: str, reason: str
) -> None:
    result = odd(body)
    assert result.status == "failed"
    assert reason in result.message
    assert result.values == {}
    assert result.interval == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "from ase.calculators.calculator import PropertyNotImplementedError as E; raise E('magmoms')",
            "does not compute what the benchmark needs: magmoms",
        ),
        (
            "from ase.build import bulk; return calculator.get_property('energy', bulk('Si'))",
            "emt/emt does not know Si",
        ),
    ],
)
def test_what_a_model_cannot_do_is_unsupported_and_not_failed(
    odd: Callable[[str], Any], body: str, reason: str
) -> None:
    result = odd(body)
    assert result.status == "unsupported"
    assert result.message.startswith(reason)


def test_seed_is_set_before_each_task(odd: Callable[[str], Any]) -> None:
    first = odd("return Outcome(values={'e': float(np.random.random())})")
    second = odd("return Outcome(values={'e': float(np.random.random())})")
    assert first.values == second.values


def test_counts_and_arrays_are_kept(odd: Callable[[str], Any]) -> None:
    body = (
        "from ase.build import bulk; calculator.get_property('energy', bulk('Cu')); "
        "return Outcome(values={'e': 1}, arrays={'a': np.arange(6).reshape(2, 3)}, message='a remark')"
    )
    result = odd(body)
    assert result.n_evaluations == 1
    assert result.message == "a remark"
    assert result.arrays["a"].shape == (2, 3)
    assert result.provenance.python
    assert result.provenance.date.endswith("Z")


# -- mlpzoo.compare ----------------------------------------------------------------------------------


@pytest.fixture
def _installed(home: Path) -> Iterator[None]:
    """The registry of installed plugins, built anew."""
    del home
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


@pytest.mark.usefixtures("_installed", "fake")
def test_compare_from_python_takes_strings_and_gives_tables() -> None:
    found = mlpzoo.compare("toy/good, emt", benchmarks="toy-cells", systems="toy-cu,toy-al", profile="smoke")
    assert [t.case.name for t in found.tables] == ["toy-cu", "toy-al"]
    assert [r.model for r in found.tables[0].rows] == ["toy/good", "emt/emt"]
    assert found.tables[0].settings.profile == "smoke"
    assert "| toy/good | **1.000** |" in str(found)


@pytest.mark.usefixtures("_installed", "fake")
def test_compare_from_python_uses_stored_results(fake: type[FakeWorker]) -> None:
    first = mlpzoo.compare(["toy/good"], benchmarks="toy-cells", systems="toy-cu")
    fake.made.clear()
    again = mlpzoo.compare(["toy/good"], benchmarks="toy-cells", systems="toy-cu")
    assert fake.made == []
    assert again.tables[0].rows == first.tables[0].rows


@pytest.mark.usefixtures("_installed")
def test_compare_from_python_refuses_options_that_do_not_exist() -> None:
    with pytest.raises(UsageError, match="modles"):
        mlpzoo.compare("emt", modles="x")


@pytest.mark.usefixtures("_installed")
def test_results_of_both_kinds_of_isolation_are_the_same(toys: Registry, store: Store) -> None:
    there = harness.run_all(toys, store, "toy/good")["toy/good"]
    here = harness.run_all(toys, store, "toy/good", isolate="never", fresh=True)["toy/good"]
    assert here.values == pytest.approx(there.values, abs=1e-10)
    assert replace(here.provenance, date="", threads=0) == replace(there.provenance, date="", threads=0)
