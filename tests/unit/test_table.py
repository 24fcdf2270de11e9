"""From results to a comparison: order, ranks, ties, notes, and the JSON contract."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from zoo_tables import CASE, benchmark, comparison, ok, table, without

from mlpzoo import table as tables
from mlpzoo.benchmark import Case, Quantity, RunSettings
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.results import Provenance, Result
from mlpzoo.table import Mark
from mlpzoo.tasks import Plan, Request, Task

BEST, TIE = Mark(best=True), Mark(tie=True)


def task(model: str, *, floor: str = "", case: Case = CASE) -> Task:
    """A task as planning makes it."""
    card = ModelCard(
        name=model, family="f", elements=(), properties=("energy",), level_of_theory=f"level of {model}"
    )
    return Task(
        title=model,
        benchmark=benchmark(),
        benchmark_module="m",
        case=case,
        settings=RunSettings(),
        key="k",
        state="run",
        place="this Python",
        model=None if floor else ModelSpec(name=model, card=card),
        floor=floor,
    )


# -- order -------------------------------------------------------------------------------------------


def test_rows_come_in_the_order_asked_for_and_references_last() -> None:
    work = Plan(
        request=Request(models=("b", "a")),
        tasks=(task("b"), task("PBE, Γ point", floor="gamma"), task("a")),
    )
    results = [ok("PBE, Γ point", rmse=0.01, is_floor=True), ok("a", rmse=1.0), ok("b", rmse=2.0)]
    (found,) = tables.comparison(work, results).tables
    assert [row.model for row in found.rows] == ["b", "a"]
    assert [row.model for row in found.floors] == ["PBE, Γ point"]
    assert found.levels == {"b": "level of b", "a": "level of a"}


def test_one_table_a_benchmark_and_case_with_only_its_own_results() -> None:
    other = replace(CASE, name="al-vacancy")
    work = Plan(request=Request(models=("a",)), tasks=(task("a"), task("a", case=other)), unavailable=(CASE,))
    results = [ok("a", rmse=1.0), replace(ok("a", rmse=2.0), case="al-vacancy")]
    found = tables.comparison(work, results)
    assert [(t.case.name, [r.values["rmse"] for r in t.rows]) for t in found.tables] == [
        ("cu-vacancy", [1.0]),
        ("al-vacancy", [2.0]),
    ]
    assert found.unavailable == (CASE,)


def test_row_without_a_result_is_left_out_not_invented() -> None:
    work = Plan(request=Request(models=("a", "b")), tasks=(task("a"), task("b")))
    (found,) = tables.comparison(work, [ok("b", rmse=1.0)]).tables
    assert [row.model for row in found.rows] == ["b"]


def test_model_and_reference_of_one_name_stay_apart() -> None:
    work = Plan(request=Request(models=("x",)), tasks=(task("x"), task("x", floor="gamma")))
    (found,) = tables.comparison(work, [ok("x", rmse=1.0), ok("x", rmse=9.0, is_floor=True)]).tables
    assert found.rows[0].values["rmse"] == 1.0
    assert found.floors[0].values["rmse"] == 9.0


def test_failed_lists_models_and_references() -> None:
    bad = without("b", "failed", "why")
    worse = replace(without("noise", "failed", "why"), is_floor=True)
    found = comparison(ok("a", rmse=1.0), bad, without("c", "unsupported", "no"), floors=(worse,))
    assert found.failed == (bad, worse)


# -- ranks -------------------------------------------------------------------------------------------


def test_lowest_value_is_best_and_a_clearly_higher_one_is_not_marked() -> None:
    marks = table(ok("a", rmse=0.3), ok("b", rmse=0.1), ok("c", rmse=0.2)).marks
    assert marks == {("b", "rmse"): BEST}


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.9, 1.3], TIE),  # difference -0.1 and +0.3: 0.1 ± 0.2 holds 0
        ([1.1, 1.3], None),  # +0.1 and +0.3: 0.2 ± 0.1 does not
    ],
)
def test_tie_is_what_the_paired_interval_says(samples: list[float], expected: Mark | None) -> None:
    marks = table(ok("a", rmse=1.0, samples=[1.0, 1.0]), ok("b", rmse=1.1, samples=samples)).marks
    assert marks["a", "rmse"] == BEST
    assert marks.get(("b", "rmse")) == expected


def test_interval_that_ends_at_zero_is_a_tie() -> None:
    marks = table(ok("a", rmse=1.0, samples=[1.0, 1.0]), ok("b", rmse=1.5, samples=[1.0, 2.0])).marks
    assert marks["b", "rmse"] == TIE  # difference 0 and 1: 0.5 ± 0.5


def test_unpaired_intervals_make_no_tie() -> None:
    """The rows' own intervals (value ± 0.1) overlap; every sample says that b is worse."""
    marks = table(ok("a", rmse=1.00, samples=[0.5, 1.5]), ok("b", rmse=1.05, samples=[0.55, 1.55])).marks
    assert ("b", "rmse") not in marks


def test_quantity_that_the_comparison_does_not_cover_ties_only_when_equal() -> None:
    marks = table(ok("a", share=1.0), ok("b", share=1.0), ok("c", share=1.0 + 1e-12)).marks
    assert marks == {("a", "share"): BEST, ("b", "share"): TIE}


def test_benchmark_without_comparison_still_ranks() -> None:
    marks = table(ok("a", rmse=2.0), ok("b", rmse=1.0), ok("c", rmse=1.0), compare=None).marks
    assert marks == {("b", "rmse"): BEST, ("c", "rmse"): TIE}


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_row_that_is_not_ok_is_never_ranked(status: str) -> None:
    broken = replace(without("broken", status, "why"), values={"rmse": 0.0})
    marks = table(ok("a", rmse=2.0), broken, ok("b", rmse=3.0)).marks
    assert marks == {("a", "rmse"): BEST}


def test_best_among_one_is_not_marked() -> None:
    assert table(ok("a", rmse=1.0), without("b", "failed", "why")).marks == {}


def test_reference_rows_are_never_ranked() -> None:
    floor = ok("PBE, Γ point", rmse=0.001, is_floor=True)
    marks = table(ok("a", rmse=1.0), ok("b", rmse=2.0), floors=(floor,)).marks
    assert marks == {("a", "rmse"): BEST}


def test_quantities_without_a_better_end_are_not_ranked() -> None:
    marks = table(ok("a", ratio=1.0, count=1.0), ok("b", ratio=2.0, count=2.0)).marks
    assert marks == {}


def test_model_that_lacks_a_quantity_is_ranked_in_the_others_only() -> None:
    marks = table(ok("a", rmse=1.0, share=5.0), ok("b", rmse=2.0), ok("c", rmse=3.0, share=4.0)).marks
    assert marks == {("a", "rmse"): BEST, ("c", "share"): BEST}


# -- notes -------------------------------------------------------------------------------------------


def test_every_row_without_numbers_has_its_reason_and_failures_come_first() -> None:
    floor = replace(ok("PBE, Γ point", rmse=0.1, is_floor=True), message="of 12 snapshots")
    found = table(
        without("u", "unsupported", "does not know Cu"), without("f", "failed", "died"), ok("a", rmse=1.0),
        floors=(floor,),
    ).notes  # fmt: skip
    assert found == (("f", "died"), ("u", "does not know Cu"), ("PBE, Γ point", "of 12 snapshots"))


def test_other_level_of_theory_than_the_reference_is_noted() -> None:
    levels = {"a": "PBE", "b": "LDA", "c": ""}
    rows = (ok("a", rmse=1.0), ok("b", rmse=1.0), ok("c", rmse=1.0))
    ((model, remark),) = table(*rows, levels=levels).notes
    assert model == "b"
    assert "LDA" in remark
    assert "PBE" in remark


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"dtype": "float32"}, "precision differs: a float64, b float32"),
        ({"device": "cuda"}, "device differs: a cpu, b cuda"),
        ({"mlpzoo": "0.2.0"}, "mlpzoo version differs: a 0.1.0, b 0.2.0"),
    ],
)
def test_unequal_conditions_are_told(changes: dict[str, str], title: str) -> None:
    other = ok("b", rmse=1.0)
    other = replace(other, provenance=replace(other.provenance, **changes))
    assert table(ok("a", rmse=1.0), other).differences == (title,)
    assert table(ok("a", rmse=1.0), ok("b", rmse=1.0)).differences == ()


# -- JSON --------------------------------------------------------------------------------------------

ROW_KEYS = {
    "model",
    "status",
    "values",
    "interval",
    "message",
    "n_evaluations",
    "wall_time_s",
    "provenance",
}


def test_json_has_exactly_the_keys_of_the_contract() -> None:
    floor = ok("PBE, Γ point", rmse=0.001, is_floor=True)
    data = json.loads(tables.to_json(comparison(ok("a", rmse=1 / 3), floors=(floor,))))
    assert set(data) == {"schema", "tables"}
    assert data["schema"] == "mlpzoo.compare/1"
    (found,) = data["tables"]
    assert set(found) == {"benchmark", "version", "case", "profile", "quantities", "rows", "references"}
    assert (found["benchmark"], found["version"]) == ("toy-forces", 3)
    assert (found["case"], found["profile"]) == ("cu-vacancy", "standard")
    (row,) = found["rows"]
    assert set(row) == ROW_KEYS | {"ties_with_best"}
    assert set(found["references"][0]) == ROW_KEYS
    assert set(row["provenance"]) == set(Provenance.__dataclass_fields__)


def test_json_numbers_have_full_precision_and_quantities_their_units() -> None:
    data = json.loads(tables.to_json(comparison(ok("a", rmse=1 / 3, share=2 / 3))))
    (row,) = data["tables"][0]["rows"]
    assert row["values"] == {"rmse": 1 / 3, "share": 2 / 3}
    assert row["interval"] == {"rmse": [1 / 3 - 0.1, 1 / 3 + 0.1]}
    assert row["n_evaluations"] == 7
    assert row["wall_time_s"] == 1.5
    named = {q["name"]: q for q in data["tables"][0]["quantities"]}
    assert named["rmse"] == {
        "name": "rmse", "unit": "eV/Å", "title": "F RMSE", "decimals": 3, "better": "lower", "shown": True
    }  # fmt: skip
    assert named["count"]["shown"] is False


def test_json_says_which_columns_tie_with_the_best() -> None:
    data = json.loads(tables.to_json(comparison(ok("a", rmse=1.0, share=1.0), ok("b", rmse=1.0, share=2.0))))
    rows = {row["model"]: row["ties_with_best"] for row in data["tables"][0]["rows"]}
    assert rows == {"a": [], "b": ["rmse"]}


def test_json_of_a_failed_row_has_no_numbers_and_the_whole_reason() -> None:
    data = json.loads(tables.to_json(comparison(without("f", "failed", "died\nlast lines of stderr:\nno"))))
    (row,) = data["tables"][0]["rows"]
    assert (row["status"], row["values"], row["interval"]) == ("failed", {}, {})
    assert row["message"] == "died\nlast lines of stderr:\nno"


# -- cells -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(0.12345, 3, "0.123"), (12.0, 0, "12"), (None, 3, "—"), (0.0, 2, "0.00")]
)
def test_cell_has_the_decimals_of_its_quantity(value: float | None, decimals: int, text: str) -> None:
    assert tables.cell(value, Quantity(name="q", unit="", title="q", decimals=decimals)) == text


def test_value_that_rounds_to_zero_has_no_minus_sign() -> None:
    assert tables.cell(-1e-9, Quantity(name="q", unit="", title="q", decimals=3)) == "0.000"


def test_str_of_a_comparison_is_its_markdown() -> None:
    assert "| a | 1.000 |" in str(comparison(ok("a", rmse=1.0)))


def test_tie_is_symmetric_in_who_is_listed_first() -> None:
    a, b = ok("a", rmse=1.0, samples=[1.0, 1.0]), ok("b", rmse=1.1, samples=[0.9, 1.3])
    assert table(a, b).marks == table(b, a).marks


def test_results_are_not_changed_by_ranking() -> None:
    row: Result = ok("a", rmse=1.0)
    before = repr(row)
    _ = table(row, ok("b", rmse=2.0)).marks
    assert repr(row) == before
