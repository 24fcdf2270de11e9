"""``python worker_boot.py``: serves force calls and runs whole tasks next to a framework.

Lives in a process of its own, in the family's environment or in this Python, and ends when the parent
does.  Its standard output goes to standard error: frameworks print.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import PropertyNotImplementedError

from mlpzoo import wire
from mlpzoo.benchmark import Job
from mlpzoo.errors import UnsupportedElementError, ZooError
from mlpzoo.machine import device_name, n_threads
from mlpzoo.results import pack, unpack
from mlpzoo.versions import framework_versions, python_version

if TYPE_CHECKING:
    from mlpzoo.benchmark import Outcome
    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.models import ModelSpec
    from mlpzoo.registry import Registry

_F_SETSIG = 10
"""Linux; in Python's ``fcntl`` from 3.11 only."""


def serve(fd: int, lifeline: int, *, memory_limit_bytes: int = 0) -> None:
    """Answer requests until the parent hangs up."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    channel = wire.Channel(socket.socket(fileno=fd), wire.Request)
    _end_with(lifeline)
    _expect_to_be_killed_first()
    if memory_limit_bytes:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
    session = Session(channel)
    with contextlib.suppress(wire.Closed):
        while True:
            session.answer(channel.receive())


class Session:
    """The state of one worker: the calculators that it has built.

    Args:
        channel: The line to the parent.
    """

    def __init__(self, channel: wire.Channel) -> None:
        self.channel = channel
        self.current: ZooCalculator | None = None

    def answer(self, request: wire.Request) -> None:
        """Do what is asked and send the answer, or the exception."""
        try:
            if isinstance(request, wire.Calculate):
                self.channel.send(self._calculate(request))
            elif isinstance(request, wire.RunTask):
                self.channel.send(run_task(request, self._progress()))
            elif isinstance(request, wire.RunChecks):
                self._check(request)
            elif isinstance(request, wire.Train):
                from mlpzoo.training_run import run_training

                backend = registry(request.plugin_module).backend(request.family).item
                self.channel.send(run_training(request, backend, self._progress()))
            else:
                known = registry(request.plugin_module)
                self.current = calculator(known, request.family, request.model)
                requires = known.backend(request.family).item.requires
                self.channel.send(
                    wire.Opened(card=self.current.card, frameworks=framework_versions(tuple(requires)))
                )
        except wire.Closed:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  (carried to the parent)
            self.channel.send(
                wire.Failure(
                    kind=type(error).__name__,
                    message=reason(error),
                    hint=error.hint if isinstance(error, ZooError) else "",
                    remote_traceback=traceback.format_exc(),
                )
            )

    def _progress(self) -> Any:
        last = [0.0]

        def progress(done: int, total: int, what: str) -> None:
            now = time.monotonic()
            if now - last[0] > 0.1 or done == total:  # noqa: PLR2004
                last[0] = now
                self.channel.send(wire.Progress(done=done, total=total, what=what))

        return progress

    def _calculate(self, request: wire.Calculate) -> wire.Calculated:
        from ase import Atoms

        assert self.current is not None  # noqa: S101  (the parent opens first)
        atoms = Atoms(
            numbers=unpack(request.numbers),
            positions=unpack(request.positions),
            cell=unpack(request.cell),
            pbc=request.pbc,
        )
        for name, array in request.extras.items():
            atoms.set_array(name, unpack(array))
        self.current.reset()
        start = time.perf_counter()
        self.current.calculate(atoms, request.properties)
        seconds = time.perf_counter() - start
        import numpy as np

        return wire.Calculated(
            results={k: pack(np.asarray(v)) for k, v in self.current.results.items()}, seconds=seconds
        )

    def _check(self, request: wire.RunChecks) -> None:
        from mlpzoo.testing import Subject, run_checks

        backend = registry(request.plugin_module).backend(request.family).item
        subject = Subject(backend=backend, spec=request.model)
        for found in run_checks(subject, request.names or None):
            self.channel.send(
                wire.Checked(
                    name=found.name,
                    promise=found.promise,
                    status=found.status,
                    message=found.message,
                    seconds=found.seconds,
                )
            )
        self.channel.send(wire.ChecksDone())


@cache
def registry(*modules: str) -> Registry:
    """Built-ins and the named plugin modules; entry points are not looked at."""
    from mlpzoo import plugins
    from mlpzoo.registry import Registry

    wanted = [m for m in dict.fromkeys(modules) if m and m not in plugins.BUILTINS]
    return Registry(plugins.load(wanted, entry_points=False))


_calculators: dict[tuple[str, str, str], ZooCalculator] = {}


def calculator(known: Registry, family: str, model: ModelSpec) -> ZooCalculator:
    """The calculator of a model, built once per process."""
    from mlpzoo.calculator import build

    entry = known.backend(family)
    key = (entry.plugin.module_name, family, repr(model))
    if key not in _calculators:
        _calculators[key] = build(entry.item, model)
    return _calculators[key]


def run_task(task: wire.RunTask, progress: Any, known: Registry | None = None) -> wire.Report:
    """One task in this process.  An exception of model or benchmark becomes a failed report.

    Args:
        task: What to do.
        progress: ``progress(done, total, what)``.
        known: Where family and benchmark are; by default the modules that the task names.
    """
    import numpy as np

    start, start_cpu = time.perf_counter(), time.process_time()
    calc: ZooCalculator | None = None
    before, before_s = 0, 0.0
    known = known or registry(task.plugin_module, task.benchmark_module)
    requires: tuple[str, ...] = ()
    try:
        spec = known.benchmark(task.benchmark).item
        if task.floor or task.model is None:
            if spec.run_floor is None:
                raise ZooError(f"benchmark '{spec.name}' has no reference rows")
            outcome = spec.run_floor(task.case, task.floor, task.settings)
        else:
            requires = tuple(known.backend(task.family).item.requires)
            calc = calculator(known, task.family, task.model)
            if not calc.card.supports(task.case.elements):
                missing = sorted(set(task.case.elements) - set(calc.card.elements))
                return wire.Report(status="unsupported", message=f"does not know {', '.join(missing)}")
            before, before_s = calc.n_evaluations, calc.calculation_time_s
            np.random.seed(task.settings.seed)  # noqa: NPY002  (frameworks that use the global one)
            job = Job(progress=progress, directory=Path(task.directory) if task.directory else None)
            outcome = spec.run(calc, task.case, task.settings, job)
        report = report_of(outcome, {q.name for q in spec.quantities})
    except wire.Closed:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a failed result, with its reason)
        cannot = isinstance(error, (UnsupportedElementError, PropertyNotImplementedError))
        report = wire.Report(
            status="unsupported" if cannot else "failed",
            message=reason(error),
            remote_traceback=traceback.format_exc(),
        )
    report.n_evaluations = calc.n_evaluations - before if calc is not None else 0
    report.calculator_time_s = calc.calculation_time_s - before_s if calc is not None else 0.0
    report.cpu_time_s = time.process_time() - start_cpu
    report.wall_time_s = time.perf_counter() - start
    report.frameworks = framework_versions(requires)
    report.python = python_version()
    report.device_name = device_name(task.model.device if task.model else "cpu")
    report.threads = n_threads()
    return report


def reason(error: BaseException) -> str:
    """Why a task failed, in one line."""
    if isinstance(error, MemoryError):
        return f"out of memory: {str(error).splitlines()[0] if str(error) else 'allocation refused'}"
    if isinstance(error, ZooError):
        return error.message
    if isinstance(error, PropertyNotImplementedError):
        return f"does not compute what the benchmark needs: {error}"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def report_of(outcome: Outcome, declared: set[str]) -> wire.Report:
    """What the parent is told of an outcome; a failure if it is not what the benchmark declared."""
    import numpy as np

    values = {k: float(v) for k, v in outcome.values.items()}
    interval = {k: (float(a), float(b)) for k, (a, b) in outcome.interval.items()}
    fault = _fault(values, interval, outcome.absent, declared)
    if fault:
        return wire.Report(status="failed", message=fault)
    return wire.Report(
        status="ok",
        values=values,
        interval=interval,
        absent=dict(outcome.absent),
        arrays={k: pack(np.asarray(v), compress=True) for k, v in outcome.arrays.items()},
        message=outcome.message,
    )


def _fault(
    values: dict[str, float],
    interval: dict[str, tuple[float, float]],
    absent: dict[str, str],
    declared: set[str],
) -> str:
    """Why values cannot be accepted; empty if they can."""
    import math

    undeclared = sorted((set(values) | set(interval) | set(absent)) - declared)
    if undeclared:
        return f"the benchmark returned undeclared quantities: {', '.join(undeclared)}"
    both = sorted(set(absent) & (set(values) | set(interval)))
    if both:
        return f"the benchmark returned quantities that it also calls absent: {', '.join(both)}"
    ends = {k: v for k, pair in interval.items() for v in pair if not math.isfinite(v)}
    bad = sorted({k for k, v in values.items() if not math.isfinite(v)} | set(ends))
    if bad:
        return f"non-finite values: {', '.join(bad)}"
    return "" if values or absent else "the benchmark returned no values"


def _end_with(lifeline: int) -> None:
    """End this process and its children when the parent's end of ``lifeline`` closes, whatever it is doing.

    On Linux the kernel itself sends the signal, so that code which never gives the interpreter a chance (a
    long call into C) ends too; a thread does it elsewhere.
    """
    if os.getpgrp() != os.getpid():  # the parent starts us as a group of our own
        return
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    hung_up = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL

    def watch() -> None:
        poll = select.poll()
        poll.register(lifeline, hung_up)
        while True:
            if any(event & hung_up for _, event in poll.poll()):
                os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="mlpzoo-watch").start()


def _expect_to_be_killed_first() -> None:
    """Ask Linux to choose this process, not the parent, when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
