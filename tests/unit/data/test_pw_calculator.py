"""DFT as a calculator: no structure is ever computed twice, and what did not converge is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from zoo_espresso import calls, make_engine

from mlpzoo.data.labelling import PwEngine
from mlpzoo.data.pw_calculator import PwCalculator, level_for
from mlpzoo.errors import CalculationError, EnvError
from mlpzoo.physics.evaluate import evaluate_many

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
