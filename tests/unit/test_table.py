"""From results to a comparison: order, ranks, ties, notes, and the JSON contract."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from zoo_tables import CASE, QUANTITIES, REFERENCES, benchmark, comparison, ok, table, without

from mlpzoo import notes
from mlpzoo import table as tables
from mlpzoo.benchmark import Case, Quantity, Reference, RunSettings
from mlpzoo.errors import UsageError
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.ranking import Mark
from mlpzoo.render.view import number
from mlpzoo.results import Provenance, Result
from mlpzoo.table_json import to_json
from mlpzoo.tasks import Plan, Request, Task

BEST, TIE = Mark(best=True), Mark(tie=True)
BARRIER = next(q for q in QUANTITIES if q.name == "barrier")


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


def test_rows_that_share_the_best_value_exactly_are_all_best() -> None:
    """Whoever is listed first must not look better."""
    marks = table(ok("a", share=1.0), ok("b", share=1.0), ok("c", share=1.0 + 1e-12)).marks
    assert marks == {("a", "share"): BEST, ("b", "share"): BEST}


def test_tie_with_one_of_several_best_is_a_tie() -> None:
    rows = (ok("a", rmse=1.0, samples=[2.0, 2.0]), ok("b", rmse=1.0, samples=[1.0, 1.4]))
    marks = table(*rows, ok("c", rmse=1.1, samples=[1.1, 1.3])).marks
    assert marks == {("a", "rmse"): BEST, ("b", "rmse"): BEST, ("c", "rmse"): TIE}


def test_benchmark_without_comparison_still_ranks() -> None:
    marks = table(ok("a", rmse=2.0), ok("b", rmse=1.0), ok("c", rmse=1.0), compare=None).marks
    assert marks == {("b", "rmse"): BEST, ("c", "rmse"): BEST}


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
    assert list(notes.differences(table(ok("a", rmse=1.0), other))) == [title]
    assert list(notes.differences(table(ok("a", rmse=1.0), ok("b", rmse=1.0)))) == []


# -- references --------------------------------------------------------------------------------------

PBE = {"a": "PBE", "b": "PBE", "c": "empirical"}


def test_references_are_rows_one_a_level_in_the_order_listed() -> None:
    pbe, experiment = table(ok("a", barrier=0.3), references=REFERENCES).references
    assert (pbe.model, pbe.values, pbe.is_floor) == ("PBE", {"barrier": 0.30}, True)
    assert (experiment.model, experiment.values) == ("experiment", {"barrier": 0.45})


def test_second_value_of_one_level_has_a_row_of_its_own_and_the_first_one_counts() -> None:
    more = (*REFERENCES, replace(REFERENCES[1], value=0.5, source="doi 10.1/other"))
    found = table(ok("a", barrier=0.46), references=more, against="experiment")
    assert [(r.model, r.values["barrier"]) for r in found.references] == [
        ("PBE", 0.30), ("experiment", 0.45), ("experiment (2)", 0.50),
    ]  # fmt: skip
    assert found.sources("experiment (2)") == {"barrier": "doi 10.1/other"}
    assert found.error(found.rows[0], BARRIER) == pytest.approx(0.01)


def test_reference_of_a_quantity_that_the_benchmark_has_not_is_left_out() -> None:
    stray = Reference(quantity="no such", value=1.0, level_of_theory="LDA", source="s")
    assert [r.model for r in table(ok("a"), references=(*REFERENCES, stray)).references] == [
        "PBE",
        "experiment",
    ]


def test_model_is_compared_with_its_own_level_of_theory() -> None:
    levels = {"a": "experiment", "b": "pbe"}
    found = table(ok("a", barrier=0.45), ok("b", barrier=0.31), references=REFERENCES, levels=levels)
    assert found.compared == {"a": "experiment", "b": "PBE"}
    assert found.foreign == {}
    assert found.marks == {("a", "barrier"): BEST}
    assert list(notes.legend(found)) == [
        "bold: closest to the reference that it is compared with",
        "compared with experiment: a; PBE: b",
    ]


def test_model_of_a_level_without_references_is_compared_with_the_first_one_and_marked() -> None:
    rows = (ok("a", barrier=0.31), ok("c", barrier=0.44), ok("d", barrier=0.35), ok("e", barrier=0.36))
    found = table(*rows, references=REFERENCES, levels={"a": "PBE", "c": "empirical", "d": "", "e": ""})
    assert found.compared == {"a": "PBE", "c": "PBE", "d": "PBE", "e": "PBE"}
    assert found.foreign == {"c": "empirical", "d": "", "e": ""}
    assert found.marks == {("a", "barrier"): BEST}
    assert list(notes.legend(found)) == ["bold: closest to PBE"]
    assert list(notes.notes(found))[:2] == [
        "† c: level of theory empirical, compared with PBE",
        "† d, e: level of theory not known, compared with PBE",
    ]


def test_against_compares_every_model_with_one_level_and_marks_those_of_another() -> None:
    found = table(
        ok("a", barrier=0.31), ok("c", barrier=0.44), references=REFERENCES, levels=PBE, against="experiment"
    )
    assert found.compared == {"a": "experiment", "c": "experiment"}
    assert found.foreign == {"a": "PBE", "c": "empirical"}
    assert found.marks == {("c", "barrier"): BEST}
    assert found.error(found.rows[0], BARRIER) == pytest.approx(0.31 - 0.45)


def test_against_a_level_that_this_case_lacks_ranks_nobody_and_says_so() -> None:
    found = table(ok("a", barrier=0.3), ok("b", barrier=0.4), references=REFERENCES[:1], against="experiment")
    assert (found.marks, found.compared, found.foreign) == ({}, {}, {})
    assert "nothing here can be compared with experiment" in list(notes.notes(found))


def test_without_a_reference_closer_is_not_ranked() -> None:
    assert table(ok("a", barrier=1.0), ok("b", barrier=2.0)).marks == {}
    assert list(notes.notes(table(ok("a", barrier=1.0), ok("b", barrier=2.0)))) == []


def test_quantity_without_a_reference_at_the_level_compared_with_is_not_ranked() -> None:
    """Of two levels in one column, only one is used: the others' numbers would not be comparable."""
    quantities = (BARRIER, Quantity(name="e", unit="eV", title="E", better="closer"))
    other = Reference(quantity="e", value=1.0, level_of_theory="experiment", source="s")
    rows = (ok("a", barrier=0.3, e=1.0), ok("b", barrier=0.4, e=2.0))
    found = table(*rows, references=(*REFERENCES, other), levels=PBE, quantities=quantities)
    assert found.marks == {("a", "barrier"): BEST}


def test_overlap_of_what_the_intervals_allow_is_a_tie() -> None:
    rows = (
        ok("a", barrier=0.31, interval={"barrier": (0.28, 0.33)}),
        ok("b", barrier=0.25, interval={"barrier": (0.22, 0.28)}),
        ok("c", barrier=0.40, interval={"barrier": (0.38, 0.42)}),
    )
    assert table(*rows, references=REFERENCES, levels=PBE).marks == {
        ("a", "barrier"): BEST,
        ("b", "barrier"): TIE,
    }


def test_failed_and_absent_rows_are_never_ranked() -> None:
    broken = replace(without("f", "failed", "why"), values={"barrier": 0.3})
    melted = ok("m", absent={"barrier": "melted"})
    found = table(ok("a", barrier=0.4), broken, melted, ok("b", barrier=0.5), references=REFERENCES)
    assert found.marks == {("a", "barrier"): BEST}
    assert found.error(broken, BARRIER) is None
    assert "f" not in found.compared


def test_sources_are_one_note_each_and_name_columns_only_if_there_are_several() -> None:
    more = (
        *REFERENCES,
        Reference(quantity="rmse", value=1.0, level_of_theory="experiment", source="doi 10.1/exp"),
        Reference(quantity="share", value=1.0, level_of_theory="experiment", source="doi 10.1/other"),
    )
    found = list(notes.notes(table(ok("a", barrier=0.3), references=more, levels=PBE)))
    assert found == [
        "PBE: mlpzoo reference (QE 6.7)",
        "experiment, F RMSE, E_m: doi 10.1/exp",
        "experiment, share>30°: doi 10.1/other",
    ]


def test_level_of_theory_is_noted_once() -> None:
    found = table(ok("c", barrier=0.3), references=REFERENCES, levels=PBE)
    found = replace(found, case=replace(found.case, level_of_theory="PBE"))
    assert sum("empirical" in note for note in notes.notes(found)) == 1


def test_comparison_takes_the_level_asked_for_however_it_is_typed() -> None:
    case = replace(CASE, references=REFERENCES)
    work = Plan(request=Request(models=("a",), against=" EXPERIMENT "), tasks=(task("a", case=case),))
    (found,) = tables.comparison(work, [ok("a", barrier=0.3)]).tables
    assert found.compared == {"a": "experiment"}


@pytest.mark.parametrize(
    ("references", "asked", "message", "hint"),
    [
        (REFERENCES, "experimnet", "no case asked for has references of level 'experimnet'", "did you mean 'experiment'?"),
        (REFERENCES, "CCSD(T)", "'CCSD(T)'", "there are: PBE, experiment"),
        ((), "PBE", "no case asked for has reference values", "leave out --against"),
    ],
)  # fmt: skip
def test_level_that_nothing_can_be_compared_with_is_an_error(
    references: tuple[Reference, ...], asked: str, message: str, hint: str
) -> None:
    case = replace(CASE, references=references)
    work = Plan(request=Request(models=("a",), against=asked), tasks=(task("a", case=case),))
    with pytest.raises(UsageError) as error:
        tables.comparison(work, [])
    assert message in error.value.message
    assert hint in error.value.hint


def test_what_is_derived_uses_the_references_that_the_model_is_compared_with() -> None:
    def derive(values: dict[str, float], references: dict[str, float]) -> dict[str, float]:
        return {"share": 100 * abs(values["barrier"] / references["barrier"] - 1)}

    case = replace(CASE, references=REFERENCES)
    one = replace(task("a", case=case), benchmark=benchmark(derive=derive))
    results = [replace(ok("a", barrier=0.33), case=case.name)]
    for against, share in (("", 10.0), ("experiment", 100 * 0.12 / 0.45)):
        work = Plan(request=Request(models=("a",), against=against), tasks=(one,))
        (found,) = tables.comparison(work, results).tables
        assert found.rows[0].values["share"] == pytest.approx(share)
    failed = without("a", "failed", "why")
    (found,) = tables.comparison(Plan(request=Request(models=("a",)), tasks=(one,)), [failed]).tables
    assert found.rows == (failed,)


def test_tables_of_one_benchmark_follow_each_other_and_a_row_comes_once() -> None:
    one, two = benchmark(name="one"), benchmark(name="two")
    tasks = [
        replace(task("a", case=replace(CASE, name=c)), benchmark=b) for c in ("x", "y") for b in (two, one)
    ]
    results = [replace(ok("a", rmse=1.0), benchmark=b, case=c) for b in ("one", "two") for c in ("x", "y")]
    found = tables.comparison(Plan(request=Request(models=("a",)), tasks=(*tasks, *tasks)), results)
    assert [(t.benchmark.name, t.case.name) for t in found.tables] == [
        ("two", "x"), ("two", "y"), ("one", "x"), ("one", "y"),
    ]  # fmt: skip
    assert all(len(t.rows) == 1 for t in found.tables)


def test_models_with_one_reason_are_named_together() -> None:
    found = table(
        without("a", "unsupported", "does not know Si"),
        without("b", "unsupported", "has no stress"),
        without("c", "unsupported", "does not know Si"),
    )
    assert found.nobody_can
    assert notes.reasons(found) == "a, c (does not know Si); b (has no stress)"
    assert not table(without("a", "failed", "why"), without("b", "unsupported", "no")).nobody_can
    assert not table().nobody_can


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
    "absent",
    "cpu_time_s",
    "calculator_time_s",
}


def test_json_has_exactly_the_keys_of_the_contract() -> None:
    floor = ok("PBE, Γ point", rmse=0.001, is_floor=True)
    data = json.loads(to_json(comparison(ok("a", rmse=1 / 3), floors=(floor,))))
    assert set(data) == {"schema", "tables"}
    assert data["schema"] == "mlpzoo.compare/1"
    (found,) = data["tables"]
    assert set(found) == {"benchmark", "version", "case", "profile", "quantities", "rows", "references"}
    assert (found["benchmark"], found["version"]) == ("toy-forces", 3)
    assert (found["case"], found["profile"]) == ("cu-vacancy", "standard")
    (row,) = found["rows"]
    assert set(row) == ROW_KEYS | {"ties_with_best", "best", "against", "errors"}
    assert set(found["references"][0]) == ROW_KEYS | {"kind"}
    assert found["references"][0]["kind"] == "noise"
    assert set(row["provenance"]) == set(Provenance.__dataclass_fields__)


def test_json_numbers_have_full_precision_and_quantities_their_units() -> None:
    data = json.loads(to_json(comparison(ok("a", rmse=1 / 3, share=2 / 3))))
    (row,) = data["tables"][0]["rows"]
    assert row["values"] == {"rmse": 1 / 3, "share": 2 / 3}
    assert row["interval"] == {"rmse": [1 / 3 - 0.1, 1 / 3 + 0.1]}
    assert row["n_evaluations"] == 7
    assert row["wall_time_s"] == 1.5
    named = {q["name"]: q for q in data["tables"][0]["quantities"]}
    assert named["rmse"] == {
        "name": "rmse", "unit": "eV/Å", "title": "F RMSE", "decimals": 3, "better": "lower", "shown": True,
        "in_heading": False, "conditional": False,
    }  # fmt: skip
    assert named["count"]["shown"] is False


def test_json_says_in_which_columns_a_row_is_best_or_ties_with_the_best() -> None:
    a, b = ok("a", rmse=1.0, samples=[1.0, 1.0], share=1.0), ok("b", rmse=1.1, samples=[0.9, 1.3], share=1.0)
    data = json.loads(to_json(comparison(a, b)))
    rows = {row["model"]: (row["best"], row["ties_with_best"]) for row in data["tables"][0]["rows"]}
    assert rows == {"a": (["rmse", "share"], []), "b": (["share"], ["rmse"])}


def test_json_of_references_and_of_what_is_compared_with_them() -> None:
    melted = ok("m", rmse=2.0, absent={"barrier": "melted"})
    found = table(ok("a", barrier=0.25, rmse=1.0), melted, references=REFERENCES, levels={"a": "PBE"})
    (data,) = json.loads(to_json(tables.Comparison(tables=(found,))))["tables"]
    row, absent = data["rows"]
    assert (row["against"], row["errors"]) == ("PBE", {"barrier": pytest.approx(-0.05)})
    assert (absent["against"], absent["errors"], absent["absent"]) == ("", {}, {"barrier": "melted"})
    assert (row["cpu_time_s"], row["calculator_time_s"]) == (2.5, 1.2)
    pbe, experiment = data["references"]
    assert set(pbe) == ROW_KEYS | {"kind", "sources"}
    assert (pbe["kind"], pbe["model"], pbe["values"]) == ("value", "PBE", {"barrier": 0.30})
    assert experiment["sources"] == {"barrier": "doi 10.1/exp"}


def test_json_of_a_failed_row_has_no_numbers_and_the_whole_reason() -> None:
    data = json.loads(to_json(comparison(without("f", "failed", "died\nlast lines of stderr:\nno"))))
    (row,) = data["tables"][0]["rows"]
    assert (row["status"], row["values"], row["interval"]) == ("failed", {}, {})
    assert row["message"] == "died\nlast lines of stderr:\nno"


# -- cells -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(0.12345, 3, "0.123"), (12.0, 0, "12"), (0.0, 2, "0.00")]
)
def test_number_has_the_decimals_of_its_quantity(value: float, decimals: int, text: str) -> None:
    assert number(value, Quantity(name="q", unit="", title="q", decimals=decimals)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-1e-9, "0.000"), (1e-9, "0.000"), (0.5, "+0.500"), (-0.5, "-0.500")]
)
def test_value_that_rounds_to_zero_has_no_sign(value: float, text: str) -> None:
    assert number(value, Quantity(name="q", unit="", title="q", decimals=3), sign=True) == text
    assert number(value, Quantity(name="q", unit="", title="q", decimals=3)) == text.removeprefix("+")


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
