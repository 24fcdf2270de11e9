"""The benchmark ``structure``: g(r) of a crystal, and against snapshots that the same model made."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from zoo_trouble import KilledError, Troubled

import mlpzoo
from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import structure
from mlpzoo.data.dataset import DatasetManifest, Frame, Level, load_dataset, write_dataset
from mlpzoo.data.registry import available
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.errors import CalculationError, DataError
from mlpzoo.physics import md
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.rdf import radial_distribution

SMOKE = RunSettings(profile="smoke")
TEMPERATURE = 600.0


@pytest.fixture(scope="module")
def case() -> Case:
    """Copper."""
    (found,) = (case for case in structure.SPEC.cases(list(available())) if case.name == "cu")
    return found


def write(directory: Path, *, stretch: float = 0.0, **provenance: object) -> DatasetSpec:
    """A data set of 16 snapshots of one MD run of copper with EMT; every second one in a stretched cell."""
    atoms = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6).supercell(2)
    atoms.calc = EMT()
    frames = []
    for number, sample in enumerate(
        md.langevin(
            atoms,
            temperature_kelvin=TEMPERATURE,
            start_temperature_kelvin=2 * TEMPERATURE,
            time_fs=320.0,
            seed=5,
            sample_every=10,
        )
    ):
        snapshot = atoms.copy()
        snapshot.positions = sample.positions_ang
        snapshot.set_cell(atoms.cell.array * (1 + stretch * (number % 2)))
        snapshot.calc = EMT()
        frames.append(Frame(atoms=snapshot, frame_id=f"md-{number}", forces=snapshot.get_forces()))
    manifest = DatasetManifest(
        name="cu-md",
        title="Copper, EMT",
        kind="snapshots",
        system="cu",
        elements=("Cu",),
        licence="MIT",
        citation="none",
        reference=Level(level="emt", level_of_theory="EMT"),
        provenance=provenance,
    )
    write_dataset(directory, manifest, frames[1:])
    return DatasetSpec.from_directory(directory)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The case of a data set."""
    spec = write(tmp_path_factory.mktemp("data") / "cu-md", sampled_by="AIMD", temperature_kelvin=TEMPERATURE)
    (found,) = structure.SPEC.cases([spec])
    return found


def test_one_case_a_crystal_and_one_a_sampled_data_set(sampled: Case, tmp_path: Path) -> None:
    assert {"si", "cu", "al", "ni"} <= {case.name for case in structure.SPEC.cases(list(available()))}
    assert (sampled.name, sampled.system, sampled.level_of_theory) == ("cu-md", "cu", "EMT")
    assert sampled.floors == {"halves": "AIMD, half against half"}
    assert structure.SPEC.cases([write(tmp_path / "other")]) == []


def test_warm_copper_has_twelve_neighbours_where_they_belong(case: Case) -> None:
    outcome = structure.SPEC.run(mlpzoo.load("emt/emt"), case, SMOKE, Job())
    names = {quantity.name for quantity in structure.SPEC.quantities}
    assert outcome.values.keys() == names - {"g_difference"}
    assert outcome.values["coordination"] == pytest.approx(12.0, abs=0.5)
    assert outcome.values["peak_position"] == pytest.approx(2.53, abs=0.08)
    assert outcome.values["peak_position"] < outcome.values["first_minimum"] < 3.6
    assert outcome.values["mean_temperature"] == pytest.approx(0.7 * 1358.0, rel=0.2)
    assert outcome.values["n_atoms"] == 108
    assert outcome.message == "NVT at 951 K"
    r, g = outcome.arrays["r_ang"], outcome.arrays["g"]
    assert r.shape == g.shape
    assert outcome.values["peak_height"] == g.max()


def test_model_that_made_the_snapshots_differs_by_their_noise(sampled: Case) -> None:
    outcome = structure.SPEC.run(Troubled(), sampled, SMOKE, Job())
    assert outcome.values.keys() == {quantity.name for quantity in structure.SPEC.quantities}
    assert outcome.message == "NVT at 600 K, against 16 AIMD snapshots"
    dataset = load_dataset(Path(sampled.params["directory"]))
    positions = [atoms.positions for atoms in dataset.frames]
    cell = dataset.frames[0].cell.array
    known = radial_distribution(positions, cell)
    np.testing.assert_array_equal(outcome.arrays["reference_g"], known.g)
    difference = 100 * np.abs(outcome.arrays["g"] - known.g).sum() / known.g.sum()
    assert outcome.values["g_difference"] == pytest.approx(difference)
    assert structure.SPEC.run_floor is not None
    floor = structure.SPEC.run_floor(sampled, "halves", SMOKE)
    halves = [radial_distribution(positions[begin::2], cell) for begin in (0, 1)]
    assert floor.values["g_difference"] == pytest.approx(halves[0].difference_percent(halves[1]))
    assert 0 < floor.values["g_difference"] < 40
    assert outcome.values["g_difference"] < 3 * floor.values["g_difference"], "six frames, not correlated"
    np.testing.assert_array_equal(floor.arrays["g"], known.g)


def test_other_temperature_differs_by_more(sampled: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    real = structure._start

    def cold(*args):
        atoms, _, reference = real(*args)
        atoms.positions = (
            Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6).supercell(2).positions
        )
        return atoms, 50.0, reference

    same = structure.SPEC.run(Troubled(), sampled, SMOKE, Job())
    monkeypatch.setattr(structure, "_start", cold)
    other = structure.SPEC.run(Troubled(), sampled, SMOKE, Job())
    assert other.values["g_difference"] > 2 * same.values["g_difference"]


@pytest.mark.parametrize("which", ["case", "sampled"])
def test_started_again_after_a_kill_it_gives_the_same(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(md, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(structure, "supercell_repeat", lambda *_: 2)
    case, job = request.getfixturevalue(which), Job(directory=tmp_path)
    whole = structure.SPEC.run(Troubled(), case, SMOKE, Job())
    with pytest.raises(KilledError):
        structure.SPEC.run(Troubled(killed_at=70), case, SMOKE, job)
    calculator = Troubled()
    again = structure.SPEC.run(calculator, case, SMOKE, job)
    assert calculator.calls < 60, "it went on after 50 of 100 steps"
    assert replace(again, arrays={}) == replace(whole, arrays={})
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)


def test_explosion_has_no_structure_and_fails(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "supercell_repeat", lambda *_: 2)
    with pytest.raises(CalculationError, match="exploded at 40 fs"):
        structure.SPEC.run(Troubled(bad_at=(21,)), case, SMOKE, Job())


class Ideal(Troubled):
    """Energies of EMT, and no forces: every atom goes its own way."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Forget the forces."""
        super().calculate(atoms, properties, system_changes)
        self.results["forces"] = np.zeros((len(atoms), 3))


def test_crystal_that_melts_has_no_peaks(case: Case) -> None:
    outcome = structure.SPEC.run(Ideal(), case, SMOKE, Job())
    names = ("peak_position", "peak_height", "first_minimum", "coordination")
    assert outcome.absent == dict.fromkeys(names, "melted")
    assert outcome.values.keys() == {"mean_temperature", "n_atoms"}
    assert re.fullmatch(r"NVT at 951 K, but 1[0-9]+ K in the mean, melted after 0\.\d\d ps", outcome.message)
    assert outcome.arrays["g"].shape == outcome.arrays["r_ang"].shape


def test_data_set_without_temperature_or_with_other_cells_is_refused(tmp_path: Path) -> None:
    (unknown,) = structure.SPEC.cases([write(tmp_path / "unknown", sampled_by="AIMD")])
    with pytest.raises(DataError, match="temperature_kelvin"):
        structure.SPEC.run(Troubled(), unknown, SMOKE, Job())
    (mixed,) = structure.SPEC.cases(
        [write(tmp_path / "mixed", stretch=0.01, sampled_by="AIMD", temperature_kelvin=TEMPERATURE)]
    )
    with pytest.raises(DataError, match="different cells"):
        structure.SPEC.run(Troubled(), mixed, SMOKE, Job())


def test_figure_shows_models_and_the_reference(sampled: Case) -> None:
    pytest.importorskip("matplotlib")
    assert structure.SPEC.draw is not None
    assert structure.SPEC.run_floor is not None
    floor = structure.SPEC.run_floor(sampled, "halves", SMOKE)
    figure = structure.SPEC.draw({"EMT": floor.arrays}, {"AIMD": floor.arrays}, "Copper")
    labels = [line.get_label() for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    assert labels == ["EMT", "AIMD"]
