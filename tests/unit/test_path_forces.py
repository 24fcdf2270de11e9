"""The benchmark ``path-forces`` on a small path whose labels are EMT's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import path_forces
from mlpzoo.data.dataset import DatasetManifest, Frame, Level, LevelLabels, write_dataset
from mlpzoo.data.manifest import PATH_FORCES
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.errors import DataError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.hops import vacancy_hops
from mlpzoo.physics.neb_path import interpolated

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
STANDARD, SMOKE = RunSettings(), RunSettings(profile="smoke")
N_IMAGES = 7
PRECISION = 1e-8  # positions and forces in the file have 10 digits after the point
MANIFEST = DatasetManifest(
    name="cu-hop",
    title="A hop in copper, EMT",
    kind=PATH_FORCES,
    system="cu",
    elements=("Cu",),
    licence="MIT",
    citation="none",
    reference=Level(level="emt", level_of_theory="EMT"),
    noise_floor=(Level(level="coarse", title="EMT, coarse"),),
)


class Shifted(Calculator):
    """EMT with constants added: eV to the energy of the images between, eV/Å along x to every force."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, offset_ev: float = 0.0, hump_ev: float = 0.0, pull_ev_per_ang: float = 0.0) -> None:
        super().__init__()
        self.offset_ev, self.hump_ev, self.pull_ev_per_ang = offset_ev, hump_ev, pull_ev_per_ang
        self.calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """EMT and the shifts."""
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        inner, copy = EMT(), atoms.copy()
        energy, forces = (inner.get_property(name, copy) for name in ("energy", "forces"))
        between = np.abs(forces).max() > 1.0
        self.results = {
            "energy": energy + self.offset_ev + self.hump_ev * between,
            "forces": forces + np.array([self.pull_ev_per_ang, 0.0, 0.0]),
        }


def path() -> list[Atoms]:
    """Images of an unrelaxed hop over the border of the cell, all atoms wrapped into it."""
    hop = vacancy_hops(CU, 2, neighbour=11)["ideal"]
    images = []
    for positions in interpolated(hop.initial, hop.final, N_IMAGES):
        image = hop.initial.copy()
        image.set_positions(positions)
        image.wrap()
        images.append(image)
    return images


def frame(atoms: Atoms, name: str, energy: bool = True) -> Frame:
    """An image with EMT's labels; the coarse ones are 0.01 eV/Å off in every component."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    forces, value = atoms.get_forces(), atoms.get_potential_energy()
    sign = np.where(np.arange(len(atoms)) % 2 == 0, 1.0, -1.0)[:, None]
    coarse = LevelLabels(forces=forces + 0.01 * sign, energy=value + 0.5 if energy else None)
    return Frame(
        atoms=atoms, frame_id=name, forces=forces, energy=value if energy else None, levels={"coarse": coarse}
    )


def case_of(directory: Path) -> Case:
    """The only case of a directory."""
    [case] = path_forces.cases([DatasetSpec.from_directory(directory)])
    return case


@pytest.fixture(scope="module")
def images() -> list[Atoms]:
    """Those of the data set."""
    return path()


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, images: list[Atoms]) -> Case:
    """The case of the data set."""
    directory = tmp_path_factory.mktemp("data") / "cu-hop"
    write_dataset(directory, MANIFEST, [frame(atoms, f"image-{i}") for i, atoms in enumerate(images)])
    return case_of(directory)


def test_case_says_what_the_manifest_says(case: Case) -> None:
    assert (case.name, case.system, case.elements) == ("cu-hop", "cu", ("Cu",))
    assert (case.level_of_theory, case.floors) == ("EMT", {"coarse": "EMT, coarse"})
    assert case.unavailable == ""
    assert len(case.fingerprint) == 64


def test_only_paths_are_cases() -> None:
    others = [DatasetSpec(name="t", kind=kind, system="x") for kind in ("training", "re-forces")]
    assert path_forces.cases(others) == []
    [absent] = path_forces.cases([DatasetSpec(name="far-away", kind=PATH_FORCES, system="x")])
    assert absent.unavailable.endswith("mlpzoo data fetch far-away")


def test_model_that_made_the_labels_has_no_error(case: Case, images: list[Atoms]) -> None:
    values = path_forces.run(Shifted(), case, STANDARD, Job()).values
    assert values.keys() == {quantity.name for quantity in path_forces.QUANTITIES}
    energies = [EMT().get_property("energy", atoms) for atoms in images]
    assert values["barrier"] == pytest.approx(max(energies) - (energies[0] + energies[-1]) / 2, abs=1e-6)
    assert values["barrier"] > 0.5
    for name in ("force_rmse", "force_rmse_hop", "force_along_path_rmse"):
        assert 0 <= values[name] < PRECISION
    assert values["barrier_error"] < 1e-3
    assert values["path_energy_rmse"] < 1e-3
    assert values["angle_hop"] < 1e-3
    assert values["n_images"] == N_IMAGES


def test_wrong_model_has_the_known_errors(case: Case) -> None:
    exact = path_forces.run(Shifted(), case, STANDARD, Job())
    wrong = path_forces.run(Shifted(offset_ev=7.0, hump_ev=0.1, pull_ev_per_ang=0.3), case, STANDARD, Job())
    values = wrong.values
    raised = wrong.arrays["energies_ev"] - exact.arrays["energies_ev"] - 7.0
    n_between = int(np.rint(raised.sum() / 0.1))
    assert 0 < n_between < N_IMAGES
    assert values["barrier"] == pytest.approx(exact.values["barrier"] + 0.1, abs=1e-6)
    assert values["barrier_error"] == pytest.approx(100.0, abs=1e-3)
    assert values["path_energy_rmse"] == pytest.approx(100.0 * np.sqrt(n_between / N_IMAGES), rel=1e-5)
    assert values["force_rmse"] == pytest.approx(0.3 / np.sqrt(3), rel=1e-6)
    assert values["force_rmse_hop"] == pytest.approx(0.3 / np.sqrt(3), rel=1e-6)
    # One atom goes straight along a <110> direction: 0.3 eV/Å along x is 0.3 / √2 along the path, or nothing.
    along = 0.3 * abs(_direction()[0])
    assert values["force_along_path_rmse"] == pytest.approx(along, abs=1e-6)
    assert values["angle_hop"] > 1.0
    assert len(wrong.arrays["hop_atoms"]) == 1


def _direction() -> np.ndarray:
    hop = vacancy_hops(CU, 2, neighbour=11)["ideal"]
    band = interpolated(hop.initial, hop.final, 3)
    way = (band[-1] - band[0])[np.argmax(np.linalg.norm(band[-1] - band[0], axis=1))]
    return way / np.linalg.norm(way)


def test_length_of_the_path_is_not_cut_at_the_border(case: Case) -> None:
    coordinate = path_forces.run(Shifted(), case, STANDARD, Job()).arrays["coordinate_ang"]
    steps = CU.neighbour_distance_ang / (N_IMAGES - 1)
    assert coordinate == pytest.approx(steps * np.arange(N_IMAGES), abs=1e-6)


def test_smoke_takes_the_ends_and_the_middle(case: Case) -> None:
    told: list[tuple[int, int, str]] = []
    calculator = Shifted()
    outcome = path_forces.run(calculator, case, SMOKE, Job(progress=lambda *step: told.append(step)))
    full = path_forces.run(Shifted(), case, STANDARD, Job())
    assert calculator.calls == 3, "energy and forces of an image are one evaluation"
    assert outcome.values["n_images"] == 3
    assert outcome.arrays["energies_ev"] == pytest.approx(full.arrays["energies_ev"][[0, 3, 6]])
    assert told == [(done, 3, "images") for done in (0, 1, 2, 3)]


def test_floor_is_the_coarse_labels_against_the_reference(case: Case) -> None:
    floor = path_forces.run_floor(case, "coarse", STANDARD)
    assert floor.values["force_rmse"] == pytest.approx(0.01, rel=1e-5)
    assert floor.values["force_rmse_hop"] == pytest.approx(0.01, rel=1e-5)
    assert floor.values["barrier_error"] < 1e-6, "a constant does not count"
    assert floor.values["n_images"] == N_IMAGES
    assert path_forces.run_floor(case, "coarse", SMOKE).values["n_images"] == 3


def test_hop_without_forces_has_no_angle(case: Case) -> None:
    class Still(Shifted):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results["forces"] = np.zeros((len(atoms), 3))

    outcome = path_forces.run(Still(), case, STANDARD, Job())
    assert outcome.absent == {"angle_hop": "no force"}
    assert "angle_hop" not in outcome.values


def test_data_without_energies_are_refused(tmp_path: Path, images: list[Atoms]) -> None:
    frames = [frame(atoms, f"image-{i}", energy=False) for i, atoms in enumerate(images)]
    write_dataset(tmp_path / "cu-hop", MANIFEST, frames)
    with pytest.raises(DataError, match="no energies"):
        path_forces.run(Shifted(), case_of(tmp_path / "cu-hop"), STANDARD, Job())


def test_two_images_are_no_path(tmp_path: Path, images: list[Atoms]) -> None:
    frames = [frame(images[0], "first"), frame(images[-1], "last")]
    write_dataset(tmp_path / "cu-hop", replace(MANIFEST, name="short"), frames)
    with pytest.raises(DataError, match="'short' is no path"):
        path_forces.run(Shifted(), case_of(tmp_path / "cu-hop"), STANDARD, Job())


def test_figure_shows_the_reference_and_every_model(case: Case) -> None:
    rows = {
        "exact": path_forces.run(Shifted(), case, STANDARD, Job()).arrays,
        "hump": path_forces.run(Shifted(hump_ev=0.2), case, STANDARD, Job()).arrays,
    }
    floors = {"EMT, coarse": path_forces.run_floor(case, "coarse", STANDARD).arrays}
    [axes] = path_forces.draw(rows, floors, "cu-hop").axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert {"exact", "hump", "DFT", "EMT, coarse"} <= lines.keys()
    assert lines["exact"] == pytest.approx(lines["DFT"], abs=1e-6)
    assert max(lines["hump"]) == pytest.approx(max(lines["DFT"]) + 0.2, abs=1e-6)
    assert lines["DFT"][0] == pytest.approx(-lines["DFT"][-1], abs=1e-9)
