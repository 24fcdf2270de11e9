"""Engines: any ASE calculator is one, ABINIT is one, plugins bring theirs, and none gives a bad number."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from click.testing import CliRunner

from mlpzoo import hookimpl, plugins
from mlpzoo.cli.data_label import engines as engines_command
from mlpzoo.data.abinit import AbinitEngine
from mlpzoo.data.engines import AseEngine, AseLevel, ReferenceEngine
from mlpzoo.data.espresso_engine import ANY_CELL, K222, PwEngine
from mlpzoo.data.labelling import label_queue, levels_of
from mlpzoo.data.queue import Queue, QueuedFrame
from mlpzoo.errors import CalculationError, DataError, EnvError, PluginError, UsageError
from mlpzoo.registry import Registry, default_registry

RECORDED = Path(__file__).parents[2] / "fixtures" / "abinit" / "si2.abo"
LEVEL = AseLevel(level="emt_level", title="EMT", level_of_theory="empirical", given={"asap": False})


def plugin_of(*engines: object) -> ModuleType:
    """A plugin that brings engines, as a third party writes it."""

    @hookimpl
    def mlpzoo_register_engines() -> list[object]:
        return list(engines)

    module = ModuleType("engines_plugin")
    module.mlpzoo_register_engines = mlpzoo_register_engines  # type: ignore[attr-defined]
    return module


def emt(calculator: type[Calculator] = EMT) -> AseEngine:
    return AseEngine(
        name="emt-engine", code="ASE's EMT", offered=(LEVEL,), calculator=lambda *_: calculator()
    )


def copper(frame_id: str = "cu-0") -> QueuedFrame:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=3)
    return QueuedFrame(
        frame_id=frame_id,
        system="cu-training",
        run="cu",
        order=0,
        symbols=atoms.get_chemical_symbols(),
        cell_ang=atoms.cell.array.tolist(),
        positions_ang=atoms.positions.tolist(),
        re_mask=[],
        r_ang=[],
        sampler="none",
        time_fs=0.0,
        temperature_kelvin=0.0,
        levels=("emt_level",),
    )


class Unconverged(Calculator):
    """What a calculator should do when it does not converge."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):  # type: ignore[no-untyped-def]
        raise RuntimeError("no convergence in 100 cycles")


class NaNs(Unconverged):
    """What many do."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):  # type: ignore[no-untyped-def]
        self.results = {"energy": -1.0, "forces": np.full((len(atoms), 3), np.nan)}


def test_a_third_partys_engine_labels_a_queue(tmp_path: Path) -> None:
    registry = Registry(plugins.load([plugin_of(emt())], entry_points=False))
    assert set(registry.engines) == {"abinit", "emt-engine", "espresso"}
    queue = Queue(tmp_path)
    queue.add_frame(copper())
    known = levels_of([entry.item for entry in registry.engines.values()])
    (done,) = label_queue(queue, known)
    atoms = copper().atoms()
    atoms.calc = EMT()
    assert done.label.energy_ev == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
    np.testing.assert_allclose(done.label.forces_ev_per_ang, atoms.get_forces(), atol=1e-12)
    assert (done.label.code, done.label.level_of_theory) == ("ASE's EMT", "empirical")
    assert done.label.settings == {"asap": False}


@pytest.mark.parametrize(("calculator", "reason"), [(Unconverged, "no convergence"), (NaNs, "non-finite")])
def test_what_an_engine_cannot_do_is_a_failed_label(
    tmp_path: Path, calculator: type[Calculator], reason: str
) -> None:
    queue = Queue(tmp_path)
    queue.add_frame(copper())
    (done,) = label_queue(queue, levels_of([emt(calculator)]))
    assert done.label.status == "failed"
    assert reason in done.label.message
    assert not done.label.forces_ev_per_ang
    assert not list(label_queue(queue, levels_of([emt()]))), "a failed label is not silently tried again"
    assert queue.forget_failed() == 1
    (done,) = label_queue(queue, levels_of([emt()]))
    assert done.label.status == "converged"


def test_unknown_engines_levels_and_options_are_told(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_frame(copper())
    with pytest.raises(UsageError, match="no engine has a level 'emt_level'") as error:
        list(label_queue(queue, levels_of([PwEngine()])))
    assert "k222" in error.value.hint
    with pytest.raises(UsageError, match="no option 'comand'") as error:
        PwEngine().configured({"comand": "pw.x"})
    assert "command" in error.value.hint
    with pytest.raises(UsageError, match="unknown reference engine 'espreso'") as error:
        default_registry().engine("espreso")
    assert "espresso" in error.value.hint
    with pytest.raises(PluginError, match="both have a level"):
        levels_of([emt(), emt()])
    with pytest.raises(PluginError, match="no name for a column"):
        levels_of([replace(emt(), offered=(replace(LEVEL, level="emt level"),))])


def test_an_engine_that_is_none_is_refused() -> None:
    (*_, broken) = plugins.load([plugin_of(PwEngine, object())], entry_points=False)
    Registry([broken])
    assert any("is a class" in problem for problem in broken.problems)
    assert any("lacks name" in problem for problem in broken.problems)


@pytest.mark.parametrize("engine", [PwEngine(command="no-such"), AbinitEngine(command="no-such")])
def test_a_missing_program_or_pseudopotential_says_what_to_install(
    engine: ReferenceEngine, tmp_path: Path
) -> None:
    with pytest.raises(EnvError, match="'no-such' is not installed") as error:
        engine.check(engine.levels())
    assert "apt-get install" in error.value.hint
    there = engine.configured({"command": sys.executable, "pseudo_dir": str(tmp_path)})
    with pytest.raises(EnvError, match=r"the pseudopotential Si\.") as error:
        there.check(there.levels())
    assert "apt-get install" in error.value.hint


def test_engines_are_listed_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = CliRunner().invoke(engines_command, ["--json"], catch_exceptions=False)
    assert '"level": "kdens"' in result.output
    assert result.output.count("apt-get install") == 6


def test_one_level_is_equally_dense_in_cells_of_all_sizes() -> None:
    cell = bulk("Si", cubic=True, a=5.469)
    large = ANY_CELL.for_cell(cell.repeat(2), {"Si": 4.0})
    assert (large.kmesh, large.n_bands, large.conv_thr_ry) == (K222.kmesh, 136, pytest.approx(1.024e-6))
    assert large.ecutwfc_ry == K222.ecutwfc_ry
    small = ANY_CELL.for_cell(cell, {"Si": 4.0})
    assert (small.kmesh, small.n_bands) == ((4, 4, 4), 20)
    assert ANY_CELL.for_cell(cell.repeat((2, 1, 1)), {"Si": 4.0}).kmesh == (2, 4, 4)
    assert ANY_CELL.for_cell(bulk("Si", a=5.469), {"Si": 4.0}).kmesh == (7, 7, 7), (
        "spacing of planes, not edges"
    )
    assert small.settings() == large.settings() | {"kmesh": None} or "k_length_ang" in small.settings()
    assert ANY_CELL.settings()["k_length_ang"] == pytest.approx(2 * 2 * 5.469)


def test_pulay_stress_is_what_quantum_espresso_lacks() -> None:
    """Stress and -dE/dV of the crystal by QE, 18 Ry (benchmarks_data/si/sampling/pulay.py): GPa, 5.476 Å."""
    raw, derivative = 0.3020, -0.0254
    extra = ANY_CELL.pulay_stress_ev_per_ang3(bulk("Si", cubic=True, a=5.476)) * 160.2176634
    assert raw + extra == pytest.approx(derivative, abs=0.04)
    assert K222.pulay_stress_ev_per_ang3(bulk("Si")) == 0.0


@pytest.fixture
def abinit(tmp_path: Path) -> AbinitEngine:
    """A program that answers with a recorded output of two atoms; the file ``how`` spoils it."""
    (tmp_path / "Si.psp8").write_text("not read by this program")
    program = tmp_path / "abinit"
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib\n"
        f"here, text = pathlib.Path({str(tmp_path)!r}), pathlib.Path({str(RECORDED)!r}).read_text()\n"
        "how = (here / 'how').read_text() if (here / 'how').exists() else ''\n"
        "if how == 'unconverged':\n"
        "    text = text.replace('----iterations', ' nstep=3 was not enough SCF cycles to converge;\\n ----iterations')\n"
        "if how == 'cut':\n"
        "    text = text[:9000]\n"
        "    print('--- !ERROR\\nsrc_file: x.F90\\nmessage: |\\n    No space left\\n...')\n"
        "pathlib.Path('run.abo').write_text(text)\n"
    )
    program.chmod(0o755)
    return AbinitEngine(command=str(program), pseudo_dir=tmp_path)


def test_abinit_is_read_in_electronvolt_and_angstrom(abinit: AbinitEngine, tmp_path: Path) -> None:
    atoms = bulk("Si")
    (level,) = abinit.levels()
    found = abinit.run(atoms, level, tmp_path / "work")
    assert found.energy_ev == pytest.approx(-8.4458570 * 27.211386, rel=1e-5)
    assert found.forces_ev_per_ang[0] == pytest.approx([-1.3637] * 3, abs=1e-4)
    assert found.stress_ev_per_ang3 == pytest.approx([-0.016763] * 3 + [0.020336] * 3, abs=1e-6)
    assert (found.code, found.n_scf) == ("ABINIT 9.6.2", 7)
    text = (tmp_path / "work" / "abinit" / "run.abi").read_text()
    assert "ecut 380.9594" in text, "14 Ha, which ASE writes in eV"
    assert "7 7 7" in text
    assert f'pseudos "{tmp_path}/Si.psp8"' in text


@pytest.mark.parametrize(("how", "message"), [("unconverged", "did not converge"), ("cut", "No space left")])
def test_abinit_that_did_not_converge_or_finish_is_an_error(
    abinit: AbinitEngine, tmp_path: Path, how: str, message: str
) -> None:
    (tmp_path / "how").write_text(how)
    with pytest.raises(CalculationError, match=message):
        abinit.run(bulk("Si"), abinit.levels()[0], tmp_path / "work")


@pytest.mark.parametrize("engine", [PwEngine(command="true"), AbinitEngine(command="true")])
def test_an_element_without_pseudopotential_is_an_error(engine: ReferenceEngine, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pseudopotential is set for Ge"):
        engine.run(Atoms("Ge", cell=[4, 4, 4], pbc=True), engine.levels()[0], tmp_path)
