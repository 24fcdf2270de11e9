"""Runs a plan: generators of events, no printing.

Tasks of one family share a worker, so that a framework is imported once.  Groups run on a
`concurrent.futures.Executor` of this process's threads, each of which drives a worker process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import RunSettings
from mlpzoo.errors import UsageError
from mlpzoo.groups import Event, GroupRun
from mlpzoo.planning import plan
from mlpzoo.registry import Registry, default_registry
from mlpzoo.store import Store
from mlpzoo.tasks import Plan, Request, Task, names_in

if TYPE_CHECKING:
    from mlpzoo.table import Comparison


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
        executor: Takes the groups of tasks, and must run them in this process; by default
            ``request.jobs`` threads.
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


def compare(models: str | Sequence[str], **options: Any) -> Comparison:
    """Compare models from Python, as ``mlpzoo compare`` does.

    Args:
        models: Names or globs: ``"mace,nequip"`` or a sequence.
        options: Fields of `mlpzoo.tasks.Request`, and ``profile`` and ``seed``.

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
        raise UsageError(str(error), hint="see the fields of mlpzoo.tasks.Request") from None
    registry, store = default_registry(), Store()
    work = plan(request, registry, store)
    results = [t.result for t in work.tasks if t.result is not None]
    with contextlib.closing(run(work, registry=registry, store=store)) as events:
        results += [e.result for e in events if e.result is not None]
    return comparison(work, results)
