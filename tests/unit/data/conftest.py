"""Small data sets made on the spot, and a mirror that holds a fake of a public one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from mlpzoo.data import liu2023
from mlpzoo.data.checks import R_CAP_ANG, distance_to_re_atoms
from mlpzoo.data.dataset import (
    RE_FORCES,
    DatasetManifest,
    Frame,
    Level,
    LevelLabels,
    Pseudopotential,
    write_dataset,
)
from mlpzoo.data.sources import MIRROR_VARIABLE, PublicFile, PublicSet

if TYPE_CHECKING:
    from ase import Atoms


def snapshot(seed: int) -> Atoms:
    """Sixteen displaced atoms in a periodic cell."""
    atoms = bulk("Si", cubic=True) * (2, 1, 1)
    atoms.rattle(0.1, seed=seed)
    return atoms


def labelled(index: int, *, energies: bool = True) -> Frame:
    """A frame with one RE atom (none in frame 2), two levels and full-precision numbers."""
    atoms, rng = snapshot(index), np.random.default_rng(index)
    mask = np.zeros(len(atoms), dtype=bool)
    mask[index] = index != 2
    shape = (len(atoms), 3)
    return Frame(
        atoms=atoms,
        frame_id=f"snapshot-{index}",
        forces=rng.normal(size=shape),
        energy=-86.123456789012345 - index if energies else None,
        re_mask=mask,
        r=np.minimum(distance_to_re_atoms(atoms, mask), R_CAP_ANG),
        levels={
            "gamma": LevelLabels(forces=rng.normal(size=shape), energy=-86.0 if energies else None),
            "lda": LevelLabels(forces=rng.normal(size=shape)),
        },
        info={"temperature_kelvin": 1230.0, "origin": "run 1, step 5"},
    )


@pytest.fixture
def manifest() -> DatasetManifest:
    return DatasetManifest(
        name="si-test",
        title="Test, Γ only",
        kind=RE_FORCES,
        system="si",
        elements=("Si",),
        licence="CC0-1.0",
        citation="nobody",
        reference=Level(
            level="k222",
            level_of_theory="PBE",
            code="Quantum ESPRESSO 6.7",
            settings={"ecutwfc_ry": 18, "kmesh": [2, 2, 2]},
            pseudopotentials={"Si": Pseudopotential(file="Si.upf", sha256="0" * 64)},
        ),
        noise_floor=(Level(level="gamma", title="Γ only"), Level(level="lda")),
        provenance={"made_by": "a test", "seed": 1, "nested": {"timestep_fs": 0.5}},
    )


@pytest.fixture
def frames() -> list[Frame]:
    return [labelled(index) for index in range(4)]


@pytest.fixture
def directory(tmp_path: Path, manifest: DatasetManifest, frames: list[Frame]) -> Path:
    """A valid data set of four frames."""
    write_dataset(tmp_path / "si-test", manifest, frames)
    return tmp_path / "si-test"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of mlpzoo."""
    path = tmp_path / "home"
    monkeypatch.setenv("MLPZOO_HOME", str(path))
    return path


@pytest.fixture
def real_mirror() -> Path:
    """The mirror of the public data that the environment names; the test is skipped without one."""
    if not os.environ.get(MIRROR_VARIABLE):
        pytest.skip(f"needs the public data: set {MIRROR_VARIABLE}")
    return Path(os.environ[MIRROR_VARIABLE])


def poscars(structures: list[Atoms]) -> bytes:
    """A zip archive of POSCARs, named by index, last first: order in the archive means nothing."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for index, atoms in reversed(list(enumerate(structures))):
            text = io.StringIO()
            write(text, atoms, format="vasp", direct=True)
            archive.writestr(f"{index}.POSCAR.vasp", text.getvalue())
    return stream.getvalue()


def liu_folder(*, n_frames: int = 3) -> dict[str, bytes]:
    """The files of a fake test folder of Liu et al.: three levels, no energies at K1."""
    found = [labelled(index) for index in range(n_frames)]
    data = {
        "Energies": {f"DFT_{level}": [frame.energy for frame in found] for level in ("K4", "K2")},
        "Forces": {
            f"DFT_{level}": [(frame.forces + shift).tolist() for frame in found]
            for level, shift in (("K4", 0.0), ("K2", 0.25), ("K1", 0.5))
        },
        "r": [frame.r.tolist() for frame in found if frame.r is not None],
    }
    return {
        "DATA.json": json.dumps(data).encode(),
        "structure_poscars.zip": poscars([frame.atoms for frame in found]),
    }


MakePublic = Callable[[dict[str, bytes]], PublicSet]


@pytest.fixture
def make_public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> MakePublic:
    """Put files into a mirror and offer them as the public set ``fake-si``, pinned to their hashes."""

    def make(content: dict[str, bytes]) -> PublicSet:
        root = tmp_path / "mirror" / "owner" / "repo" / ("c" * 40) / "Some Folder"
        root.mkdir(parents=True, exist_ok=True)
        for name, data in content.items():
            (root / name).write_bytes(data)
        public = PublicSet(
            name="fake-si",
            title="A fake",
            kind=RE_FORCES,
            system="fake-si",
            elements=("Si",),
            n_frames=3,
            licence="CC0-1.0",
            citation="nobody",
            repository="owner/repo",
            commit="c" * 40,
            files=tuple(
                PublicFile(
                    path=f"Some Folder/{name}",
                    sha256=hashlib.sha256(data).hexdigest(),
                    size_bytes=len(data),
                )
                for name, data in content.items()
            ),
            convert=liu2023.convert,
        )
        monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path / "mirror"))
        monkeypatch.setattr("mlpzoo.data.fetch.PUBLIC", (public,))
        monkeypatch.setattr("mlpzoo.data.registry.PUBLIC", (public,))
        return public

    return make
