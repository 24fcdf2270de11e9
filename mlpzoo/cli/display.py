"""Progress of a run: bars on a terminal, plain lines elsewhere.  All of it goes to stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mlpzoo.groups import Event
    from mlpzoo.tasks import Task

_EVERY_S = 15.0


def display(total: int, *, quiet: bool = False) -> Plain | Bars:
    """The display that fits: `Bars` on a terminal, `Plain` lines if not."""
    if sys.stderr.isatty() and not quiet:
        return Bars(total)
    return Plain(total, quiet=quiet)


def summary(event: Event) -> str:
    """One line for a finished task."""
    assert event.result is not None  # noqa: S101  (kind "done")
    assert event.task is not None  # noqa: S101
    result = event.result
    if result.status == "ok":
        return f"{event.task.label}: ok, {result.n_evaluations} force calls, {result.wall_time_s:.1f} s"
    return f"{event.task.label}: {result.status}: {result.message.splitlines()[0]}"


class Plain:
    """Lines, not more often than every 15 s within a task.

    Args:
        total: Number of tasks.
        quiet: Say nothing.
    """

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self.total = total
        self.quiet = quiet
        self.finished = 0
        self.start = time.monotonic()
        self._last: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, event: Event) -> None:
        """Print what is new."""
        if event.kind == "done":
            self.finished += 1
            self._say(f"[{self.finished}/{self.total}] {summary(event)}")
            return
        now = time.monotonic()
        text, when = self._last.get(event.family, ("", 0.0))
        if event.kind == "progress":
            if not event.total or now - when < _EVERY_S:
                self._last.setdefault(event.family, (event.text, now))
                return
            self._say(f"{_label(event)}: {event.done}/{event.total} {event.text}")
        elif event.text != text:
            self._say(f"{event.family or 'reference'}: {event.text}")
        self._last[event.family] = (event.text, now)

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(f"{time.monotonic() - self.start:6.1f} s  {text}", err=True)


class Bars:
    """One bar for all tasks and one a family at work.

    Args:
        total: Number of tasks.
    """

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._all = self._progress.add_task("all tasks", total=total)
        self._families: dict[str, Any] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Move the bars."""
        if event.kind == "done":
            self._progress.console.print(summary(event), markup=False)
            self._progress.advance(self._all)
            bar = self._families.pop(event.family, None)
            if bar is not None:
                self._progress.remove_task(bar)
            return
        bar = self._families.get(event.family)
        if bar is None:
            bar = self._families[event.family] = self._progress.add_task("", total=None)
        text = f"{_label(event)}: {event.text}"[:90]
        total = event.total or None
        self._progress.update(bar, description=text, total=total, completed=event.done)


def _label(event: Event) -> str:
    task: Task | None = event.task
    return task.label if task is not None else event.family or "reference"
