"""Runs a plan: generators of events, no printing.

Tasks of one family share a worker, so that a framework is imported once.  Groups run on a
`concurrent.futures.Executor`: threads that drive worker processes by default, or an existing engine's.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlpzoo import wire
from mlpzoo.benchmark import RunSettings
from mlpzoo.errors import UsageError, WorkerError, ZooError
from mlpzoo.planning import Plan, Request, Task, names_in, plan, result_of
from mlpzoo.registry import Registry, default_registry
from mlpzoo.results import Result
from mlpzoo.store import Store

if TYPE_CHECKING:
    from mlpzoo.table import Comparison
    from mlpzoo.workers import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a display may want to show.

    Attributes:
        kind: ``environment`` (being made), ``starting`` (a worker), ``progress`` (inside a task) or ``done``.
        family: Which family's worker it is about; empty for reference rows.
        task: Which task, if it is about one.
        text: What is being done.
        done: How much of the task is done.
        total: Of how much.
        result: The result, for ``done``.
    """

    kind: str
    family: str = ""
    task: Task | None = None
    text: str = ""
    done: int = 0
    total: int = 0
    result: Result | None = None


Emit = Callable[[Event], None]


def run(
    work: Plan,
    *,
    registry: Registry | None = None,
    store: Store | None = None,
    executor: Executor | None = None,
) -> Generator[Event, None, None]:
    """Run what is not cached; yields events, each finished task's result among them, as they come.

    A task that fails yields a ``failed`` result; the others go on.  Closing the generator (or Ctrl-C) ends
    all workers.

    Args:
        work: From `mlpzoo.planning.plan`.
        registry: The one that it was planned with.
        store: Where results go.
        executor: Takes the groups of tasks; by default ``request.jobs`` threads.
    """
    registry = registry or default_registry()
    store = store or Store()
    groups = _groups([t for t in work.tasks if t.state == "run"])
    if not groups:
        return
    jobs = max(1, min(work.request.jobs, len(groups)))
    threads = work.request.threads or max(1, (os.cpu_count() or 1) // jobs)
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    stop = threading.Event()
    group_runs = [
        GroupRun(registry, store, work.request, group, threads, events.put, stop) for group in groups
    ]
    own = ThreadPoolExecutor(jobs, thread_name_prefix="mlpzoo") if executor is None else None
    pool = executor or own
    assert pool is not None  # noqa: S101
    futures: list[Future[None]] = []
    try:
        futures = [pool.submit(group_run) for group_run in group_runs]
        for future in futures:
            future.add_done_callback(lambda _: events.put(None))
        left = len(futures)
        while left:
            event = events.get()
            if event is None:
                left -= 1
            else:
                yield event
        for future in futures:
            future.result()
    finally:
        stop.set()
        for future in futures:
            future.cancel()
        for group_run in group_runs:
            group_run.kill()
        wait(futures)
        if own is not None:
            own.shutdown()


def _groups(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks that can share a worker, in the order of their first one."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        groups.setdefault((task.place, task.family), []).append(task)
    return list(groups.values())


class GroupRun:
    """The tasks of one family, one after the other, in one worker (a new one after each crash)."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        request: Request,
        tasks: list[Task],
        threads: int,
        emit: Emit,
        stop: threading.Event,
    ) -> None:
        self.registry = registry
        self.store = store
        self.request = request
        self.tasks = tasks
        self.threads = threads
        self.emit = emit
        self.stop = stop
        self.worker: Worker | None = None
        self.handing_over = threading.Lock()
        self.starts_refused = ""

    def __call__(self) -> None:
        """Run all tasks; each result is stored and emitted at once."""
        try:
            for task in self.tasks:
                if self.stop.is_set():
                    return
                self._finish(task, self._run_one(task))
        finally:
            if self.worker is not None:
                self.worker.close()

    def kill(self) -> None:
        """End the worker now."""
        with self.handing_over:
            if self.worker is not None:
                self.worker.kill()

    def _finish(self, task: Task, result: Result) -> None:
        if self.stop.is_set() and result.status == "failed":
            return
        self.store.put(task.store_name, task.key, result)
        self.emit(Event(kind="done", family=task.family, task=task, result=result))

    def _run_one(self, task: Task) -> Result:
        start = time.perf_counter()
        request = wire.RunTask(
            plugin_module=task.plugin_module,
            family=task.family,
            model=task.model,
            benchmark_module=task.benchmark_module,
            benchmark=task.benchmark.name,
            case=task.case,
            settings=task.settings,
            floor=task.floor,
        )
        try:
            report = self._report(task, request)
        except WorkerError as error:
            return _failed(task, _story(error.message, error.stderr_tail), time.perf_counter() - start)
        except ZooError as error:
            self.starts_refused = _with_hint(error)
            return _failed(task, self.starts_refused, time.perf_counter() - start)
        return _result(task, report, self.worker.stderr_tail() if self.worker else "")

    def _report(self, task: Task, request: wire.RunTask) -> wire.Report:
        if self.starts_refused:
            raise ZooError(self.starts_refused)

        def told(done: int, total: int, what: str) -> None:
            self.emit(
                Event(kind="progress", family=task.family, task=task, text=what, done=done, total=total)
            )

        if task.place == "this process":
            return _run_here(self.registry, request, told)
        if self.worker is None or not self.worker.alive:
            self._start(task)
        self.emit(Event(kind="progress", family=task.family, task=task, text="loading"))
        assert self.worker is not None  # noqa: S101  (started above)
        report: wire.Report = self.worker.ask(
            request,
            timeout_s=self.request.timeout_s,
            on_message=lambda m: told(m.done, m.total, m.what),
        )
        return report

    def _start(self, task: Task) -> None:
        from mlpzoo.api import launch_for
        from mlpzoo.workers import Worker

        def told(text: str) -> None:
            self.emit(Event(kind="environment", family=task.family, text=text))

        launch = launch_for(
            self.registry,
            task.family,
            progress=told,
            more_modules=tuple({t.benchmark_module for t in self.tasks}),
            prefer_here=task.place == "this Python",
            threads=self.threads,
            memory_limit_bytes=int(self.request.memory_limit_gb * 1e9),
        )
        self.emit(Event(kind="starting", family=task.family, text="starting the worker"))
        with self.handing_over:
            if self.stop.is_set():
                raise ZooError("stopped before its worker was started")
            self.worker = Worker(launch, task.family or "reference")


def _run_here(
    registry: Registry, request: wire.RunTask, told: Callable[[int, int, str], None]
) -> wire.Report:
    """A task without any isolation, for debuggers; ``--isolate never``."""
    from mlpzoo import worker

    return worker.run_task(request, told, registry)


def _result(task: Task, report: wire.Report, stderr_tail: str) -> Result:
    provenance = replace(
        task.provenance,
        frameworks=report.frameworks,
        python=report.python,
        device_name=report.device_name,
        threads=report.threads,
        host=socket.gethostname(),
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    message = report.message
    if report.status == "failed":
        message = _story(message, stderr_tail)
    return Result(
        model=task.title,
        benchmark=task.benchmark.name,
        version=task.benchmark.version,
        case=task.case.name,
        profile=task.settings.profile,
        status=report.status,
        values=report.values,
        interval=report.interval,
        message=message,
        n_evaluations=report.n_evaluations,
        wall_time_s=report.wall_time_s,
        provenance=provenance,
        arrays=report.arrays,
        is_floor=bool(task.floor),
    )


def _failed(task: Task, message: str, seconds: float) -> Result:
    return replace(result_of(task, "failed", message), wall_time_s=seconds)


def _story(message: str, stderr_tail: str) -> str:
    """The reason, then what the worker said last."""
    return f"{message}\nlast lines of stderr:\n{stderr_tail}" if stderr_tail else message


def _with_hint(error: ZooError) -> str:
    return f"{error.message}\nhint: {error.hint}" if error.hint else error.message


def compare(models: str | Sequence[str], **options: Any) -> Comparison:
    """Compare models from Python, as ``mlpzoo compare`` does.

    Args:
        models: Names or globs: ``"mace,nequip"`` or a sequence.
        options: Fields of `mlpzoo.planning.Request`, and ``profile`` and ``seed``.

    Returns:
        The comparison; ``str()`` of it is the Markdown table.

    Raises:
        UsageError: An unknown name.
    """
    from mlpzoo.table import comparison

    settings = RunSettings(**{k: options.pop(k) for k in ("profile", "seed") if k in options})
    options.update({k: names_in(options[k]) for k in ("benchmarks", "systems") if k in options})
    try:
        request = Request(models=names_in(models), settings=settings, **options)
    except TypeError as error:
        raise UsageError(str(error), hint="see the fields of mlpzoo.planning.Request") from None
    registry, store = default_registry(), Store()
    work = plan(request, registry, store)
    results = [t.result for t in work.tasks if t.result is not None]
    with contextlib.closing(run(work, registry=registry, store=store)) as events:
        results += [e.result for e in events if e.result is not None]
    return comparison(work, results)
