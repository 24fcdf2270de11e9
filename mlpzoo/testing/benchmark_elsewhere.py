"""A benchmark in another process, as ``mlpzoo compare`` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpzoo import wire

if TYPE_CHECKING:
    from mlpzoo.testing.benchmark_subject import BenchmarkSubject, Pick
    from mlpzoo.workers import Worker

TIMEOUT_S = 3600.0


def run_elsewhere(subject: BenchmarkSubject, pick: Pick) -> wire.Report:
    """Run one case in a worker of this Python.

    Raises:
        WorkerError: The worker died or was too slow.
    """
    from mlpzoo.api import launch_for
    from mlpzoo.workers import Worker

    family, plugin = pick.model.family, subject.plugin
    request = wire.RunTask(
        plugin_module=subject.registry.backend(family).plugin.module_name,
        family=family,
        model=pick.model,
        benchmark_module=plugin.module_name,
        benchmark=subject.name,
        case=pick.case,
        settings=subject.settings,
    )
    if subject.worker is not None:
        return _ask(subject.worker, request)
    launch = launch_for(subject.registry, family, more_modules=(plugin.module_name,), prefer_here=True)
    with Worker(launch, family) as worker:
        return _ask(worker, request)


def _ask(worker: Worker, request: wire.RunTask) -> wire.Report:
    report: wire.Report = worker.ask(request, timeout_s=TIMEOUT_S)
    return report
