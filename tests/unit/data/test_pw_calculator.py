"""DFT as a calculator: no structure is ever computed twice, and what did not converge is an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from click.testing import CliRunner
from zoo_espresso import calls, make_engine

from mlpzoo import BenchmarkSpec, Case, Outcome, Quantity, hookimpl, plugins
from mlpzoo.benchmark import Job, RunSettings
from mlpzoo.cli.reference import reference
from mlpzoo.data.crystal import ReferenceValue, read_references, write_references
from mlpzoo.data.espresso_engine import PwEngine
from mlpzoo.data.pw_calculator import PwCalculator, level_for
from mlpzoo.errors import CalculationError, DataError, EnvError, UsageError
from mlpzoo.physics.evaluate import evaluate_many
from mlpzoo.registry import Registry

ENERGY_EV = -15.69690164 * 13.605693122994
KBAR = 6.241509e-4  # eV/Å³


@pytest.fixture
def engine(tmp_path: Path) -> PwEngine:
    """A fake program in ``tmp_path``."""
    return make_engine(tmp_path)


@pytest.fixture
def atoms() -> Atoms:
    """Two silicon atoms, off their sites."""
    found = bulk("Si")
    found.positions[0] += 0.1
    return found


def plain(atoms: Atoms) -> object:
    """The usual settings, without the stress that small cells get."""
    return replace(level_for(atoms), stress=False)


def calculator_of(engine: PwEngine, tmp_path: Path, **options: object) -> PwCalculator:
    return PwCalculator(engine, tmp_path / "store", **{"level": plain, **options})  # type: ignore[arg-type]


def test_numbers_are_in_electronvolt_and_angstrom(engine: PwEngine, tmp_path: Path, atoms: Atoms) -> None:
    calculator = PwCalculator(engine, tmp_path / "store")
    assert calculator.get_property("energy", atoms) == pytest.approx(ENERGY_EV, rel=1e-6)
    assert calculator.get_property("forces", atoms)[0] == pytest.approx(
        [-1.44757, 0.99742, -0.67594], abs=1e-4
    )
    stress = calculator.get_property("stress", atoms)
    assert stress == pytest.approx([-10 * KBAR] * 3 + [0, 0, 0], rel=1e-3), "ASE's sign: pressure is negative"
    assert calls(tmp_path) == ["stress"], "small cells give the stress at once"
    assert calculator.code == "Quantum ESPRESSO 6.7"
    assert calculator.description.startswith("18 Ry, k-mesh 6x6x6 shifted, Si.pbe-rrkj.UPF (sha256 ")


def test_the_same_structure_is_computed_once(engine: PwEngine, tmp_path: Path, atoms: Atoms) -> None:
    told: list[str] = []
    calculator = calculator_of(engine, tmp_path, told=told.append)
    first = calculator.get_property("forces", atoms)
    moved = atoms.copy()
    moved.positions[1, 0] += 1e-3
    calculator.get_property("energy", moved)
    again = calculator.get_property("forces", atoms)
    assert len(calls(tmp_path)) == 2
    np.testing.assert_array_equal(again, first)
    assert (calculator.costs.computed, calculator.costs.found) == (2, 1)
    assert calculator.costs.cpu_s > 0
    assert told == ["2 atoms, k-mesh 6x6x6"] * 2


def test_rounding_of_the_last_digit_is_the_same_structure(
    engine: PwEngine, tmp_path: Path, atoms: Atoms
) -> None:
    calculator = calculator_of(engine, tmp_path)
    calculator.get_property("energy", atoms)
    atoms.positions += 1e-12
    atoms.positions[0] *= -1
    atoms.positions[0] *= -1
    calculator.get_property("energy", atoms)
    assert len(calls(tmp_path)) == 1


def test_another_process_finds_what_was_computed(engine: PwEngine, tmp_path: Path, atoms: Atoms) -> None:
    before = calculator_of(engine, tmp_path).get_property("forces", atoms)
    later = calculator_of(engine, tmp_path)
    np.testing.assert_array_equal(later.get_property("forces", atoms), before)
    assert len(calls(tmp_path)) == 1
    assert later.costs.computed == 0
    assert later.description


def test_other_settings_are_another_calculation(engine: PwEngine, tmp_path: Path, atoms: Atoms) -> None:
    calculator_of(engine, tmp_path).get_property("energy", atoms)
    finer = lambda a: replace(level_for(a), stress=False, ecutwfc_ry=24.0)  # noqa: E731
    calculator_of(engine, tmp_path, level=finer).get_property("energy", atoms)
    (engine.pseudo_dir / "Si.pbe-rrkj.UPF").write_text("another pseudopotential")
    calculator_of(engine, tmp_path).get_property("energy", atoms)
    assert len(calls(tmp_path)) == 3


def test_stress_that_is_asked_for_later_is_computed_then(
    engine: PwEngine, tmp_path: Path, atoms: Atoms
) -> None:
    calculator = calculator_of(engine, tmp_path)
    calculator.get_property("energy", atoms)
    assert calculator.get_property("stress", atoms)[0] == pytest.approx(-10 * KBAR, rel=1e-3)
    assert calls(tmp_path) == ["forces", "stress"]
    calculator.get_property("forces", atoms)
    calculator_of(engine, tmp_path).get_property("stress", atoms)
    assert calls(tmp_path) == ["forces", "stress"], "the record with the stress serves both"
    assert len(list((tmp_path / "store").glob("*.json"))) == 1


def test_what_did_not_converge_is_an_error_and_not_stored(
    engine: PwEngine, tmp_path: Path, atoms: Atoms
) -> None:
    calculator = calculator_of(engine, tmp_path)
    (tmp_path / "broken").touch()
    with pytest.raises(CalculationError, match="did not converge or finish") as caught:
        calculator.get_property("energy", atoms)
    assert "mixing_beta" in caught.value.hint
    assert list((tmp_path / "store").glob("*.json")) == []
    (tmp_path / "broken").unlink()
    assert calculator.get_property("energy", atoms) == pytest.approx(ENERGY_EV, rel=1e-6)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"output": 1}'])
def test_a_damaged_record_is_computed_again(
    engine: PwEngine, tmp_path: Path, atoms: Atoms, damage: bytes
) -> None:
    calculator_of(engine, tmp_path).get_property("energy", atoms)
    (record,) = (tmp_path / "store").glob("*.json")
    record.write_bytes(damage)
    calculator_of(engine, tmp_path).get_property("energy", atoms)
    assert len(calls(tmp_path)) == 2
    assert record.read_bytes() != damage


def test_a_density_starts_the_next_structure_but_not_another_cell(
    engine: PwEngine, tmp_path: Path, atoms: Atoms
) -> None:
    calculator = calculator_of(engine, tmp_path)
    starts = []
    for strain, shift in ((0.0, 0.0), (0.0, 0.01), (0.02, 0.01)):
        one = atoms.copy()
        one.positions[0] += shift
        one.set_cell(one.cell * (1 + strain), scale_atoms=True)
        calculator.get_property("energy", one)
        (given,) = (tmp_path / "store").glob("work-*/k-density.in")
        starts.append("'file'" in given.read_text())
    assert starts == [False, True, False]
    calculator.close()
    assert not list((tmp_path / "store").glob("work-*"))


def test_a_missing_program_says_what_to_install(tmp_path: Path, engine: PwEngine, atoms: Atoms) -> None:
    with pytest.raises(EnvError, match="no-such-pw"):
        calculator_of(replace(engine, command="no-such-pw"), tmp_path).get_property("energy", atoms)


def test_several_structures_are_computed_one_after_the_other(
    engine: PwEngine, tmp_path: Path, atoms: Atoms
) -> None:
    other = atoms.copy()
    other.positions[0] += 0.1
    found = evaluate_many(calculator_of(engine, tmp_path), [atoms, other, atoms])
    assert [one.energy_ev for one in found] == pytest.approx([ENERGY_EV] * 3, rel=1e-6)
    assert len(calls(tmp_path)) == 2


def test_k_points_are_as_dense_in_every_cell() -> None:
    cubic = bulk("Si", "diamond", a=5.469, cubic=True)
    assert level_for(cubic.repeat(2)).kmesh == (2, 2, 2)
    assert level_for(cubic).kmesh == (4, 4, 4)
    assert level_for(cubic.repeat((4, 4, 8))).kmesh == (1, 1, 1)
    assert (level_for(cubic).stress, level_for(cubic.repeat(2)).stress) == (True, False)
    assert level_for(cubic).n_bands == 20  # 16 occupied


# -- mlpzoo reference ------------------------------------------------------------------------------------

PUSHES = Quantity(name="mean_energy", unit="eV", title="E", better="closer")
GAP = Quantity(name="gap", unit="eV", title="gap", better="closer")
COUNT = Quantity(name="n_pushes", unit="", title="n", better="none")


def push(calculator: Any, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Two atoms, one of them pushed along."""
    pushes = case.params["pushes_ang"]
    energies = []
    for done, distance in enumerate(pushes):
        job.progress(done, len(pushes), "pushes")
        pushed = bulk("Si")
        pushed.positions[0, 0] += distance
        energies.append(calculator.get_property("energy", pushed))
    values = {"mean_energy": float(np.mean(energies)), "n_pushes": float(len(pushes))}
    return Outcome(values=values, absent={"gap": "not asked"}, message="two atoms only")


@pytest.fixture
def run(engine: PwEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``run(...)``: the command on a benchmark of ours, with the fake program, as from the shell."""
    case = Case(name="si-push", system="si", elements=("Si",), params={"pushes_ang": [0.1, 0.2, 0.3]})
    spec = BenchmarkSpec(
        name="push", version=1, title="Push", quantities=(PUSHES, GAP, COUNT), cases=lambda _: [case], run=push
    )  # fmt: skip
    plugin = ModuleType("pushing")
    plugin.mlpzoo_register_benchmarks = hookimpl(  # type: ignore[attr-defined]
        lambda: [spec, replace(spec, name="count", quantities=(COUNT,))],
        specname="mlpzoo_register_benchmarks",
    )
    registry = Registry(plugins.load([plugin], entry_points=False))
    monkeypatch.setattr("mlpzoo.registry.default_registry", lambda: registry)

    def command(*arguments: str) -> Any:
        options = ["--pw-command", engine.command, "--pseudo-dir", str(engine.pseudo_dir)]
        return CliRunner().invoke(reference, [*arguments, *options, "--work", str(tmp_path / "store")])

    return command


def test_reference_is_printed_and_written_with_its_source(run: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "references.toml"
    measured = ReferenceValue(
        benchmark="push", case="si-push", quantity="mean_energy", value=-1.0, unit="eV",
        level_of_theory="experiment", source="10.0000/nowhere",
    )  # fmt: skip
    write_references(out, [measured, replace(measured, level_of_theory="PBE")])
    done = run("push", "--seed", "3", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "si-push mean_energy = -213.56721 eV" in done.output
    assert "si-push gap: not asked" in done.output
    assert "two atoms only" in done.output
    computed, kept = sorted(read_references(out), key=lambda value: value.level_of_theory)
    assert kept == measured, "the value of another level stays"
    assert computed.value == pytest.approx(ENERGY_EV, abs=1e-4)
    assert computed.source == "mlpzoo reference push --system si-push --profile standard --seed 3"
    assert computed.note.startswith("Quantum ESPRESSO 6.7, 18 Ry, k-mesh 6x6x6 shifted, Si.pbe-rrkj.UPF")


def test_reference_goes_on_where_it_was(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("push", "--set", "pushes_ang=[0.1, 0.2]").exit_code == 0
    done = run("push")
    assert len(calls(tmp_path)) == 3
    assert "1 calculations (0 CPU s), 2 found on disk" in done.output
    assert not list((tmp_path / "store").glob("work-*"))


def test_options_are_part_of_the_source(run: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "references.toml"
    run("push", "--set", "pushes_ang=[0.1]", "--out", str(out))
    (value,) = read_references(out)
    assert value.source.endswith("--profile standard --set pushes_ang=[0.1]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["push", "--set", "pushes=[1]"], "'push' does not know the parameter 'pushes'"),
        (["push", "--set", "pushes_ang"], "'pushes_ang' is not NAME=VALUE"),
        (["push", "--system", "cu"], "'push' has no case for 'cu'"),
        (["pull"], "unknown benchmark 'pull'"),
        (["count"], "'count' has no quantity that is compared with a reference"),
    ],
)
def test_what_reference_cannot_do_is_said_and_nothing_written(
    run: Callable[..., Any], tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = tmp_path / "references.toml"
    error = run(*arguments, "--out", str(out)).exception
    assert isinstance(error, UsageError)
    assert error.message == message
    assert not out.exists()


def test_dft_that_does_not_converge_is_an_error_and_no_reference(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    out = tmp_path / "references.toml"
    error = run("push", "--out", str(out)).exception
    assert isinstance(error, CalculationError)
    assert "did not converge" in error.message
    assert not out.exists()
    assert not list((tmp_path / "store").iterdir())


def test_element_without_settings_is_named() -> None:
    with pytest.raises(DataError, match="no DFT settings are known for Cu"):
        level_for(bulk("Cu"))
