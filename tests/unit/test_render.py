"""Tables as Markdown, CSV, LaTeX, JSON and for the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from zoo_tables import QUANTITIES, comparison, ok, without

from mlpzoo import plugins
from mlpzoo.benchmark import Quantity
from mlpzoo.registry import Registry
from mlpzoo.render import View, render, terminal
from mlpzoo.table import Comparison

LEGEND = "bold: best of its column"
DEATH = "the worker was killed by SIGSEGV\nlast lines of stderr:\nFatal error"
HOSTILE = r"mace:/a_b/50%&x#1$~^{y}\z.model"


@pytest.fixture
def mixed() -> Comparison:
    """Two ranked models, one failed, one unsupported, one reference row."""
    return comparison(
        ok("mace/si", rmse=0.25, share=10.0, ratio=1.5),
        ok("nequip/si", rmse=0.125, share=10.0, ratio=1.25),
        without("bad/one", "failed", DEATH),
        without("lj/ar", "unsupported", "does not know Cu"),
        floors=(ok("PBE, Γ point", rmse=0.0625, share=1.0, ratio=1.0, is_floor=True),),
    )


def printed(found: Comparison, width: int = 160, **options: Any) -> str:
    """What the terminal shows, without styles."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for item in terminal.render(found, View(**options), width=width):
        console.print(item)
    return console.file.getvalue()


def styled(found: Comparison) -> str:
    """What the terminal shows, with styles."""
    console = Console(
        file=io.StringIO(), width=160, highlight=False, force_terminal=True, color_system="standard"
    )
    for item in terminal.render(found, View()):
        console.print(item)
    return console.file.getvalue()


def md_rows(text: str) -> list[list[str]]:
    """Cells of a Markdown table, split at pipes that are not escaped."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# -- Markdown ----------------------------------------------------------------------------------------


def test_markdown_of_a_mixed_table(mixed: Comparison) -> None:
    assert md_rows(render(mixed, "md")) == [
        ["model", "F RMSE (eV/Å)", "share>30° (%)", "RE/all"],
        ["---", "---:", "---:", "---:"],
        ["mace/si", "0.250", "**10.0**", "1.50"],
        ["nequip/si", "**0.125**", "**10.0**", "1.25"],
        ["bad/one", "✗", "✗", "✗"],
        ["lj/ar", "—", "—", "—"],
        ["*PBE, Γ point*", "0.062", "1.0", "1.00"],
    ]


def test_markdown_names_benchmark_version_case_profile_and_reference(mixed: Comparison) -> None:
    assert render(mixed, "md").startswith(
        "### toy-forces v3 · cu-vacancy · profile standard · reference PBE\n"
    )


def test_markdown_has_a_note_for_every_row_without_numbers(mixed: Comparison) -> None:
    notes = [line for line in render(mixed, "md").splitlines() if line.startswith("- ")]
    assert notes == ["- bad/one: the worker was killed by SIGSEGV", "- lj/ar: does not know Cu"]


def test_legend_is_printed_only_where_something_is_marked(mixed: Comparison) -> None:
    alone = comparison(ok("a", rmse=1.0))
    for form in ("md", "latex"):
        assert LEGEND in render(mixed, form)
        assert LEGEND not in render(alone, form)
    assert f"* or {LEGEND}" in printed(mixed)
    assert LEGEND not in printed(alone)


def test_markdown_escapes_pipes_of_names_and_titles() -> None:
    quantities = (Quantity(name="rmse", unit="eV", title="|δF|"),)
    found = comparison(
        ok("mace:/a|b.model", rmse=1.0), floors=(ok("x|y", rmse=1.0, is_floor=True),), quantities=quantities
    )
    rows = md_rows(render(found, "md"))
    assert [len(row) for row in rows] == [2, 2, 2, 2]
    assert rows[0][1] == r"\|δF\| (eV)"
    assert rows[2][0] == r"mace:/a\|b.model"
    assert rows[3][0] == r"*x\|y*"


def test_column_that_no_row_fills_is_dropped(mixed: Comparison) -> None:
    assert "E_m" not in render(mixed, "md")
    assert "E_m" not in render(mixed, "latex", View(all_columns=True))
    assert "E_m" not in printed(mixed)


def test_column_that_only_the_reference_fills_is_kept() -> None:
    found = comparison(ok("a", rmse=1.0), floors=(ok("ref", barrier=0.5, is_floor=True),))
    assert md_rows(render(found, "md"))[0] == ["model", "F RMSE (eV/Å)", "E_m (eV)"]


def test_hidden_columns_are_shown_when_all_are_asked_for() -> None:
    found = comparison(ok("a", rmse=1.0, count=3.0))
    assert md_rows(render(found, "md"))[0] == ["model", "F RMSE (eV/Å)"]
    assert md_rows(render(found, "md", View(all_columns=True)))[0] == ["model", "F RMSE (eV/Å)", "n"]


@pytest.mark.parametrize("form", ["md", "latex", "csv", "json"])
def test_table_in_which_every_row_failed_still_has_its_rows(form: str) -> None:
    found = comparison(without("a", "failed", "why a"), without("b", "failed", "why b"))
    text = render(found, form)  # type: ignore[arg-type]
    assert "why a" in text
    assert "why b" in text
    if form == "md":
        assert md_rows(text)[2:] == [["a", "✗", "✗", "✗", "✗"], ["b", "✗", "✗", "✗", "✗"]]
    if form == "latex":
        assert text.count(r"$\times$") == 8


def test_several_tables_follow_each_other(mixed: Comparison) -> None:
    other = replace(mixed.tables[0], case=replace(mixed.tables[0].case, name="al-vacancy"))
    text = render(Comparison(tables=(*mixed.tables, other)), "md")
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### toy-forces v3 · cu-vacancy · profile standard · reference PBE",
        "### toy-forces v3 · al-vacancy · profile standard · reference PBE",
    ]


# -- CSV ---------------------------------------------------------------------------------------------


def records(found: Comparison) -> list[dict[str, str]]:
    """CSV read back."""
    return list(csv.DictReader(io.StringIO(render(found, "csv"))))


def test_csv_has_full_precision_and_the_interval() -> None:
    found = comparison(ok("a", rmse=1 / 3, count=2.0))
    first, second = records(found)
    assert float(first["value"]) == 1 / 3
    assert (float(first["low"]), float(first["high"])) == (1 / 3 - 0.1, 1 / 3 + 0.1)
    assert first["unit"] == "eV/Å"
    assert (second["quantity"], second["low"], second["high"]) == ("count", "", "")


def test_csv_has_one_line_a_number_and_one_for_each_row_without(mixed: Comparison) -> None:
    lines = [(r["row"], r["model"], r["status"], r["quantity"]) for r in records(mixed)]
    assert lines == [
        *(("model", m, "ok", q) for m in ("mace/si", "nequip/si") for q in ("rmse", "share", "ratio")),
        ("model", "bad/one", "failed", ""),
        ("model", "lj/ar", "unsupported", ""),
        *(("reference", "PBE, Γ point", "ok", q) for q in ("rmse", "share", "ratio")),
    ]


def test_csv_marks_best_and_tie_as_numbers(mixed: Comparison) -> None:
    marks = {(r["model"], r["quantity"]): (r["best"], r["tie"]) for r in records(mixed) if r["quantity"]}
    assert marks["nequip/si", "rmse"] == ("1", "0")
    assert marks["mace/si", "rmse"] == ("0", "0")
    assert marks["nequip/si", "share"] == ("1", "0")
    assert marks["PBE, Γ point", "rmse"] == ("0", "0")


def test_csv_survives_commas_quotes_and_newlines() -> None:
    name = 'f:/a, "b".model'
    (record,) = records(comparison(without(name, "failed", 'he said "no", and\ndied')))
    assert record["model"] == name
    assert record["message"] == 'he said "no", and'
    assert None not in record.values()


# -- LaTeX -------------------------------------------------------------------------------------------


def tex_problems(text: str) -> list[str]:
    """What a LaTeX compiler would stop at, as far as can be told without one."""
    problems = []
    open_: list[str] = []
    for verb, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if verb == "begin":
            open_.append(name)
        elif not open_ or open_.pop() != name:
            problems.append(f"\\end{{{name}}} without its \\begin")
    problems += [f"\\begin{{{name}}} without its \\end" for name in open_]
    bare = re.sub(r"\\[\\&%$#_{}]", "", text)
    if bare.count("{") != bare.count("}"):
        problems.append("braces do not match")
    problems += [f"{sign} is not escaped" for sign in "%#~" if sign in bare]
    if bare.count("$") % 2:
        problems.append("a formula does not end")
    outside = re.sub(r"\$[^$]*\$", "", bare)
    problems += [f"{sign} outside of a formula" for sign in "_^" if sign in outside]
    problems += [f"{sign!r} is not ASCII" for sign in sorted(set(text)) if ord(sign) > 127]
    return problems


def tex_rows(text: str) -> list[list[str]]:
    """Cells of the rows."""
    lines = [line.removesuffix(r" \\") for line in text.splitlines() if line.endswith(r" \\")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", line)] for line in lines]


def test_latex_of_a_mixed_table_is_well_formed(mixed: Comparison) -> None:
    text = render(mixed, "latex")
    assert tex_problems(text) == []
    assert text.startswith("\\begin{table}\n\\centering\n\\caption{toy-forces v3")
    assert r"\begin{tabular}{lrrr}" in text
    assert tex_rows(text) == [
        ["model", r"F RMSE (eV/\AA{})", r"share$>$30$^\circ$ (\%)", "RE/all"],
        ["mace/si", "0.250", r"\textbf{10.0}", "1.50"],
        ["nequip/si", r"\textbf{0.125}", r"\textbf{10.0}", "1.25"],
        ["bad/one", *[r"$\times$"] * 3],
        ["lj/ar", *["---"] * 3],
        [r"PBE, $\Gamma$ point", "0.062", "1.0", "1.00"],
    ]
    assert text.count(r"\midrule") == 2, "one below the header, one above the references"


def test_latex_escapes_what_names_and_messages_hold() -> None:
    found = comparison(
        without(HOSTILE, "failed", f"{HOSTILE} is broken\nand more"),
        floors=(ok(HOSTILE, rmse=1.0, is_floor=True),),
    )
    text = render(found, "latex")
    assert tex_problems(text) == []
    assert {len(row) for row in tex_rows(text)} == {2}
    assert r"mace:/a\_b/50\%\&x\#1\$\textasciitilde{}\textasciicircum{}\{y\}\textbackslash{}z.model" in text


def test_latex_of_every_title_of_the_core_is_well_formed() -> None:
    for name, entry in Registry(plugins.load([], entry_points=False)).benchmarks.items():
        quantities = entry.item.quantities
        found = comparison(ok("a", **{q.name: 1.0 for q in quantities}), quantities=quantities)
        assert tex_problems(render(found, "latex", View(all_columns=True))) == [], name


def test_the_check_for_latex_sees_faults() -> None:
    assert tex_problems(r"\begin{a}\end{b}") != []
    assert tex_problems("50%") != []
    assert tex_problems("a_b") != []
    assert tex_problems(r"\textbf{x") != []
    assert tex_problems("⟨x⟩") != []


# -- JSON --------------------------------------------------------------------------------------------


def test_json_ends_with_a_newline_and_holds_every_quantity(mixed: Comparison) -> None:
    text = render(mixed, "json")
    assert text.endswith("}\n")
    assert [q["name"] for q in json.loads(text)["tables"][0]["quantities"]] == [q.name for q in QUANTITIES]


# -- terminal ----------------------------------------------------------------------------------------


def test_terminal_shows_units_below_titles_and_every_row_in_order(mixed: Comparison) -> None:
    lines = printed(mixed).splitlines()
    assert lines[0] == "toy-forces v3 · cu-vacancy · profile standard · reference PBE"
    header = next(i for i, line in enumerate(lines) if "F RMSE" in line)
    assert "eV/Å" in lines[header + 1]
    assert "%" in lines[header + 1]
    names = ["mace/si", "nequip/si", "bad/one", "lj/ar", "PBE, Γ point"]
    places = [next(i for i, line in enumerate(lines) if name in line) for name in names]
    assert places == sorted(places)
    cells = {name: lines[place].replace(name, "").split() for name, place in zip(names, places, strict=True)}
    assert cells["mace/si"] == ["0.250", "*10.0", "1.50"]
    assert cells["nequip/si"] == ["*0.125", "*10.0", "1.25"]
    assert cells["bad/one"] == ["✗", "✗", "✗"]
    assert cells["lj/ar"] == ["—", "—", "—"]


def test_terminal_shows_the_whole_reason_of_a_failure(mixed: Comparison) -> None:
    assert f"bad/one: {DEATH}" in printed(mixed)


def test_terminal_prints_intervals_below_values_when_asked(mixed: Comparison) -> None:
    assert "[0.150, 0.350]" in printed(mixed, intervals=True)
    assert "[0.150, 0.350]" not in printed(mixed)


def test_terminal_makes_the_best_bold_and_the_failed_red(mixed: Comparison) -> None:
    text = styled(mixed)
    assert re.search(r"\x1b\[1m *\*0\.125\x1b\[0m", text)
    assert re.search(r"\x1b\[31m *✗\x1b\[0m", text)
    assert not re.search(r"\x1b\[1m *0\.250", text)


def test_terminal_keeps_brackets_of_names_as_they_are() -> None:
    found = comparison(without("f:/[bold]x[/bold].model", "failed", "[red]no[/red]"))
    text = printed(found)
    assert "f:/[bold]x[/bold].model" in text
    assert "[red]no[/red]" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_terminal_of_any_width_keeps_every_number_whole(width: int) -> None:
    """A number that is folded or cut reads as another number."""
    from mlpzoo.benchmarks import re_forces

    quantities = [q for q in re_forces.SPEC.quantities if q.shown]
    names = (
        "mace/si-small",
        "nequip/si-small",
        "mace:/home/someone/silicon/run-12/my.model",
        "PBE, coarser mesh",
    )
    rows = [
        ok(name, **{q.name: 10.0 * i + j + 0.1234 for j, q in enumerate(quantities)})
        for i, name in enumerate(names, start=1)
    ]
    floor = replace(rows.pop(), is_floor=True)
    text = printed(comparison(*rows, floors=(floor,), quantities=tuple(quantities)), width=width)
    assert max(map(len, text.splitlines())) <= width
    for row in (*rows, floor):
        for q in quantities:
            number = f"{row.values[q.name]:.{q.decimals}f}"
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", text), (
                f"{number} ({q.name} of {row.model})"
            )
    for q in quantities:
        assert not q.unit or q.unit in text
