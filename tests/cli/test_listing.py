"""``mlpzoo models | benchmarks | systems | plugins | data list | env list | check``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlpzoo import wire
from mlpzoo.errors import WorkerError

if TYPE_CHECKING:
    from conftest import Zoo


@pytest.fixture
def listed(zoo: Zoo) -> Callable[..., Any]:
    """``listed("models")``: what ``--json`` prints."""

    def read(*arguments: str) -> Any:
        done = zoo(*arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    return read


def test_models_are_listed_with_what_they_know_and_where_they_run(
    listed: Callable[..., Any], framed: None
) -> None:
    del framed
    rows = {row["model"]: row for row in listed("models")}
    assert rows["toy/good"]["elements"] == "Cu Al"
    assert rows["toy/good"]["properties"] == ["energy", "forces"]
    assert rows["toy/good"]["runs in"] == "this Python"
    assert rows["framed/one"]["runs in"] == "its environment"
    assert "emt/emt" in rows


def test_models_can_be_chosen_by_elements(listed: Callable[..., Any]) -> None:
    both = {row["model"] for row in listed("models", "--elements", "Cu,Al")}
    assert "toy/good" in both
    silicon = {row["model"] for row in listed("models", "--elements", "Si")}
    assert not any(name.startswith("toy/") for name in silicon)
    assert any(name.startswith("tersoff/") for name in silicon)


def test_one_model_is_shown_with_its_whole_card(zoo: Zoo, listed: Callable[..., Any]) -> None:
    (card,) = listed("models", "toy/good")
    assert card["name"] == "toy/good"
    assert card["level_of_theory"] == "Morse"
    text = zoo("models", "toy/good").out
    assert "level_of_theory" in text
    assert "None" not in text


FETCHED = """
from mlpzoo import ModelCard, hookimpl
from mlpzoo.models import Checkpoint

class Backend:
    family = "heavy"
    requires = ()
    lock_file = None

    def cards(self):
        weights = Checkpoint(url="https://example.org/net.model")
        return [ModelCard(name="heavy/net", family="heavy", elements=("Si",), properties=("energy",),
                          licence="not for sale", checkpoint=weights)]

    def calculator(self, spec):
        raise NotImplementedError

@hookimpl
def mlpzoo_register_backends():
    return [Backend()]
"""


def test_a_licence_can_be_read_before_the_weights_are_fetched(
    zoo: Zoo, install: Callable[[str, str], Path]
) -> None:
    install("mlpzoo-heavy", FETCHED)
    for name in ("heavy", "heavy/net", "heavy/*"):
        done = zoo("models", name)
        assert (done.code, done.err) == (0, "")
        assert "not for sale" in done.out


def test_benchmarks_and_systems_name_their_cases(listed: Callable[..., Any]) -> None:
    rows = {row["benchmark"]: row for row in listed("benchmarks")}
    assert rows["toy-cells"]["cases"] == ["toy-cu", "toy-al", "toy-si"]
    assert "toy-cu" in rows["re-forces"]["cases"]
    states = {(row["benchmark"], row["case"]): row["state"] for row in listed("systems")}
    assert states["re-forces", "toy-cu"] == "ready"
    assert "mlpzoo data fetch liu2023-si-vacancy" in states["re-forces", "liu2023-si-vacancy"]


def test_one_benchmark_is_shown_with_its_quantities_and_cases(zoo: Zoo, listed: Callable[..., Any]) -> None:
    (row,) = listed("benchmarks", "re-forces")
    assert row["benchmark"] == "re-forces"
    text = zoo("benchmarks", "re-forces").out
    assert text.startswith("re-forces v1: ")
    assert "toy-cu" in text
    for quantity in ("force_rmse_re", "energy_offset", "n_snapshots"):
        assert quantity in text
    assert "toy-cells" not in text


def test_one_system_is_shown_with_every_benchmark_and_its_references(
    zoo: Zoo, listed: Callable[..., Any], barriers: Callable[..., Any]
) -> None:
    del barriers  # installs the plugin
    (row,) = listed("systems", "prop")
    assert row["references"] == ["PBE", "experiment"]
    text = zoo("systems", "prop-vac*").out
    assert "toy-barrier" in text
    assert "PBE, experiment" in text
    assert {r["benchmark"] for r in listed("systems", "toy")} == {"toy-cells", "re-forces"}


def test_list_of_systems_has_one_line_a_case(zoo: Zoo) -> None:
    lines = [line.split() for line in zoo("systems").out.splitlines()]
    assert ["toy", "toy-cu", "re-forces,", "toy-cells"] in lines
    assert sum(line[:2] == ["toy", "toy-cu"] for line in lines) == 1
    assert ["liu2023-si", "liu2023-si-vacancy", "(re-forces)"] in lines


@pytest.mark.parametrize("command", ["models", "benchmarks", "systems", "plugins"])
def test_tables_show_what_json_holds(zoo: Zoo, listed: Callable[..., Any], command: str) -> None:
    text = zoo(command).out
    for row in listed(command):
        assert str(next(iter(row.values()))) in text


def test_plugins_are_listed_with_version_and_what_they_registered(listed: Callable[..., Any]) -> None:
    rows = {row["plugin"]: row for row in listed("plugins")}
    assert rows["toys"]["version"] == "1.2"
    assert set(rows["toys"]["registered"]) == {"backend toy", "benchmark toy-cells", "dataset toy-cu"}
    assert rows["toys"]["problems"] == []


def test_broken_plugin_is_listed_with_its_reason_and_hides_nothing(
    zoo: Zoo, install: Callable[[str, str], Path]
) -> None:
    install("mlpzoo-broken", "raise ImportError('built for another Python')")
    done = zoo("plugins", "--json")
    assert done.code == 1
    rows = {row["plugin"]: row["problems"] for row in json.loads(done.out)}
    assert rows["mlpzoo-broken"] == ["could not be loaded: ImportError: built for another Python"]
    models = zoo("models")
    assert models.code == 0
    assert "toy/good" in models.out
    assert models.err == "problems with mlpzoo-broken: see 'mlpzoo plugins'\n"


def test_data_sets_are_listed_with_where_they_are(zoo: Zoo) -> None:
    done = zoo("data", "list")
    assert done.code == 0
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert rows["toy-cu"].endswith("toy-cu")
    assert rows["liu2023-si-vacancy"].endswith("not fetched: mlpzoo data fetch liu2023-si-vacancy")


def test_data_set_of_a_plugin_can_be_verified(zoo: Zoo) -> None:
    done = zoo("data", "verify", "toy-cu")
    assert done.code == 0
    assert "6 of 32 to 32 atoms" in done.out
    assert done.out.endswith("valid\n")


def test_environments_that_are_not_made_yet_are_listed(zoo: Zoo, framed: None) -> None:
    del framed
    done = zoo("env", "list")
    assert done.code == 0
    assert "not made: mlpzoo env create framed" in done.out


# -- check -------------------------------------------------------------------------------------------


def test_check_prints_each_promise_of_each_model_and_exits_with_1_if_one_is_broken(zoo: Zoo) -> None:
    pytest.importorskip("mlpzoo.testing")
    done = zoo("check", "toy/good", "toy/nan", "--only", "permutation,forces")
    assert done.code == 1
    good, bad = done.out.split("toy/nan\n")
    assert good.splitlines()[0] == "toy/good"
    assert good.splitlines()[-1] == "  2 passed, 0 failed, 0 skipped"
    assert "the order of the atoms does not matter" in good
    assert bad.splitlines()[-1] == "  0 passed, 2 failed, 0 skipped"
    assert "non-finite" in bad


def test_check_prints_a_matrix_of_promises_by_models(zoo: Zoo) -> None:
    done = zoo("check", "toy/good", "toy/nan", "--only", "permutation,forces,golden", "--matrix")
    assert done.code == 1
    assert done.out.splitlines() == [
        "| promise     | toy/good | toy/nan |",
        "|-------------|----------|---------|",
        "| permutation | ✓        | ✗       |",
        "| forces      | ✓        | ✗       |",
        "| golden      | —        | ✗       |",
    ]
    assert "0 passed, 3 failed, 0 skipped" in done.err


def test_unknown_check_is_an_error_that_names_the_known_ones(zoo: Zoo) -> None:
    pytest.importorskip("mlpzoo.testing")
    done = zoo("check", "toy/good", "--only", "nonsense")
    assert done.code == 2
    assert "unknown check 'nonsense'" in done.err
    assert "permutation" in done.err


@pytest.fixture
def fake_checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Model name to what its checks end with: statuses, or an exception."""
    ends: dict[str, Any] = {}

    def check_model(model: str, *_: Any, on_result: Callable[[Any], None], **__: Any) -> None:
        end = ends.get(model, ["passed"])  # families of installed plugins
        if isinstance(end, Exception):
            raise end
        for status in end:
            on_result(wire.Checked(name="x", promise="a promise", status=status, message="", seconds=0.0))

    monkeypatch.setattr("mlpzoo.conformance.check_model", check_model)
    return ends


DEATH = WorkerError("the worker ended by itself with exit code 3", stderr_tail="last words")


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["passed", "passed"], 0),
        (["passed", "skipped"], 0),
        (["passed", "failed"], 1),
        (["skipped"], 1),
        ([], 1),
    ],
)
def test_check_succeeds_if_something_was_shown_and_nothing_is_broken(
    zoo: Zoo, fake_checks: dict[str, Any], statuses: list[str], code: int
) -> None:
    fake_checks["toy/good"] = statuses
    assert zoo("check", "toy/good").code == code


def test_check_of_a_model_that_dies_is_an_error_with_its_last_words(
    zoo: Zoo, fake_checks: dict[str, Any]
) -> None:
    fake_checks["toy/exit"] = DEATH
    done = zoo("check", "toy/exit")
    assert done.code == 2
    assert (
        done.err == "error: the worker ended by itself with exit code 3\nlast lines of stderr:\nlast words\n"
    )


def test_check_of_all_families_leaves_out_those_whose_weights_are_not_here(
    zoo: Zoo, fake_checks: dict[str, Any], install: Callable[[str, str], Path]
) -> None:
    del fake_checks
    install("mlpzoo-heavy", FETCHED)
    done = zoo("check", "--all")
    assert "lj\n" in done.out
    assert "heavy" not in done.out
    assert "heavy: left out, its weights are not here: mlpzoo fetch heavy/net" in done.err


def test_check_of_all_families_tests_a_random_model_where_there_are_no_weights(
    zoo: Zoo, fake_checks: dict[str, Any], install: Callable[[str, str], Path]
) -> None:
    fake_checks["heavy"] = ["passed", "failed"]
    install(
        "mlpzoo-weighty",
        FETCHED.replace("requires = ()", "requires = ()\n    random_kinds = ('tiny', 'big')"),
    )
    done = zoo("check", "--all", "--matrix")
    assert done.code == 1
    heads, cells = done.out.splitlines()[0], done.out.splitlines()[2]
    place = [head.strip() for head in heads.split("|")].index("heavy (random tiny)")
    assert cells.split("|")[place].strip() == "✗"
    assert "heavy/net" not in heads


def test_check_of_all_families_goes_on_after_one_died(zoo: Zoo, fake_checks: dict[str, Any]) -> None:
    fake_checks |= {"emt": DEATH, "lj": ["passed"], "tersoff": ["passed"], "toy": ["passed"]}
    done = zoo("check", "--all")
    assert done.code == 1
    tried = [line for line in done.out.splitlines() if not line.startswith(" ")]
    assert tried == sorted(tried)
    assert {"emt", "lj", "tersoff", "toy"} <= set(tried)
    assert "exit code 3" in done.out


# -- check --benchmark ---------------------------------------------------------------------------------

BROKEN = """
from mlpzoo import BenchmarkSpec, Case, Outcome, Quantity, hookimpl

def run(calculator, case, settings, job):
    from ase.build import bulk
    return Outcome(values={"energy": calculator.get_property("energy", bulk("Cu"))})

@hookimpl
def mlpzoo_register_benchmarks():
    energy = Quantity(name="energy", unit="eV", title="E")
    cases = [Case(name=f"{s}-cu", system=s, elements=("Cu",)) for s in ("one", "two")]
    return [
        BenchmarkSpec(name="silent", version=1, title="Silent", quantities=(energy,), cases=lambda _: cases, run=run)
    ]
"""


@pytest.fixture
def silent(zoo: Zoo, install: Callable[[str, str], Path]) -> Zoo:
    """``silent("-s", "one")``: the kit on an installed benchmark that never tells its progress."""
    install("mlpzoo-silent", BROKEN)
    return lambda *more: zoo("check", "--benchmark", "silent", *more)


def test_check_of_a_benchmark_prints_each_promise_and_exits_with_1_if_one_is_broken(silent: Zoo) -> None:
    done = silent("-s", "one,two-*")
    lines = done.out.splitlines()
    assert (done.code, done.err, lines[0]) == (1, "", "silent")
    broken = lines.index("  failed   progress is told, and never more than all of it")
    assert lines[broken + 1].strip() == "one-cu: job.progress was never called"
    assert (
        "  passed   the same seed gives the same result, to the last bit unless deterministic=False" in lines
    )
    assert lines[-1].startswith("  1") or " 1 failed" in lines[-1]


def test_check_of_a_benchmark_takes_models_systems_and_checks(silent: Zoo) -> None:
    done = silent("lj/cu", "-s", "two", "--only", "runs,units")
    assert (done.code, done.out.splitlines()[-1]) == (0, "  2 passed, 0 failed, 0 skipped")
    done = silent("tersoff/si", "--only", "runs")
    assert (done.code, done.out.splitlines()[-1]) == (1, "  0 passed, 1 failed, 0 skipped")
    assert "no case can run" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "--benchmark", "bulkk"), "unknown benchmark 'bulkk'"),
        (("check", "--benchmark", "bulk", "mase"), "unknown model family 'mase'"),
        (("check", "--benchmark", "bulk", "-s", "xx"), "'xx'"),
        (("check", "--benchmark", "bulk", "--only", "nonsense"), "unknown check 'nonsense'"),
        (("check", "--benchmark", "bulk", "framed"), "no_such_framework cannot be imported here"),
    ],
)
def test_wrong_names_of_a_benchmarks_check_are_errors(
    zoo: Zoo, framed: None, arguments: tuple[str, ...], message: str
) -> None:
    del framed
    done = zoo(*arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_folder_that_is_called_like_a_family_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a checkout of a framework beside them still gets its environment."""
    from mlpzoo.cli.env import _source_tree

    monkeypatch.chdir(tmp_path)
    for name in ("emt", "of-my-own"):
        (tmp_path / name).mkdir()
    assert _source_tree("emt") is None
    assert _source_tree("./emt") == Path("emt")
    assert _source_tree("of-my-own") == Path("of-my-own")
    assert _source_tree("nowhere") is None
