"""Ranking: what holds for any numbers."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_tables import REFERENCES, ok, table, without

from mlpzoo.ranking import Distance, Mark, rank, rank_closest
from mlpzoo.render import View, render
from mlpzoo.results import Result
from mlpzoo.table import Comparison

patient = settings(deadline=None)  # machines that run tests may be very busy
numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).map(lambda x: round(x, 6))
intervals = st.none() | st.tuples(numbers, numbers).map(lambda ends: (min(ends), max(ends)))


@st.composite
def results(draw: Any) -> list[Result]:
    """Rows of every status, with and without intervals, with numbers, words, or nothing."""
    rows = []
    for name in draw(st.lists(st.sampled_from("abcdefg"), unique=True)):
        kind = draw(st.sampled_from(["ok", "ok", "ok", "absent", "failed", "unsupported"]))
        if kind == "ok":
            values = {"barrier": draw(numbers), "rmse": draw(st.sampled_from([0.1, 0.2, 0.3]))}
            interval = draw(intervals)
            rows.append(ok(name, interval={"barrier": interval} if interval else {}, **values))
        elif kind == "absent":
            rows.append(ok(name, absent={"barrier": "melted", "rmse": "exploded"}))
        else:
            rows.append(without(name, kind, "why"))
    return rows


levels = st.fixed_dictionaries(dict.fromkeys("abcdefg", st.sampled_from(["PBE", "experiment", "LDA", ""])))


@patient
@given(results(), levels, st.randoms(use_true_random=False), st.sampled_from(["", "PBE", "experiment"]))
def test_order_of_rows_changes_no_mark(
    rows: list[Result], levels: dict[str, str], order: random.Random, against: str
) -> None:
    shuffled = order.sample(rows, len(rows))
    options = {"references": REFERENCES, "levels": levels, "against": against}
    assert table(*rows, **options).marks == table(*shuffled, **options).marks


@patient
@given(results(), levels)
def test_only_rows_with_a_number_are_marked_and_somebody_is_best(
    rows: list[Result], levels: dict[str, str]
) -> None:
    found = table(*rows, references=REFERENCES, levels=levels)
    for quantity in ("barrier", "rmse"):
        ranked = {r.model for r in rows if r.status == "ok" and quantity in r.values}
        marks = {model: mark for (model, name), mark in found.marks.items() if name == quantity}
        assert set(marks) <= ranked
        assert any(mark.best for mark in marks.values()) == (len(ranked) > 1)


@patient
@given(results(), levels, st.booleans(), st.booleans())
def test_nan_is_never_printed(rows: list[Result], levels: dict[str, str], errors: bool, costs: bool) -> None:
    found = Comparison(tables=(table(*rows, references=REFERENCES, levels=levels),))
    for form in ("md", "csv", "json", "latex"):
        text = render(found, form, View(errors=errors, costs=costs))
        assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)


@patient
@given(st.dictionaries(st.sampled_from("abcdefg"), st.tuples(numbers, intervals), min_size=2), numbers)
def test_nobody_is_closer_than_the_best(values: dict[str, tuple[float, Any]], reference: float) -> None:
    distances = {m: Distance.of(v, reference, i) for m, (v, i) in values.items()}
    marks = rank_closest(distances, 3)
    lowest = min(d.distance for d in distances.values())
    assert {m for m, mark in marks.items() if mark.best} == {
        m for m, d in distances.items() if d.distance == pytest.approx(lowest, abs=1e-8)
    }
    for a, b in itertools.permutations(distances, 2):
        one = rank_closest({a: distances[a], b: distances[b]}, 3)
        assert one == rank_closest({b: distances[b], a: distances[a]}, 3)


@patient
@given(numbers, numbers, intervals)
def test_distance_lies_between_its_ends(value: float, reference: float, interval: Any) -> None:
    found = Distance.of(value, reference, interval)
    assert 0.0 <= found.low <= found.distance <= found.high
    if interval and interval[0] <= reference <= interval[1]:
        assert found.low == 0.0
    if interval is None:
        assert found.low == found.distance == found.high


@pytest.mark.parametrize(
    ("first", "second", "tie"),
    [
        ((1.2, None), (0.8, None), True),  # the same distance on both sides
        ((1.1, None), (1.2, None), False),
        ((1.101, None), (1.104, None), True),  # alike to two decimals
        ((1.1, (1.0, 1.2)), (1.3, (1.15, 1.45)), True),  # 0..0.2 and 0.15..0.45
        ((1.1, (1.0, 1.2)), (1.3, (1.25, 1.35)), False),  # 0..0.2 and 0.25..0.35
        ((1.1, (1.0, 1.2)), (0.8, (0.7, 0.85)), True),  # on the other side: 0.15..0.3
        ((1.1, None), (1.3, (1.05, 1.55)), True),  # 0.1 lies in 0.05..0.55
        ((1.1, None), (1.3, (1.15, 1.45)), False),
    ],
)
def test_two_values_and_a_reference_of_one(first: Any, second: Any, tie: bool) -> None:
    pair = {"a": Distance.of(first[0], 1.0, first[1]), "b": Distance.of(second[0], 1.0, second[1])}
    marks = rank_closest(pair, 2)
    assert marks["a" if not tie else next(m for m in marks if marks[m].best)] == Mark(best=True)
    assert ("b" in marks and "a" in marks) is tie


def test_equal_distances_on_both_sides_are_both_best_whatever_the_arithmetic_says() -> None:
    assert abs(3.7 - 3.8) != abs(3.9 - 3.8)
    pair = {"a": Distance.of(3.7, 3.8, None), "b": Distance.of(3.9, 3.8, None)}
    assert rank_closest(pair, 2) == {"a": Mark(best=True), "b": Mark(best=True)}


def test_rank_of_one_or_none_marks_nobody() -> None:
    assert rank({"a": 1.0}, lambda *_: True) == {}
    assert rank({}, lambda *_: True) == {}
