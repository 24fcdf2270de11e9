"""What the conformance kit cannot know of GAP: its files, the command of gap_fit, units of the labels."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import mlpzoo_gap
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from mlpzoo_gap import training
from mlpzoo_gap.backend import GapBackend
from mlpzoo_gap.model_file import LABEL, inspect, pack, unpacked
from mlpzoo_gap.presets import PRESETS

from mlpzoo.backends.tersoff import TersoffBackend
from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import ModelSpec
from mlpzoo.testing.golden import read_golden
from mlpzoo.training import TrainingJob

HERE = Path(mlpzoo_gap.__file__).parent
WEIGHTS = HERE / "models" / "si-small.xml.zip"

needs_quippy = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in GapBackend.requires),
    reason="quippy-ase is not installed",
)

NAME = "GAP_2026_11_25_0_17_20_3_134"
XML = f"""<{NAME}>
<Potential label="{NAME}" init_args="IP GAP label={NAME}"/>
<GAP_params label="{NAME}" gap_version="1">
<GAP_data do_core="F"><e0 Z="1" value="0.0"/><e0 Z="14" value="-5.1"/></GAP_data>
<gpSparse label="{NAME}" n_coordinate="2" fitted="T">
<gpCoordinates label="{NAME}1" sparseX_filename="gap.xml.sparseX.{NAME}1">
<descriptor>distance_2b cutoff=5.0 Z1=14 Z2=32</descriptor><sparseX i="1" alpha="1.0"/></gpCoordinates>
<gpCoordinates label="{NAME}2" sparseX_filename="gap.xml.sparseX.{NAME}2">
<descriptor>soap cutoff=5.0 n_species=2 Z=14 species_Z={{14 32 }}</descriptor>
<sparseX i="1" alpha="1.0"/><sparseX i="2" alpha="1.0"/></gpCoordinates>
</gpSparse></GAP_params></{NAME}>
"""


def own(path: Path) -> ModelSpec:
    return ModelSpec(name=f"gap:{path}", path=str(path))


def written(folder: Path, text: str = XML, *, name: str = NAME) -> Path:
    """An XML file of gap_fit, and its sparse points."""
    folder.mkdir(exist_ok=True)
    (folder / "gap.xml").write_text(text.replace(NAME, name))
    for i in (1, 2):
        (folder / f"gap.xml.sparseX.{name}{i}").write_text("0.5\n")
    return folder / "gap.xml"


def labelled(atoms: Atoms, energy: float) -> Atoms:
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((len(atoms), 3)))
    return atoms


def lessons(n: int = 6) -> list[Atoms]:
    """Strained and rattled silicon, labelled by a potential that is in the core."""
    backend = TersoffBackend()
    teacher = build(backend, ModelSpec(name="tersoff/si", card=backend.cards()[0]))
    frames, random = [], np.random.default_rng(0)
    for _ in range(n):
        atoms = bulk("Si", a=5.43, cubic=True)
        strain = np.eye(3) + 0.04 * random.uniform(-1, 1, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += 0.1 * random.normal(size=(8, 3))
        teacher.calculate(atoms, ["energy", "forces", "stress"])
        results = {k: teacher.results[k] for k in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def job(directory: Path, **changes: object) -> TrainingJob:
    settings = {k: s.value for k, s in PRESETS["smoke"].settings.items()} | changes
    frames = lessons()
    return TrainingJob(directory=directory, train=frames[:5], validation=frames[5:], settings=settings)


def test_side_files_are_the_sparse_points_beside_an_xml_file(tmp_path):
    xml = written(tmp_path)
    points = [tmp_path / f"gap.xml.sparseX.{NAME}{i}" for i in (1, 2)]
    assert GapBackend().side_files(xml) == points
    points[1].unlink()
    assert GapBackend().side_files(xml) == points[:1]
    assert GapBackend().side_files(WEIGHTS) == ()


def test_elements_side_files_and_coefficients_are_read_from_the_xml() -> None:
    told = inspect(XML.encode(), "x")
    assert told.numbers == (14, 32)
    assert told.side_files == (f"gap.xml.sparseX.{NAME}1", f"gap.xml.sparseX.{NAME}2")
    assert told.n_sparse == 3


@pytest.mark.parametrize(
    ("descriptor", "numbers"),
    [
        ("soap n_species=1 Z=74 cutoff=5.0", (74,)),
        ("distance_Nb order=3 cutoff=3.0 Z={{6 1 1}}", (1, 6)),
        ("soap_turbo species_Z={1 6 8} n_species=3 central_index=2", (1, 6, 8)),
        ("general_monomer signature={8 1 1}", (14,)),  # names no Z: those with an energy
    ],
)
def test_elements_are_those_of_the_descriptors_else_those_with_an_energy(
    descriptor: str, numbers: tuple[int, ...]
) -> None:
    text = f'<GAP><e0 Z="1" value="0.0"/><e0 Z="14" value="-5"/><gpCoordinates><descriptor>{descriptor}</descriptor></gpCoordinates></GAP>'
    assert inspect(text.encode(), "x").numbers == numbers


def test_the_same_fit_gives_the_same_bytes_whatever_gap_fit_named_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one.xml.zip", tmp_path / "other.xml.zip"
    pack(written(tmp_path / "a"), one)
    pack(written(tmp_path / "b", name="GAP_2027_1_1_60_9_9_9_99"), other)
    assert one.read_bytes() == other.read_bytes()
    assert ZipFile(one).namelist() == ["gap.xml", f"gap.xml.sparseX.{LABEL}1", f"gap.xml.sparseX.{LABEL}2"]
    with unpacked(one) as xml:
        assert inspect(xml.read_bytes(), "x").side_files[0] == f"gap.xml.sparseX.{LABEL}1"
        folder = xml.parent
    assert not folder.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda xml: xml.write_text("<not closed"), "is no XML"),
        (lambda xml: xml.write_text("<x></x>"), "holds no Gaussian approximation potential"),
        (lambda xml: xml.with_name(f"gap.xml.sparseX.{NAME}2").unlink(), f"missing: gap.xml.sparseX.{NAME}2"),
        (lambda xml: xml.unlink(), "no such file"),
    ],
)
def test_files_that_would_end_the_process_are_refused_before_quip_sees_them(
    change: object, reason: str, tmp_path: Path
) -> None:
    xml = written(tmp_path)
    change(xml)
    with pytest.raises(ModelError, match=reason) as caught, unpacked(xml):
        pass
    assert caught.value.hint


@pytest.mark.parametrize("names", [["../gap.xml"], ["in/gap.xml"], [], ["a.xml", "b.xml"]])
def test_archives_with_folders_or_without_one_xml_are_refused(names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "odd.xml.zip"
    with ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, XML)
    with pytest.raises(ModelError), unpacked(path):
        pass
    path.write_bytes(b"no archive")
    with pytest.raises(ModelError, match="damaged"), unpacked(path):
        pass


def test_virial_is_minus_volume_times_stress() -> None:
    atoms = lessons(1)[0]
    virial = np.array(
        [float(x) for x in training.labelled(atoms, with_virial=True).info["ref_virial"].split()]
    )
    xx, yy, zz, yz, xz, xy = -atoms.get_volume() * atoms.calc.results["stress"]
    np.testing.assert_allclose(virial.reshape(3, 3), [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], rtol=1e-10)
    assert "ref_virial" not in training.labelled(atoms, with_virial=False).info


def test_atomic_energies_are_those_of_the_elements(tmp_path: Path) -> None:
    """gap_fit's own average gives both elements one energy."""
    frames = [labelled(bulk("Si"), -10.0), labelled(bulk("Ge"), -8.0), labelled(Atoms("SiGe"), -9.0)]
    found = training.atomic_energies(
        TrainingJob(directory=tmp_path, train=frames, validation=[], settings={})
    )
    assert found == {"Si": pytest.approx(-5.0), "Ge": pytest.approx(-4.0)}


def test_command_holds_the_settings_and_no_path() -> None:
    settings = {k: s.value for k, s in PRESETS["small"].settings.items()}
    words = training.command_of(settings, {"Si": -5.1}, seed=0)
    text = " ".join(words)
    assert "/" not in text
    assert "rnd_seed=1" in words  # -1 and 0 mean the time
    assert "default_sigma={0.001 0.05 0.02 0.0}" in words
    assert "do_copy_at_file=F" in words
    assert "distance_2b" not in " ".join(
        training.command_of(settings | {"pair_n_sparse": 0}, {"Si": -5.1}, 0)
    )


@needs_quippy
def test_fit_learns_energies_forces_and_stresses_of_the_right_sign(tmp_path: Path) -> None:
    trained = training.train(job(tmp_path))
    calculator = build(GapBackend(), own(trained.path))
    assert calculator.card.elements == ("Si",)
    assert calculator.card.cutoff_ang == trained.cutoff_ang
    for atoms in lessons()[:5]:
        labels = atoms.calc.results
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        assert calculator.results["energy"] == pytest.approx(labels["energy"], abs=0.01 * len(atoms))
        wrong = calculator.results["stress"] - labels["stress"]
        assert np.sqrt(np.mean(wrong**2)) < 0.3 * np.sqrt(np.mean(labels["stress"] ** 2))


@needs_quippy
def test_what_stops_gap_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gap_fit ended with exit code"):
        training.train(job(tmp_path, cutoff_ang=-1.0))
    assert not (tmp_path / "fit").exists()


@needs_quippy
def test_an_interruption_ends_gap_fit_and_leaves_no_model(tmp_path: Path) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def progress(done: int, total: int, what: str) -> None:
        if (tmp_path / "fit.part" / "gap_fit.log").exists():
            raise Stop

    stopped = job(tmp_path)
    with pytest.raises(Stop):
        training.train(
            TrainingJob(
                directory=tmp_path,
                train=stopped.train,
                validation=stopped.validation,
                settings=stopped.settings,
                progress=progress,
            )
        )
    assert not (tmp_path / "fit").exists()
    assert not (tmp_path / "trained.xml.zip").exists()


@needs_quippy
def test_xml_with_its_side_files_gives_the_numbers_of_the_archive(tmp_path: Path) -> None:
    with ZipFile(WEIGHTS) as archive:
        archive.extractall(tmp_path)
    calculator = build(GapBackend(), own(tmp_path / "gap.xml"))
    for _, atoms, expected in read_golden(HERE / "golden" / "gap-si-small.json"):
        calculator.calculate(atoms, ["energy", "forces"])
        assert calculator.results["energy"] == pytest.approx(expected.energy, abs=1e-9)
        np.testing.assert_allclose(calculator.results["forces"], expected.forces, rtol=0, atol=1e-9)
    with pytest.raises(UnsupportedElementError, match="Ge"):
        calculator.calculate(bulk("Ge"))


@needs_quippy
def test_importing_and_loading_print_nothing() -> None:
    code = (
        "import mlpzoo_gap.backend as b\n"
        "from mlpzoo.models import ModelSpec\n"
        f"b.GapBackend().calculator(ModelSpec(name='gap/si-small', path={str(WEIGHTS)!r}))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
