"""Progress of a run: bars on a terminal, plain lines elsewhere.  All of it goes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli.pace import Pace, duration

if TYPE_CHECKING:
    from mlpzoo.groups import Event

_EVERY_S = 15.0
_WIDE = 120
_SHORT_S = 120.0
Clock = Callable[[], float]


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
        wall = result.wall_time_s
        took = f"{wall:.1f} s" if wall < _SHORT_S else duration(wall)
        return f"{event.task.label}: ok, {result.n_evaluations} force calls, {took}"
    return f"{event.task.label}: {result.status}: {result.message.splitlines()[0]}"


@dataclass(slots=True)
class _Family:
    """What is known of a family at work: its task, the last line about it, and its pace."""

    label: str = ""
    text: str = ""
    said_s: float = 0.0
    pace: Pace | None = None


class Plain:
    """Lines, not more often than every 15 s within a task.

    Args:
        total: Number of tasks.
        quiet: Say nothing.
        clock: Seconds.
    """

    def __init__(self, total: int, *, quiet: bool = False, clock: Clock = time.monotonic) -> None:
        self.total = total
        self.quiet = quiet
        self.finished = 0
        self.clock = clock
        self.start = clock()
        self._families: dict[str, _Family] = {}

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, event: Event) -> None:
        """Print what is new."""
        now = self.clock()
        if event.kind == "done":
            self.finished += 1
            self._families.pop(event.family, None)
            self._say(f"[{self.finished}/{self.total}] {summary(event)}")
            return
        label = _label(event)
        family = self._families.get(event.family)
        if family is None or family.label != label:
            family = self._families[event.family] = _Family(label=label, said_s=now)
        if event.kind != "progress":
            if event.text != family.text:
                family.text = event.text
                self._say(f"{event.family or 'reference'}: {event.text}")
        elif event.total:
            family.pace = Pace.after(family.pace, done=event.done, total=event.total, now_s=now)
            if now - family.said_s >= _EVERY_S:
                family.said_s = now
                self._say(f"{label}: {event.done}/{event.total} {_comma(event.text, family.pace.left)}")

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(f"{self.clock() - self.start:6.1f} s  {text}", err=True)


class Bars:
    """One bar for all tasks and one a family at work.

    Args:
        total: Number of tasks.
        clock: Seconds.
    """

    def __init__(self, total: int, *, clock: Clock = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.table import Column

        console = Console(stderr=True, highlight=False)
        one_line = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        columns: list[ProgressColumn] = [
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=one_line, markup=False),
            *([BarColumn(bar_width=24)] if console.width >= _WIDE else []),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True, min_width=12)),
        ]
        self._progress = Progress(*columns, console=console, transient=True, expand=True)
        self._all = self._progress.add_task("all tasks", total=total, left="")
        self._families: dict[str, Any] = {}
        self._paces: dict[str, Pace] = {}
        self._clock = clock

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
            self._paces.pop(event.family, None)
            bar = self._families.pop(event.family, None)
            if bar is not None:
                self._progress.remove_task(bar)
            return
        bar = self._families.get(event.family)
        if bar is None:
            bar = self._families[event.family] = self._progress.add_task("", total=None, left="")
        left = ""
        if event.total:
            pace = Pace.after(
                self._paces.get(event.family), done=event.done, total=event.total, now_s=self._clock()
            )
            self._paces[event.family] = pace
            left = pace.left
        text = f"{_label(event)}: {event.text}"
        self._progress.update(
            bar, description=text, total=event.total or None, completed=event.done, left=left
        )


def _label(event: Event) -> str:
    return event.task.label if event.task is not None else event.family or "reference"


def _comma(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
