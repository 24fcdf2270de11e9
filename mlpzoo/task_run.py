"""One whole task in this process: a benchmark on a model, and the report of what came of it."""

from __future__ import annotations

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
from mlpzoo.results import pack
from mlpzoo.versions import framework_versions, python_version

if TYPE_CHECKING:
    from mlpzoo.benchmark import Outcome
    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.models import ModelSpec
    from mlpzoo.registry import Registry


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
