"""The tasks of one family, in one worker after the other, told as events."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlpzoo import locks, wire
from mlpzoo.errors import WorkerError, ZooError
from mlpzoo.registry import Registry
from mlpzoo.results import Result
from mlpzoo.store import Store
from mlpzoo.tasks import Request, Task, result_of

if TYPE_CHECKING:
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
        self.cut_short = False  # the last task was ended from outside: its checkpoints are worth keeping

    def __call__(self) -> None:
        """Run all tasks; each result is stored and emitted at once."""
        try:
            for task in self.tasks:
                if self.stop.is_set():
                    return
                self._run_alone(task)
        finally:
            if self.worker is not None:
                self.worker.close()

    def kill(self) -> None:
        """End the worker now."""
        with self.handing_over:
            if self.worker is not None:
                self.worker.kill()

    def _run_alone(self, task: Task) -> None:
        """Run a task, or take the result of another process that is at it."""
        name, key = task.store_name, task.key
        since = time.time()
        waited = []

        def waiting() -> None:
            waited.append(True)
            text = "waiting for another process that is at it"
            self.emit(Event(kind="progress", family=task.family, task=task, text=text))

        with locks.alone(self.store.lock(name, key), give_up=self.stop.is_set, waiting=waiting) as held:
            if not held:
                return
            theirs = self.store.get(name, key, since=since if waited or self.request.fresh else 0.0)
            if theirs is not None and (waited or theirs.status != "failed"):
                self.emit(Event(kind="done", family=task.family, task=task, result=theirs))
                return
            if self.request.fresh:
                self.store.forget_work(name, key)
            self.store.begin_work(name, key, result_of(task, "failed", "not finished"))
            self._finish(task, self._run_one(task))

    def _finish(self, task: Task, result: Result) -> None:
        stopped = self.stop.is_set() and result.status == "failed"
        if not stopped:
            self.store.put(task.store_name, task.key, result)
        self.store.forget_work(task.store_name, task.key, only_if_nothing_was_saved=self.cut_short)
        if stopped:
            return
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
            directory=str(self.store.work(task.store_name, task.key)),
        )
        self.cut_short = True
        try:
            report = self._report(task, request)
            self.cut_short = False
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
    from mlpzoo.task_run import run_task

    return run_task(request, told, registry)


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
    message = _story(report.message, stderr_tail) if report.status == "failed" else report.message
    return replace(
        result_of(task, report.status, message),
        values=report.values,
        interval=report.interval,
        absent=report.absent,
        n_evaluations=report.n_evaluations,
        wall_time_s=report.wall_time_s,
        cpu_time_s=report.cpu_time_s,
        calculator_time_s=report.calculator_time_s,
        provenance=provenance,
        arrays=report.arrays,
    )


def _failed(task: Task, message: str, seconds: float) -> Result:
    return replace(result_of(task, "failed", message), wall_time_s=seconds)


def _story(message: str, stderr_tail: str) -> str:
    """The reason, then what the worker said last."""
    return f"{message}\nlast lines of stderr:\n{stderr_tail}" if stderr_tail else message


def _with_hint(error: ZooError) -> str:
    return f"{error.message}\nhint: {error.hint}" if error.hint else error.message
