"""``mlpzoo compare`` as typed: formats, files, plans."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Done, Zoo

Cached = Callable[..., "Done"]


def test_json_is_the_contract_and_nothing_else_is_on_stdout(cached: Cached) -> None:
    done = cached("--format", "json")
    assert done.code == 0
    assert done.err == ""
    data = json.loads(done.out)
    assert data["schema"] == "mlpzoo.compare/1"
    tables = {(t["benchmark"], t["case"]): t for t in data["tables"]}
    assert set(tables) == {("toy-cells", f"toy-{e}") for e in ("cu", "al", "si")} | {("re-forces", "toy-cu")}
    forces = tables["re-forces", "toy-cu"]
    assert forces["profile"] == "smoke"
    assert [row["model"] for row in forces["rows"]] == ["toy/good", "emt/emt"]
    assert [row["model"] for row in forces["references"]] == ["EMT with noise"]
    assert [row["status"] for row in tables["toy-cells", "toy-si"]["rows"]] == ["unsupported"] * 2


def test_csv_holds_the_same_numbers_as_json(cached: Cached) -> None:
    data = json.loads(cached("-f", "json").out)
    expected = {
        (t["benchmark"], t["case"], row["model"], quantity): value
        for t in data["tables"]
        for row in (*t["rows"], *t["references"])
        for quantity, value in row["values"].items()
    }
    records = csv.DictReader(io.StringIO(cached("-f", "csv").out))
    found = {
        (r["benchmark"], r["case"], r["model"], r["quantity"]): float(r["value"])
        for r in records
        if r["value"]
    }
    assert found == expected
    assert len(found) > 40


def test_markdown_latex_and_terminal_hold_every_table(cached: Cached) -> None:
    assert cached("-f", "md").out.count("### ") == 3
    assert cached("-f", "latex").out.count(r"\begin{tabular}") == 3
    text = cached().out
    for heading in ("toy-cells v1 · toy-al · profile smoke", "re-forces v1 · toy-cu · profile smoke"):
        assert heading in text
    line = "toy-cells v1 · toy-si · profile smoke · unsupported: toy/good, emt/emt (does not know Si)"
    assert line in text.splitlines()


def test_hidden_columns_and_intervals_are_shown_when_asked_for(cached: Cached) -> None:
    assert "F MAE all" not in cached("-f", "md").out
    assert "F MAE all" in cached("-f", "md", "--columns", "all").out
    assert "[0." not in cached().out
    assert "[0." in cached("--intervals").out


@pytest.mark.parametrize("form", ["terminal", "md", "csv", "json", "latex"])
def test_output_goes_to_the_file_and_not_to_the_terminal(cached: Cached, tmp_path: Path, form: str) -> None:
    file = tmp_path / "table"
    shown = cached("-f", form)
    written = cached("-f", form, "--output", str(file))
    assert (written.code, written.out) == (0, "")
    assert file.read_text(encoding="utf-8") == shown.out
    assert "toy/good" in shown.out


def test_figures_are_drawn_from_stored_results(cached: Cached, tmp_path: Path) -> None:
    done = cached("--figures", str(tmp_path / "figures"))
    assert done.code == 0
    (figure,) = (tmp_path / "figures").iterdir()
    assert figure.name == "re-forces-toy-cu.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert done.err == f"drew {figure}\n"


def test_output_that_cannot_be_written_is_an_error_of_two_lines_before_anything_runs(
    zoo: Zoo, tmp_path: Path
) -> None:
    file = tmp_path / "no-such-directory" / "table.md"
    done = zoo(
        "compare", "-m", "toy/good", "-b", "toy-cells", "-s", "toy-cu", "-o", str(file), "--isolate", "never"
    )
    assert done.code == 2
    assert "no-such-directory" in done.err
    assert "toy-cells" not in done.err, "it ran first"
    assert not list((tmp_path / "home").rglob("*.json"))


def test_stored_results_are_printed_without_progress_and_at_once(cached: Cached) -> None:
    done = cached("--dry-run")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines() if "toy-" in line]
    assert {row[-1] for row in rows if "toy-si" not in row} == {"cached"}
    assert "run" not in {row[3] for row in rows}


def test_progress_is_on_stderr_and_quiet_is_silent(zoo: Zoo) -> None:
    arguments = (
        "compare",
        "-m",
        "toy/good",
        "-b",
        "toy-cells",
        "-s",
        "toy-cu",
        "--isolate",
        "never",
        "--fresh",
    )
    loud, quiet = zoo(*arguments), zoo(*arguments, "--quiet")
    assert "[1/1] toy/good · toy-cells · toy-cu: ok, 2 force calls" in loud.err
    assert quiet.err == ""
    assert "[1/1]" not in loud.out
    assert loud.out == quiet.out


def test_failed_row_makes_the_exit_code_1_and_is_explained(zoo: Zoo) -> None:
    done = zoo("compare", "-m", "toy/nan", "-b", "toy-cells", "-s", "toy-cu", "--isolate", "never", "-q")
    assert done.code == 1
    assert "✗" in done.out
    assert "toy/nan: toy/nan returned a non-finite forces on atom 0 for 4 atoms" in done.out


def test_unsupported_row_is_no_failure(zoo: Zoo) -> None:
    done = zoo("compare", "-m", "toy/good", "-b", "toy-cells", "-s", "toy-si")
    assert done.code == 0
    line = "toy-cells v1 · toy-si · profile standard · unsupported: toy/good (does not know Si)"
    assert line in done.out


def test_case_that_cannot_run_yet_is_named_beside_those_that_can(zoo: Zoo) -> None:
    done = zoo(
        "compare",
        "-m",
        "emt",
        "-s",
        "toy,liu2023-si-vacancy",
        "--profile",
        "smoke",
        "--isolate",
        "never",
        "-q",
    )
    assert done.code == 0
    assert "re-forces v1 · toy-cu" in done.out
    assert done.err.startswith("left out liu2023-si-vacancy: ")
    assert "mlpzoo data fetch liu2023-si-vacancy" in done.err


# -- references --------------------------------------------------------------------------------------


def test_properties_are_ranked_by_their_distance_to_the_reference(barriers: Cached) -> None:
    lines = barriers().out.splitlines()
    assert lines[0] == "toy-barrier v2 · prop-vacancy · profile standard · 108 atoms"
    cells = dict(line.rsplit(maxsplit=1) for line in lines if line.startswith((" prop", " PBE", " exp")))
    assert {name.strip(): value for name, value in cells.items()} == {
        "prop/good": "*0.71", "prop/rough †": "0.65", "prop/melts": "melted", "PBE": "0.70", "experiment": "0.66",
    }  # fmt: skip
    assert "* or bold: closest to PBE" in lines
    assert "† prop/rough: level of theory empirical, compared with PBE" in lines
    assert lines[-3:-1] == ["PBE: doi of PBE", "experiment: doi of experiment"]


def test_against_another_level_another_one_is_best(barriers: Cached) -> None:
    (table,) = json.loads(barriers("--against", "Experiment", "-f", "json").out)["tables"]
    assert {row["model"]: (row["best"], row["against"]) for row in table["rows"]} == {
        "prop/good": ([], "experiment"), "prop/rough": (["barrier"], "experiment"), "prop/melts": ([], ""),
    }  # fmt: skip
    assert [(row["kind"], row["model"]) for row in table["references"]] == [
        ("value", "PBE"), ("value", "experiment"),
    ]  # fmt: skip


def test_level_without_references_is_an_error_before_anything_runs(barriers: Cached, tmp_path: Path) -> None:
    done = barriers("--against", "experimant")
    assert done.code == 2
    error, hint = done.err.splitlines()
    assert error == "error: no case asked for has references of level 'experimant'"
    assert hint == "hint: did you mean 'experiment'? there are: PBE, experiment"
    assert not list((tmp_path / "home" / "results").glob("*.json"))


def test_level_asked_for_changes_no_stored_result(barriers: Cached) -> None:
    barriers()
    done = barriers("--against", "experiment", "--dry-run")
    assert done.out.count("cached") == 3


def test_errors_and_costs_are_columns_when_asked_for(barriers: Cached) -> None:
    text = barriers("--errors", "--costs", "-f", "md").out
    assert "| model | Δ E_m (eV) | force calls | CPU (s) | wall (s) | harness (%) |" in text
    assert "| prop/good | **+0.01** |" in text
    assert "| prop/rough † | -0.05 |" in text


# -- plans -------------------------------------------------------------------------------------------


def test_dry_run_says_what_would_run_where_and_runs_nothing(zoo: Zoo, framed: None, tmp_path: Path) -> None:
    del framed
    done = zoo("compare", "-m", "toy/exit,framed", "-b", "toy-cells", "-s", "toy-cu,toy-si", "--dry-run")
    assert done.code == 0
    rows = {
        tuple(line.split()[:3]): " ".join(line.split()[3:])
        for line in done.out.splitlines()
        if "toy-" in line
    }
    assert rows == {
        ("toy/exit", "toy-cells", "toy-cu"): "run in this Python",
        ("framed/one", "toy-cells", "toy-cu"): "run in environment framed (to be created)",
        ("toy/exit", "toy-cells", "toy-si"): "unsupported does not know Si",
        ("framed/one", "toy-cells", "toy-si"): "unsupported does not know Si",
    }
    assert not list((tmp_path / "home" / "results").iterdir())
    assert not list((tmp_path / "home").glob("envs/*"))


def test_never_isolated_without_the_framework_is_an_error_with_a_hint(zoo: Zoo, framed: None) -> None:
    del framed
    done = zoo("compare", "-m", "framed", "-b", "toy-cells", "-s", "toy-cu", "--isolate", "never")
    assert done.code == 2
    error, hint = done.err.splitlines()
    assert "no_such_framework cannot be imported here" in error
    assert "--isolate never" in hint
