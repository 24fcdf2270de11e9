"""Progress: plain lines, bars, and how long a task still takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_tables import CASE, benchmark, ok

from mlpzoo.benchmark import RunSettings
from mlpzoo.cli.display import Bars, Plain
from mlpzoo.cli.pace import Pace, duration
from mlpzoo.groups import Event
from mlpzoo.tasks import Task


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def task(title: str) -> Task:
    return Task(
        title=title, benchmark=benchmark(), benchmark_module="m", case=CASE, settings=RunSettings(),
        key="k", state="run", place="this Python", family="mace",
    )  # fmt: skip


def at(done: int, total: int, what: str = "MD steps at 1250 K", title: str = "mace/si") -> Event:
    return Event(kind="progress", family="mace", task=task(title), text=what, done=done, total=total)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> Any:
    """``lines([(seconds since the one before, event), ...])``: what is printed, without the leading time."""

    def told(events: list[tuple[float, Event]]) -> list[str]:
        plain = Plain(2, clock=clock)
        for seconds, event in events:
            clock.now_s += seconds
            plain.show(event)
        return [line.partition(" s  ")[2] for line in capsys.readouterr().err.splitlines()]

    return told


# -- plain lines -------------------------------------------------------------------------------------

LABEL = "mace/si · toy-forces · cu-vacancy"


def test_line_says_how_much_is_done_and_how_long_it_still_takes(lines: Any) -> None:
    loading = Event(kind="progress", family="mace", task=task("mace/si"), text="loading")
    assert lines([(0, loading), (5, at(400, 18000)), (300, at(3400, 18000))]) == [
        f"{LABEL}: 3400/18000 MD steps at 1250 K, 24 min left"
    ]


def test_resumed_task_is_timed_from_the_first_message_not_from_zero(lines: Any) -> None:
    assert lines([(0, at(17000, 18000)), (50, at(17100, 18000))]) == [
        f"{LABEL}: 17100/18000 MD steps at 1250 K, 8 min left"
    ]


def test_within_a_task_lines_are_at_least_15_s_apart(lines: Any) -> None:
    found = lines([(0, at(0, 100)), *((1, at(i, 100)) for i in range(1, 61))])
    assert [line.partition(": ")[2].partition("/")[0] for line in found] == ["15", "30", "45", "60"]


def test_new_task_of_a_family_is_timed_anew(lines: Any) -> None:
    events = [(0, at(0, 100)), (30, at(90, 100)), (1, at(0, 100, title="mace/other")), (20, at(10, 100, title="mace/other"))]  # fmt: skip
    assert lines(events)[-1].endswith("10/100 MD steps at 1250 K, 3 min left")


def test_phase_that_counts_something_else_is_timed_anew(lines: Any) -> None:
    events = [(0, at(0, 1000)), (20, at(999, 1000)), (1, at(0, 50, "images")), (20, at(25, 50, "images"))]
    assert lines(events)[-1] == f"{LABEL}: 25/50 images, 20 s left"


def test_nothing_is_promised_before_anything_moved(lines: Any) -> None:
    assert lines([(0, at(7, 100)), (20, at(7, 100))]) == [f"{LABEL}: 7/100 MD steps at 1250 K"]


def test_finished_task_is_counted_and_summed_up(lines: Any) -> None:
    long = Event(kind="done", family="mace", task=task("mace/si"), result=ok("mace/si", rmse=1.0))
    assert lines([(0, long)]) == [f"[1/2] {LABEL}: ok, 7 force calls, 1.5 s"]


def test_environment_is_told_once(lines: Any) -> None:
    made = Event(kind="environment", family="mace", text="resolving")
    assert lines([(0, made), (1, made), (1, Event(kind="starting", family="mace", text="starting"))]) == [
        "mace: resolving",
        "mace: starting",
    ]


def test_quiet_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    plain = Plain(1, quiet=True, clock=clock)
    plain.show(at(0, 10))
    clock.now_s += 60
    plain.show(at(5, 10))
    assert capsys.readouterr().err == ""


# -- bars --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 160])
def test_bar_names_the_task_and_the_time_left(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    import rich.console

    monkeypatch.setenv("COLUMNS", str(width))
    bars = Bars(2, clock=clock)
    bars.show(at(100, 1000))
    clock.now_s += 60
    bars.show(at(300, 1000))
    console = rich.console.Console(width=width)
    with console.capture() as shown:
        console.print(bars._progress.get_renderable())
    text = shown.get()
    assert max(map(len, text.splitlines())) <= width
    assert "mace/si · toy" in text
    assert "300/1000" in text
    assert "4 min left" in text
    assert "0/2" in text
    bars.show(Event(kind="done", family="mace", task=task("mace/si"), result=ok("mace/si", rmse=1.0)))
    assert bars._paces == bars._families == {}


# -- pace --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.integers(0, 1000), st.integers(1, 1000), st.integers(0, 1000),
    st.floats(min_value=10, max_value=1e5, allow_nan=False),
)  # fmt: skip
def test_time_left_of_a_steady_task_is_exact(first: int, moved: int, rest: int, seconds: float) -> None:
    total = first + moved + rest
    pace = Pace.after(None, done=first, total=total, now_s=0.0)
    assert pace.left == ""
    pace = Pace.after(pace, done=first + moved, total=total, now_s=seconds)
    assert pace.left_s == pytest.approx(rest * seconds / moved)


def test_more_done_than_announced_is_not_a_negative_time() -> None:
    pace = Pace.after(None, done=0, total=10, now_s=0.0)
    assert Pace.after(pace, done=12, total=10, now_s=9.0).left == "0 s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (5900, "98 min"),
        (7800, "2 h 10 min"),
        (47 * 3600, "47 h 0 min"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_duration_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
