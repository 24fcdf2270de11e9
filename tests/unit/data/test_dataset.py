"""The format: what is written is read back, and whatever is wrong is refused with file and frame."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpzoo.data import tomltext
from mlpzoo.data.checks import distance_to_re_atoms
from mlpzoo.data.dataset import (
    TRAINING,
    DatasetManifest,
    DatasetSpec,
    Frame,
    load_dataset,
    write_dataset,
)
from mlpzoo.data.frames import frames_to_text, text_to_frames
from mlpzoo.errors import DataError

# --- what is written is read back ---


def test_everything_written_is_read_back(
    directory: Path, manifest: DatasetManifest, frames: list[Frame]
) -> None:
    dataset = load_dataset(directory)
    assert dataclasses.replace(dataset.spec, files=()) == manifest
    assert dataset.frame_ids == tuple(frame.frame_id for frame in frames)
    assert dataset.files == {"frames.extxyz": range(4)}
    assert dataset.energies is not None
    assert dataset.energies.tolist() == [frame.energy for frame in frames]  # not one bit lost
    assert dataset.re_mask is not None
    assert dataset.r is not None
    for index, frame in enumerate(frames):
        atoms = dataset.frames[index]
        np.testing.assert_allclose(atoms.positions, frame.atoms.positions, rtol=0, atol=5.1e-11)
        np.testing.assert_allclose(dataset.forces[index], frame.forces, rtol=0, atol=5.1e-11)
        np.testing.assert_array_equal(atoms.cell.array, frame.atoms.cell.array)
        np.testing.assert_array_equal(dataset.re_mask[index], frame.re_mask)
        np.testing.assert_allclose(dataset.r[index], frame.r, rtol=0, atol=5.1e-11)
        for level in ("gamma", "lda"):
            got = dataset.levels[level].forces[index]
            np.testing.assert_allclose(got, frame.levels[level].forces, rtol=0, atol=5.1e-11)
        assert atoms.info["temperature_kelvin"] == 1230.0
        assert atoms.info["origin"] == "run 1, step 5"
    assert dataset.levels["gamma"].energies is not None
    assert dataset.levels["lda"].energies is None


def test_frames_carry_no_answer(directory: Path) -> None:
    for atoms in load_dataset(directory).frames:
        assert atoms.calc is None
        assert set(atoms.arrays) == {"numbers", "positions"}
        assert not any("energy" in key or "forces" in key for key in atoms.info)


def test_ase_reads_the_file_as_a_labelled_trajectory(directory: Path, frames: list[Frame]) -> None:
    images = read(directory / "frames.extxyz", ":")
    np.testing.assert_allclose(images[1].get_forces(), frames[1].forces, rtol=0, atol=1e-10)
    assert images[1].get_potential_energy() == frames[1].energy
    assert images[1].arrays["re_mask"].dtype == bool


def test_a_stress_keeps_its_voigt_order(tmp_path: Path, manifest: DatasetManifest) -> None:
    stress = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    atoms = Atoms("Si2", positions=[[0, 0, 0], [0, 0, 2.3]], cell=[8, 8, 8], pbc=True)
    frame = Frame(atoms=atoms, frame_id="a", forces=np.zeros((2, 3)), stress=stress)
    spec = dataclasses.replace(manifest, kind=TRAINING, noise_floor=())
    dataset = write_dataset(tmp_path / "set", spec, [frame])
    assert dataset.stresses is not None
    np.testing.assert_array_equal(dataset.stresses, [stress])
    images = read(tmp_path / "set" / "frames.extxyz")
    np.testing.assert_array_equal(images.get_stress(), stress)


def test_several_files_are_told_apart(tmp_path: Path, manifest: DatasetManifest, frames: list[Frame]) -> None:
    files = {"train.extxyz": frames[:3], "part/test.extxyz": frames[3:]}
    dataset = write_dataset(tmp_path / "set", manifest, files)
    assert dataset.files == {"train.extxyz": range(3), "part/test.extxyz": range(3, 4)}


def test_a_single_atom_keeps_its_columns(tmp_path: Path, manifest: DatasetManifest) -> None:
    atoms = Atoms("Si", cell=[9, 9, 9], pbc=True)
    frame = Frame(
        atoms=atoms,
        frame_id="one",
        forces=np.array([[1.0, 2.0, 3.0]]),
        re_mask=np.array([True]),
        r=np.zeros(1),
    )
    spec = dataclasses.replace(manifest, noise_floor=())
    dataset = write_dataset(tmp_path / "set", spec, [frame])
    np.testing.assert_array_equal(dataset.forces[0], [[1.0, 2.0, 3.0]])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-99, 99, allow_nan=False)] * 6), min_size=1, max_size=5),
    st.floats(-1e6, 1e6),
)
def test_numbers_survive_the_text(rows: list[tuple[float, ...]], energy: float) -> None:
    table = np.array(rows)
    atoms = Atoms(f"Si{len(rows)}", positions=table[:, :3], cell=[9.0, 9.1, 1 / 3], pbc=True)
    frame = Frame(atoms=atoms, frame_id="f", forces=table[:, 3:], energy=energy)
    (back,) = text_to_frames(frames_to_text([frame]), where="memory")
    np.testing.assert_allclose(back.atoms.positions, table[:, :3], rtol=0, atol=6e-11)
    np.testing.assert_allclose(back.forces, table[:, 3:], rtol=0, atol=6e-11)
    assert back.energy == energy
    assert back.atoms.cell[2, 2] == 1 / 3


_scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
_keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(_keys, _values, max_size=5))
def test_toml_written_is_toml_read(table: dict[str, object]) -> None:
    assert tomltext.loads(tomltext.dumps(table)) == table


def test_the_hash_of_the_set_follows_manifest_and_frames(directory: Path) -> None:
    before = load_dataset(directory).sha256
    assert load_dataset(directory).sha256 == before
    edit(directory / "dataset.toml", 'title = "Test', 'title = "Another test')
    after = load_dataset(directory).sha256
    assert after != before
    edit_frames(directory, "temperature_kelvin=1230.0", "temperature_kelvin=1231.0")
    assert load_dataset(directory).sha256 not in {before, after}


# --- what is wrong is refused ---


def edit(path: Path, pattern: str, replacement: str, *, count: int = 1) -> None:
    """Replace a pattern that must be there."""
    text, hits = re.subn(pattern, replacement, path.read_text("utf-8"), count=count, flags=re.MULTILINE)
    assert hits, f"{pattern!r} not in {path.name}"
    path.write_text(text, "utf-8")


def edit_frames(directory: Path, pattern: str, replacement: str, *, count: int = 1) -> None:
    """Replace a pattern in the frames and correct the hash, so that the frames themselves are judged."""
    edit(directory / "frames.extxyz", pattern, replacement, count=count)
    rehash(directory)


def rehash(directory: Path) -> None:
    digest = hashlib.sha256((directory / "frames.extxyz").read_bytes()).hexdigest()
    path = directory / "dataset.toml"
    head, files = path.read_text("utf-8").split("[[files]]")
    files = re.sub(r'sha256 = "\w+"', f'sha256 = "{digest}"', files)
    path.write_text(f"{head}[[files]]{files}", "utf-8")


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"mlpzoo\.dataset/1", "mlpzoo.dataset/2", "schema is 'mlpzoo.dataset/2'"),
        (r"^schema.*$", "", "schema is None"),
        (r"^licence = .*$", "", "missing required field `licence`"),
        (r"^licence = ", "license = ", "unknown key 'license'"),
        (r"^title = .*$", "title = 5", r"Expected `str`, got `int` - at `\$.title`"),
        (r"^elements = .*$", "elements = []", "elements is empty"),
        (r"^elements = .*$", 'elements = ["Ge"]', r"frame 0 \('snapshot-0'\): Si not among"),
        (r"^name = .*$", 'name = "Bad Name"', "name = 'Bad Name' is not a name"),
        (r"^level = \"lda\"", 'level = "gamma"', "'gamma' is listed twice"),
        (r"^level = \"k222\"", 'level = "gamma"', "'gamma' is listed twice"),
        (r"^level = \"lda\"", 'level = "pz"', "forces at levels"),
        (r"^n_frames = 4", "n_frames = 5", "4 frames, dataset.toml says 5"),
        (r"^n_frames = 4", "n_frames = 0", "n_frames of frames.extxyz is 0"),
        (r"^n_frames = 4", 'n_frames = "4"', "Expected `int`, got `str`"),
        (r"frames\.extxyz", "../frames.extxyz", "leads out of"),
        (r"frames\.extxyz", "/frames.extxyz", "leads out of"),
        (r"frames\.extxyz", r"..\\\\\\\\frames.extxyz", "leads out of"),
        (r"frames\.extxyz", "missing.extxyz", "cannot read"),
        (r"^path = ", "file = ", "unknown key 'file'"),
        (r"^title", "title title", "not valid TOML"),
    ],
)
def test_a_wrong_manifest_is_refused(directory: Path, pattern: str, replacement: str, message: str) -> None:
    edit(directory / "dataset.toml", pattern, replacement)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(directory)
    assert str(directory) in caught.value.message
    assert caught.value.hint


ATOM = r"^(Si(?: \S+){3})((?: \S+){3}) (\w) (\S+)"
"""An atom's line: element and position, force, mask, r."""


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (ATOM, r"\1 nan 0 0 \3 \4", "forces is NaN or infinite at atom 0"),
        (ATOM, r"\1 0 inf 0 \3 \4", "forces is NaN or infinite at atom 0"),
        (ATOM, r"\1 0 0 101 \3 \4", "101 eV/Å at atom 0: wrong units"),
        (r"^(Si .*) \S+ \S+ \S+$", r"\1 0 0 101", r"frame 0 .*\|forces_lda\| = 101"),
        (ATOM, r"\1\2 F \4", "re_mask and r disagree at atom 0"),
        (ATOM, r"\1\2 \3 0.5", "re_mask and r disagree at atom 0"),
        (ATOM, r"\1\2 \3 -1", "r outside"),
        (ATOM, r"\1\2 \3 nan", "r outside"),
        (r" F (\d)\.(\d+)", r" F 5.6", "r outside"),
        (r" F (\d)\.(\d+)", r" F 3.\2", "nearest RE atom at"),
        (r"^Si", "Ge", "Ge not among the elements"),
        (r"^Si", "Xx", "Xx|not extended XYZ"),
        (r"frame_id=snapshot-1", "frame_id=snapshot-0", "frame_id 'snapshot-0' as in"),
        (r"frame_id=\S+ ", "", "no 'frame_id' in the header"),
        (r"frame_id=\S+ ", "frame_id=0001 ", "reads as a number"),
        (r" energy=\S+", "", "energy is present, unlike in"),
        (r" energy=\S+", " energy=nan", "energy is NaN"),
        (r" energy=\S+", " energy=low", "'energy' is not a number"),
        (r" energy_gamma=\S+", "", "energy_gamma is present"),
        (r" energy_gamma=", " energy_delta=", "'energy_delta' without a column"),
        (r":forces:R:3", ":gradient:R:3", "no 'forces' column"),
        (r":re_mask:L:1", ":flag:L:1", "no 're_mask' column"),
        (r":r:R:1", ":distance:R:1", "no 'r' column"),
        (r":re_mask:L:1", ":re_mask:S:1", "column of T and F"),
        (r":forces_lda:", ":forces_pz:", "the manifest declares"),
        (r'Lattice="[^"]*" ', "", "the cell is missing"),
        (r'pbc="T T T"', 'pbc="F F F"', "not periodic"),
        (r'Lattice="\S+ \S+ \S+', 'Lattice="0 0 0', "no volume"),
        (r"^16$", "sixteen", "expected a number of atoms, found 'sixteen'"),
        (r"^16$", "15", "frame 1: expected a number of atoms"),
        (r"^(Si \S+ \S+) \S+", r"\1 abc", "not extended XYZ"),
        (r"^(Si \S+ \S+) \S+", r"\1 nan", "non-finite positions|not extended XYZ"),
    ],
)
def test_a_wrong_frame_is_refused(directory: Path, pattern: str, replacement: str, message: str) -> None:
    edit_frames(directory, pattern, replacement)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(directory)
    assert f"{directory / 'frames.extxyz'}: frame " in caught.value.message
    assert caught.value.hint


def test_labels_in_another_order_than_the_atoms_are_refused(directory: Path) -> None:
    path = directory / "frames.extxyz"
    lines = path.read_text("utf-8").splitlines()
    first = [line.split() for line in lines[2:18]]
    positions = [row[1:4] for row in first]
    for row, position in zip(first, positions[1:] + positions[:1], strict=True):
        row[1:4] = position
    path.write_text("\n".join([*lines[:2], *map(" ".join, first), *lines[18:]]) + "\n", "utf-8")
    rehash(directory)
    with pytest.raises(DataError, match=r"frame 0 .*nearest RE atom") as caught:
        load_dataset(directory)
    assert "different orders" in caught.value.hint


def test_a_changed_file_is_refused_with_both_hashes(directory: Path) -> None:
    path = directory / "frames.extxyz"
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-1])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataError, match="changed or cut short") as caught:
        load_dataset(directory)
    assert expected in caught.value.message
    assert found in caught.value.message


def test_a_frame_cut_short_is_refused(directory: Path) -> None:
    path = directory / "frames.extxyz"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(lines[:-3]) + "\n", "utf-8")
    rehash(directory)
    with pytest.raises(DataError, match="frame 3: cut short: 13 of 16 atoms"):
        load_dataset(directory)


def test_a_frame_that_is_there_twice_is_refused(directory: Path) -> None:
    path = directory / "frames.extxyz"
    text = path.read_text("utf-8")
    copy = "".join(text.splitlines(keepends=True)[:18]).replace("snapshot-0", "snapshot-9")
    path.write_text(text + copy, "utf-8")
    edit(directory / "dataset.toml", "n_frames = 4", "n_frames = 5")
    rehash(directory)
    with pytest.raises(DataError, match=r"frame 4 \('snapshot-9'\): the same structure as in .*frame 0"):
        load_dataset(directory)


def test_a_link_out_of_the_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    path = directory / "frames.extxyz"
    path.rename(tmp_path / "elsewhere.extxyz")
    path.symlink_to(tmp_path / "elsewhere.extxyz")
    with pytest.raises(DataError, match="leads out of"):
        load_dataset(directory)


def test_r_beyond_the_search_radius_may_be_the_cap(tmp_path: Path, manifest: DatasetManifest) -> None:
    """As in the paper's sets: nothing between 5.0 Å and the 5.5 Å that stands for farther."""
    atoms = bulk("Si", cubic=True) * (3, 3, 3)
    mask = np.arange(len(atoms)) == 0
    distance = distance_to_re_atoms(atoms, mask)
    assert ((distance > 5.0) & (distance < 5.5)).any()
    spec = dataclasses.replace(manifest, noise_floor=())

    def write(radius: float) -> None:
        r = np.where(distance > radius, 5.5, distance)
        frame = Frame(atoms=atoms, frame_id="a", forces=np.zeros(atoms.positions.shape), re_mask=mask, r=r)
        write_dataset(tmp_path / f"set{radius}", spec, [frame])

    write(5.0)
    write(5.5)
    with pytest.raises(DataError, match=r"r = 5\.5000 Å .* nearest RE atom at"):
        write(4.0)


def test_distances_to_re_atoms_cross_the_border() -> None:
    atoms = Atoms("Si2", positions=[[0.5, 0, 0], [9.5, 0, 0]], cell=[10, 10, 10], pbc=True)
    np.testing.assert_allclose(distance_to_re_atoms(atoms, np.array([True, False])), [0.0, 1.0])


# --- writing is all or nothing ---


def test_frames_that_would_be_refused_are_not_written(
    tmp_path: Path, manifest: DatasetManifest, frames: list[Frame]
) -> None:
    bad = dataclasses.replace(frames[1], forces=frames[1].forces * 1e4)
    with pytest.raises(DataError, match="wrong units") as caught:
        write_dataset(tmp_path / "set", manifest, [frames[0], bad])
    assert str(tmp_path / "set" / "frames.extxyz") in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_set_is_replaced_only_when_asked(
    directory: Path, manifest: DatasetManifest, frames: list[Frame]
) -> None:
    before = load_dataset(directory).sha256
    with pytest.raises(DataError, match="exists"):
        write_dataset(directory, manifest, frames[:2])
    assert load_dataset(directory).sha256 == before
    assert len(write_dataset(directory, manifest, frames[:2], overwrite=True)) == 2
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


def test_a_failed_replacement_leaves_the_old_set(
    directory: Path, manifest: DatasetManifest, frames: list[Frame]
) -> None:
    before = load_dataset(directory).sha256
    with pytest.raises(DataError, match="as in"):
        write_dataset(directory, manifest, [frames[0], frames[0]], overwrite=True)
    assert load_dataset(directory).sha256 == before
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


def test_an_interruption_between_the_two_renames_keeps_the_old_set(
    directory: Path, manifest: DatasetManifest, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_dataset(directory).sha256
    rename = Path.rename

    def interrupt(path: Path, target: Path) -> Path:
        if ".tmp-" in path.name:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(directory, manifest, frames[:2], overwrite=True)
    assert load_dataset(directory).sha256 == before
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


def test_a_directory_of_something_else_is_never_replaced(
    tmp_path: Path, manifest: DatasetManifest, frames: list[Frame]
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.tex").write_text("years of work", "utf-8")
    with pytest.raises(DataError, match="exists"):
        write_dataset(tmp_path / "set", manifest, frames, overwrite=True)
    assert (tmp_path / "set" / "thesis.tex").is_file()


@pytest.mark.parametrize("name", ["../out.extxyz", "/out.extxyz", "a/../../out.extxyz"])
def test_files_are_written_inside_the_directory_only(
    tmp_path: Path, manifest: DatasetManifest, frames: list[Frame], name: str
) -> None:
    with pytest.raises(DataError, match="leads out of"):
        write_dataset(tmp_path / "set", manifest, {name: frames})
    assert list(tmp_path.iterdir()) == []


def test_columns_of_another_length_are_refused(
    tmp_path: Path, manifest: DatasetManifest, frames: list[Frame]
) -> None:
    bad = dataclasses.replace(frames[0], forces=frames[0].forces[:-1])
    with pytest.raises(DataError, match=r"forces has shape \(15, 3\), not \(16, 3\)"):
        write_dataset(tmp_path / "set", manifest, [bad])


# --- listing costs nothing ---


def test_a_directory_is_registered_in_one_line(directory: Path) -> None:
    spec = DatasetSpec.from_directory(directory)
    assert (spec.name, spec.kind, spec.system, spec.n_frames) == ("si-test", "re-forces", "si", 4)
    assert spec.size_bytes == (directory / "frames.extxyz").stat().st_size
    assert len(spec.load()) == 4


def test_a_set_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(DataError) as caught:
        DatasetSpec(name="far-away").load()
    assert caught.value.hint == "mlpzoo data fetch far-away"


def imported(statement: str) -> Callable[[str], bool]:
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split().__contains__


@pytest.mark.parametrize("module", ["dataset", "registry", "fetch"])
def test_importing_is_light(module: str) -> None:
    has = imported(f"import mlpzoo.data.{module}")
    assert has(f"mlpzoo.data.{module}")
    for heavy in ("ase", "numpy", "pooch", "requests", "msgspec"):
        assert not has(heavy), heavy


def test_listing_reads_no_frames() -> None:
    has = imported("from mlpzoo.data.registry import available; available()")
    assert not has("ase")
    assert not has("numpy")
