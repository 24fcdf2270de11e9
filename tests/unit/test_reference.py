"""``mlpzoo reference``: a benchmark run with DFT, whose values go into ``references.toml``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zoo_harness as harness
from click.testing import CliRunner, Result
from zoo_espresso import calls, make_engine

from mlpzoo.benchmark import RunSettings
from mlpzoo.cli.reference import reference
from mlpzoo.data.crystal import ReferenceValue, read_references, write_references
from mlpzoo.data.espresso_engine import PwEngine
from mlpzoo.data.pw_calculator import PwCalculator
from mlpzoo.errors import CalculationError, DataError, UsageError
from mlpzoo.reference import compute, parse_options
from mlpzoo.registry import Registry

PLUGIN = """
from mlpzoo import BenchmarkSpec, Case, Outcome, Quantity, hookimpl

def run(calculator, case, settings, job):
    from ase.build import bulk
    energies = []
    for number in range(case.params["n"]):
        job.progress(number, case.params["n"], "pushes")
        atoms = bulk("Si")
        atoms.positions[0, 0] += 0.01 * number
        energies.append(calculator.get_property("energy", atoms))
    if case.params["word"]:
        return Outcome(values={"n_pushes": 1.0}, absent={"energy": case.params["word"]})
    return Outcome(
        values={"energy": sum(energies) / len(energies), "n_pushes": float(len(energies))},
        absent={"gap": "a metal"},
        message="pushed",
    )

QUANTITIES = (
    Quantity(name="energy", unit="eV", title="E", decimals=2, better="closer"),
    Quantity(name="gap", unit="eV", title="gap", better="closer"),
    Quantity(name="n_pushes", unit="", title="n", better="none"),
)

@hookimpl
def mlpzoo_register_benchmarks():
    cases = [
        Case(name=f"si-{name}", system="si", elements=("Si",), params={"n": 3, "word": ""})
        for name in ("push", "pull")
    ]
    return [
        BenchmarkSpec(name="pushes", version=1, title="Pushes", quantities=QUANTITIES, cases=lambda _: cases, run=run),
        BenchmarkSpec(name="counts", version=1, title="n", quantities=QUANTITIES[2:], cases=lambda _: cases, run=run),
    ]
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The built-ins and a benchmark of three force calls."""
    module = ModuleType("pushes_plugin")
    exec(PLUGIN, module.__dict__)
    return harness.registry_of(module)


@pytest.fixture
def engine(tmp_path: Path) -> PwEngine:
    """A fake program."""
    return make_engine(tmp_path)


@pytest.fixture
def computed(registry: Registry, engine: PwEngine, tmp_path: Path) -> Callable[..., Any]:
    """``computed("pushes", n=2)``: with these parameters of the first case."""

    def run(name: str, **options: Any) -> Any:
        spec = registry.benchmark(name).item
        return compute(
            spec,
            registry.cases(spec)[0],
            PwCalculator(engine, tmp_path / "store"),
            settings=RunSettings(profile="smoke"),
            options=options,
            progress=lambda *_: None,
        )

    return run


@pytest.fixture
def command(
    registry: Registry, engine: PwEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """``command("pushes", ...)``: the command line with the fake program."""
    monkeypatch.setattr("mlpzoo.registry.default_registry", lambda: registry)
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    where = ["--pw-command", engine.command, "--pseudo-dir", str(engine.pseudo_dir)]
    return lambda *arguments: CliRunner().invoke(
        reference, [*map(str, arguments), *where], catch_exceptions=True
    )


def test_values_that_are_compared_become_references_with_their_source(computed: Callable[..., Any]) -> None:
    done = computed("pushes")
    (value,) = done.references
    assert (value.benchmark, value.case, value.quantity, value.unit) == ("pushes", "si-push", "energy", "eV")
    assert value.value == round(done.outcome.values["energy"], 4)
    assert value.level_of_theory == "PBE"
    assert value.source == "mlpzoo reference pushes --system si-push --profile smoke"
    assert value.note.startswith("Quantum ESPRESSO 6.7, 18 Ry, k-mesh 6x6x6 shifted, Si.pbe-rrkj.UPF (sha256")


def test_options_replace_parameters_and_are_part_of_the_source(
    computed: Callable[..., Any], tmp_path: Path
) -> None:
    (value,) = computed("pushes", n=2).references
    assert value.source.endswith("--profile smoke --set n=2")
    assert len(calls(tmp_path)) == 2


def test_a_second_run_computes_nothing(computed: Callable[..., Any], tmp_path: Path) -> None:
    first = computed("pushes")
    again = computed("pushes", n=3)
    assert len(calls(tmp_path)) == 3
    assert again.references[0].value == first.references[0].value


def test_an_interrupted_run_goes_on_where_it_was(computed: Callable[..., Any], tmp_path: Path) -> None:
    computed("pushes", n=2)
    (tmp_path / "broken").touch()
    with pytest.raises(CalculationError, match="did not converge or finish"):
        computed("pushes")
    assert len(calls(tmp_path)) == 3
    (tmp_path / "broken").unlink()
    computed("pushes")
    assert len(calls(tmp_path)) == 4


def test_a_benchmark_without_comparable_quantities_is_refused(computed: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="'counts' has no quantity that is compared with a reference"):
        computed("counts")


def test_a_run_without_a_value_says_why(computed: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="pushes · si-push: DFT gave no value") as caught:
        computed("pushes", word="melted")
    assert caught.value.hint == "energy: melted"


@pytest.mark.parametrize(
    ("pairs", "options"),
    [
        (("vacancy=false", "n=3"), {"vacancy": False, "n": 3}),
        (("x=1.5", "name=split_110"), {"x": 1.5, "name": "split_110"}),
        (("t=[300.0, 600.0]", 'q="3"'), {"t": [300.0, 600.0], "q": "3"}),
        ((" a = b=c ",), {"a": "b=c"}),
        (("empty=",), {"empty": ""}),
        ((), {}),
    ],
)
def test_options_are_read_as_toml_or_as_words(pairs: tuple[str, ...], options: dict[str, Any]) -> None:
    assert parse_options(pairs) == options


@pytest.mark.parametrize("pair", ["vacancy", "=3", ""])
def test_an_option_without_a_name_or_a_value_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match="is not NAME=VALUE"):
        parse_options((pair,))


def test_an_option_that_the_benchmark_never_looks_at_is_a_typing_error(computed: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="'pushes' does not know the parameter 'nn'") as caught:
        computed("pushes", nn=2)
    assert caught.value.hint.startswith("it asked for n, word;")


# -- the command -----------------------------------------------------------------------------------------

KEPT = ReferenceValue(
    benchmark="pushes", case="si-push", quantity="energy", value=1.0, unit="eV", level_of_theory="experiment",
    source="10.0000/kept",
)  # fmt: skip


def test_the_command_prints_and_adds_the_values_of_each_case(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "references.toml"
    write_references(out, [KEPT, replace(KEPT, level_of_theory="PBE", source="replaced")])
    done = command("pushes", "--out", out, "--profile", "smoke", "--set", "n=2")
    assert done.exit_code == 0, done.output
    assert "si-push energy = -213.56" in done.stdout
    assert "si-push gap: a metal" in done.stdout
    assert "pushed" in done.stdout
    assert "1/2 pushes" in done.stderr
    assert "2 calculations" in done.stderr
    found = {(v.case, v.level_of_theory): v for v in read_references(out)}
    assert set(found) == {("si-push", "PBE"), ("si-push", "experiment"), ("si-pull", "PBE")}
    assert found["si-push", "experiment"] == KEPT
    assert found["si-pull", "PBE"].source == (
        "mlpzoo reference pushes --system si-pull --profile smoke --set n=2"
    )
    assert not list((tmp_path / "home" / "reference").glob("work-*")), "scratch files are gone"

    once = out.read_text()
    done = command("pushes", "--out", out, "--profile", "smoke", "--set", "n=2")
    assert "0 calculations" in done.stderr
    assert out.read_text() == once


def test_values_of_finished_cases_are_kept_when_the_next_one_fails(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "references.toml"
    assert command("pushes", "-s", "si-push", "--set", "n=2", "--out", out).exit_code == 0
    (tmp_path / "broken").touch()
    done = command("pushes", "--set", "n=3", "--out", out)
    assert isinstance(done.exception, CalculationError)
    assert [v.case for v in read_references(out)] == ["si-push"]
    assert not list((tmp_path / "home" / "reference").glob("work-*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pushse",), "unknown benchmark 'pushse'"),
        (("pushes", "-s", "ag"), "'ag'"),
        (("pushes", "--set", "n"), "'n' is not NAME=VALUE"),
    ],
)
def test_wrong_names_stop_before_anything_is_computed(
    command: Callable[..., Result], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = command(*arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert calls(tmp_path) == []
