"""Tables of properties: reference rows, words in cells, deviations, costs, headings, tables that nobody can fill."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from zoo_tables import REFERENCES, comparison, ok, table, without

from mlpzoo.benchmark import Quantity, Reference
from mlpzoo.render import View, render, terminal
from mlpzoo.render.view import heading
from mlpzoo.table import Comparison

LEVELS = {"mace/si": "PBE", "nequip/si": "PBE", "tersoff/si": "empirical"}


def properties(**changes: Any) -> Comparison:
    """Barriers of four models, one of which melted, with two levels of reference values."""
    rows = (
        ok("mace/si", barrier=0.31, rmse=0.25),
        ok("nequip/si", barrier=0.305, interval={"barrier": (0.295, 0.315)}),
        ok("tersoff/si", barrier=0.5),
        ok("lj/si", absent={"barrier": "→ split <110>"}),
    )
    return Comparison(tables=(table(*rows, references=REFERENCES, levels=LEVELS, **changes),))


def printed(found: Comparison, width: int = 160, **options: Any) -> str:
    """What the terminal shows, without styles."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for item in terminal.render(found, View(**options), width=width):
        console.print(item)
    return console.file.getvalue()


def cells(text: str) -> dict[str, list[str]]:
    """Row title to the cells of a Markdown table."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def records(found: Comparison, view: View | None = None) -> list[dict[str, str]]:
    """CSV read back."""
    return list(csv.DictReader(io.StringIO(render(found, "csv", view))))


# -- Markdown and notes ------------------------------------------------------------------------------


def test_markdown_has_reference_rows_words_and_marks() -> None:
    text = render(properties(), "md")
    assert cells(text) == {
        "model": ["F RMSE (eV/Å)", "E_m (eV)"],
        "---": ["---:", "---:"],
        "mace/si": ["0.250", "≈ 0.310"],
        "nequip/si": ["—", "**0.305**"],
        "tersoff/si †": ["—", "0.500"],
        "lj/si": ["—", r"*→ split \<110>*"],
        "*PBE*": ["—", "0.300"],
        "*experiment*": ["—", "0.450"],
    }
    legend = "bold: closest to PBE; ≈: a tie with it (distances overlap within their 95 % intervals, or are"
    assert text.endswith(
        f"\n\n{legend} printed alike)\n\n"
        "- † tersoff/si: level of theory empirical, compared with PBE\n"
        "- PBE: mlpzoo reference (QE 6.7)\n"
        "- experiment: doi 10.1/exp\n"
    )


def test_legend_explains_only_the_marks_that_there_are() -> None:
    two = comparison(ok("a", rmse=1.0), ok("b", rmse=2.0))
    assert "bold: best of its column\n" in render(two, "md")
    assert "≈" not in render(two, "md")
    tie = comparison(ok("a", rmse=1.0, samples=[1.0, 1.0]), ok("b", rmse=1.1, samples=[0.9, 1.3]))
    assert "≈: a tie with it (95 % interval of the paired difference holds 0)" in render(tie, "md")
    assert "closest" not in render(tie, "md")


def test_column_of_which_only_words_are_known_is_shown() -> None:
    found = comparison(ok("a", absent={"barrier": "melted"}), ok("b", absent={"barrier": "exploded"}))
    assert cells(render(found, "md")) == {
        "model": ["E_m (eV)"], "---": ["---:"], "a": ["*melted*"], "b": ["*exploded*"],
    }  # fmt: skip


def test_column_that_only_a_reference_fills_is_not_shown_nor_a_reference_of_hidden_columns() -> None:
    more = (*REFERENCES, Reference(quantity="count", value=3.0, level_of_theory="LDA", source="s"))
    found = Comparison(tables=(table(ok("a", barrier=0.3), references=more),))
    assert set(cells(render(found, "md"))) == {"model", "---", "a †", "*PBE*", "*experiment*"}
    only = Comparison(tables=(table(ok("a", rmse=0.3), references=REFERENCES),))
    assert cells(render(only, "md"))["model"] == ["F RMSE (eV/Å)"]


# -- deviations --------------------------------------------------------------------------------------


def test_errors_are_signed_deviations_and_reference_rows_keep_their_values() -> None:
    found = cells(render(properties(), "md", View(errors=True)))
    assert found["model"] == ["F RMSE (eV/Å)", "Δ E_m (eV)"]
    assert found["mace/si"] == ["0.250", "≈ +0.010"]
    assert found["nequip/si"] == ["—", "**+0.005**"]
    assert found["tersoff/si †"] == ["—", "+0.200"]
    assert found["lj/si"] == ["—", r"*→ split \<110>*"]
    assert found["*PBE*"] == ["—", "0.300"]
    against = cells(render(properties(against="experiment"), "md", View(errors=True)))
    assert against["mace/si †"][1] == "-0.140"


def test_interval_of_a_deviation_is_one_of_deviations() -> None:
    assert "[-0.005, +0.015]" in printed(properties(), errors=True, intervals=True)
    assert "[0.295, 0.315]" in printed(properties(), intervals=True)


def test_errors_without_references_are_values() -> None:
    found = comparison(ok("a", barrier=0.3), ok("b", barrier=0.4))
    assert render(found, "md", View(errors=True)) == render(found, "md")


def test_value_without_a_reference_beside_deviations_says_so() -> None:
    more = (*REFERENCES, Reference(quantity="e", value=1.0, level_of_theory="experiment", source="s"))
    quantities = (Quantity(name="barrier", unit="eV", title="E_m", better="closer"),
                  Quantity(name="e", unit="eV", title="E", better="closer"))  # fmt: skip
    rows = (ok("a", barrier=0.3, e=2.0), ok("b", barrier=0.3, e=2.0))
    levels = {"a": "PBE", "b": "experiment"}
    made = table(*rows, references=more, levels=levels, quantities=quantities)
    found = cells(render(Comparison(tables=(made,)), "md", View(errors=True)))
    assert found["a"] == ["**0.000**", "*no reference*"]
    assert found["b"] == ["-0.150", "+1.000"]


# -- costs -------------------------------------------------------------------------------------------


def test_costs_are_columns_of_model_rows_and_never_ranked() -> None:
    floor = ok("noise", rmse=0.1, is_floor=True)
    failed = replace(without("f", "failed", "died"), wall_time_s=12.34)
    found = comparison(
        ok("a", rmse=1.0), ok("b", rmse=2.0), failed, without("u", "unsupported", "no"), floors=(floor,)
    )
    shown = cells(render(found, "md", View(costs=True)))
    assert shown["model"][1:] == ["force calls", "CPU (s)", "wall (s)", "harness (%)"]
    assert shown["a"] == ["**1.000**", "7", "2.5", "1.5", "20.0"]
    assert shown["f"] == ["✗", "—", "—", "12.3", "—"]
    assert shown["u"] == ["—"] * 5
    assert shown["*noise*"] == ["0.100", "—", "—", "—", "—"]
    assert "force calls" not in render(found, "md")


def test_costs_are_lines_of_csv_only_when_asked_for() -> None:
    found = comparison(ok("a", rmse=1.0))
    asked = {r["quantity"]: (r["unit"], r["value"]) for r in records(found, View(costs=True))}
    assert asked == {
        "rmse": ("eV/Å", "1.0"), "n_evaluations": ("", "7.0"), "cpu_time_s": ("s", "2.5"),
        "wall_time_s": ("s", "1.5"), "harness": ("%", asked["harness"][1]),
    }  # fmt: skip
    assert float(asked["harness"][1]) == pytest.approx(20.0)
    assert [r["quantity"] for r in records(found)] == ["rmse"]


# -- CSV ---------------------------------------------------------------------------------------------


def test_csv_only_grew_at_its_end() -> None:
    header = render(properties(), "csv").splitlines()[0].split(",")
    assert header[:15] == [
        *("benchmark", "version", "case", "profile", "row", "model", "status"),
        *("quantity", "unit", "value", "low", "high", "best", "tie", "message"),
    ]
    assert header[15:] == ["absent", "against", "reference", "source"]


def test_csv_of_values_words_and_references() -> None:
    found = {(r["model"], r["quantity"]): r for r in records(properties())}
    row = found["nequip/si", "barrier"]
    assert (row["value"], row["low"], row["high"], row["best"]) == ("0.305", "0.295", "0.315", "1")
    assert (row["against"], row["reference"], row["source"]) == ("PBE", "0.3", "")
    assert found["mace/si", "rmse"]["against"] == ""
    words = found["lj/si", "barrier"]
    assert (words["value"], words["absent"], words["status"]) == ("", "→ split <110>", "ok")
    reference = found["experiment", "barrier"]
    assert (reference["row"], reference["value"]) == ("reference", "0.45")
    assert reference["source"] == "doi 10.1/exp"
    assert all(None not in r and None not in r.values() for r in found.values())


# -- LaTeX -------------------------------------------------------------------------------------------


def test_latex_of_properties() -> None:
    text = render(properties(), "latex", View(costs=True))
    assert r"tersoff/si $^\dagger$ & --- & 0.500" in text
    assert r"\textit{$\rightarrow$ split $<$110$>$}" in text
    assert r"nequip/si & --- & \textbf{0.305} & 7" in text
    assert r"PBE & --- & 0.300 & ---" in text
    assert r"\par\footnotesize bold: closest to PBE; $\approx$: a tie with it" in text
    assert r"\par\footnotesize experiment: doi 10.1/exp" in text
    assert text.count(r"\midrule") == 2
    assert text.isascii()


# -- terminal ----------------------------------------------------------------------------------------


def test_terminal_prints_words_dim_and_italic() -> None:
    console = Console(
        file=io.StringIO(), width=160, highlight=False, force_terminal=True, color_system="standard"
    )
    for item in terminal.render(properties(), View()):
        console.print(item)
    assert re.search(r"\x1b\[2;3m *→ split <110>\x1b\[0m", console.file.getvalue())


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("errors", [False, True])
def test_terminal_of_many_columns_keeps_every_cell_whole(width: int, errors: bool) -> None:
    names = ("a0", "bulk modulus", "C11", "C12", "C44", "E_f relaxed", "E_f unrelaxed", "E_m", "fmax")
    quantities = tuple(
        Quantity(name=f"q{i}", unit="GPa", title=title, better="closer") for i, title in enumerate(names)
    )
    references = tuple(
        Reference(quantity=q.name, value=100.0 + i, level_of_theory="PBE", source=f"doi 10.1/{i}")
        for i, q in enumerate(quantities)
    )
    values = {q.name: 123.4567 + i for i, q in enumerate(quantities)}
    found = table(
        ok("mace:/home/someone/silicon/my.model", **values),
        ok("b", absent={q.name: "too few hops" for q in quantities}),
        quantities=quantities,
        references=references,
    )
    text = printed(Comparison(tables=(found,)), width, errors=errors, costs=True)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("too few hops") == len(names)
    for q in quantities:
        value = (
            f"{values[q.name] - found.reference(found.rows[0], q):+.3f}"
            if errors
            else f"{values[q.name]:.3f}"
        )
        assert re.search(rf"(?<![\d.]){re.escape(value)}(?!\d)", text)
    assert "force calls" in " ".join(text.split())


# -- headings ----------------------------------------------------------------------------------------

COUNTS = (
    Quantity(name="n", unit="", title="atoms", decimals=0, better="none", in_heading=True),
    Quantity(name="f", unit="eV/Å", title="fmax", decimals=2, better="none", in_heading=True),
    Quantity(name="rmse", unit="eV/Å", title="F RMSE"),
)


def test_heading_has_the_sizes_that_all_rows_share() -> None:
    failed = without("c", "failed", "why")
    found = table(ok("a", n=64, f=0.02, rmse=1.0), ok("b", n=64, f=0.02, rmse=2.0), failed, quantities=COUNTS)
    assert heading(found) == (
        "toy-forces v3 · cu-vacancy · profile standard · 64 atoms, fmax 0.02 eV/Å · reference PBE"
    )
    shown = cells(render(Comparison(tables=(found,)), "md"))
    assert shown["model"] == ["F RMSE (eV/Å)"]
    every = cells(render(Comparison(tables=(found,)), "md", View(all_columns=True)))
    assert every["a"][:2] == ["64", "0.02"]


def test_size_that_rows_do_not_share_is_a_column_instead() -> None:
    found = table(ok("a", n=64, f=0.02, rmse=1.0), ok("b", n=108, f=0.02, rmse=2.0), quantities=COUNTS)
    assert "64" not in heading(found)
    assert "fmax 0.02 eV/Å" in heading(found)
    assert cells(render(Comparison(tables=(found,)), "md"))["b"] == ["108", "2.000"]


def test_heading_of_a_table_without_numbers_has_no_sizes_nor_columns_of_them() -> None:
    found = table(without("a", "failed", "why"), quantities=COUNTS)
    assert heading(found) == "toy-forces v3 · cu-vacancy · profile standard · reference PBE"
    assert cells(render(Comparison(tables=(found,)), "md"))["model"] == ["F RMSE (eV/Å)"]


# -- tables that nobody can fill ---------------------------------------------------------------------


def test_table_in_which_nobody_can_is_one_line() -> None:
    rows = [without(m, "unsupported", "does not know Cu") for m in ("a", "b")]
    found = comparison(*rows, floors=(ok("noise", rmse=0.1, is_floor=True),))
    line = (
        "toy-forces v3 · cu-vacancy · profile standard · reference PBE · unsupported: a, b (does not know Cu)"
    )
    assert render(found, "md") == f"{line}\n"
    assert printed(found).split("\n") == [line, "", ""]
    assert render(found, "latex").startswith("% toy-forces v3")
    assert [r["model"] for r in records(found)] == ["a", "b", "noise"], "csv holds everything"
