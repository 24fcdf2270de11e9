"""Data sets: a directory with ``dataset.toml`` and extended-XYZ frames, checked before use.

The format is described in ``benchmarks_data/README.md``.  Nothing here imports ASE or numpy
until frames are read, so that listing data sets costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlpzoo.data.frames import Frame, LevelLabels, text_to_frames
from mlpzoo.data.manifest import (
    MANIFEST_NAME,
    RE_FORCES,
    SCHEMA,
    TRAINING,
    DatasetManifest,
    FileEntry,
    Level,
    Pseudopotential,
    read_manifest,
)
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.data.writer import write_dataset
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = [
    "RE_FORCES",
    "SCHEMA",
    "TRAINING",
    "Dataset",
    "DatasetManifest",
    "DatasetSpec",
    "FileEntry",
    "Frame",
    "Level",
    "LevelData",
    "LevelLabels",
    "Pseudopotential",
    "load_dataset",
    "write_dataset",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelData:
    """Labels at a coarser level: forces (n, 3) a frame, eV/Å; energies (n_frames,), eV, or None."""

    forces: tuple[FloatArray, ...]
    energies: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """A data set in memory, checked.

    Attributes:
        spec: What ``dataset.toml`` says.
        directory: Where it was read from.
        frames: Structures without calculator and labels; ``info`` holds ``frame_id`` and whatever
            else the frame's header does.
        forces: (n, 3) a frame, eV/Å, at the reference level.
        energies: (n_frames,), eV; None if the set has none.
        stresses: (n_frames, 6), eV/Å³, ASE's sign and Voigt order; None if the set has none.
        re_mask: (n,) bool a frame; None if there are no rare-event labels (never: ``re-forces``).
        r: (n,) a frame, Å: distance to the nearest RE atom, 0 for RE atoms, capped at 5.5.
        levels: Coarser levels, in the order of the manifest.
        files: Which frames each file holds: ``dataset.files["train.extxyz"]`` is a range.
        sha256: Hash of the set: of the manifest, which holds the (verified) hashes of the files.
    """

    spec: DatasetManifest
    directory: Path
    frames: tuple[Atoms, ...]
    forces: tuple[FloatArray, ...]
    energies: FloatArray | None
    stresses: FloatArray | None
    re_mask: tuple[NDArray[np.bool_], ...] | None
    r: tuple[FloatArray, ...] | None
    levels: Mapping[str, LevelData]
    files: Mapping[str, range]
    sha256: str

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    @property
    def frame_ids(self) -> tuple[str, ...]:
        """The frames' ids, in order."""
        return tuple(atoms.info["frame_id"] for atoms in self.frames)


def load_dataset(directory: Path | str) -> Dataset:
    """Read a data set and check all of it: hashes, counts, columns, units, labels against geometry.

    Raises:
        DataError: Naming file, frame and what is wrong.
    """
    import numpy as np

    from mlpzoo.data.checks import check_frame, check_together

    directory = Path(directory)
    manifest_path = directory / MANIFEST_NAME
    spec = read_manifest(manifest_path)
    frames: list[Frame] = []
    labels: list[str] = []
    files: dict[str, range] = {}
    for entry in spec.files:
        path = directory / entry.path
        first = len(frames)
        text = _verified_text(directory, entry)
        for frame in text_to_frames(text, where=str(path)):
            label = f"{path}: frame {len(frames) - first} ('{frame.frame_id}')"
            check_frame(frame, spec, label)
            frames.append(frame)
            labels.append(label)
        files[entry.path] = range(first, len(frames))
        if len(files[entry.path]) != entry.n_frames:
            raise DataError(
                f"{path}: {len(files[entry.path])} frames, {MANIFEST_NAME} says {entry.n_frames}",
                hint=f"correct n_frames, or restore the file; then mlpzoo data verify {directory}",
            )
    check_together(frames, labels)

    digest = hashlib.sha256(manifest_path.read_bytes())
    for entry in spec.files:
        digest.update(f"{entry.path}\0{entry.sha256}\n".encode())
    head = frames[0]
    return Dataset(
        spec=spec,
        directory=directory,
        frames=tuple(frame.atoms for frame in frames),
        forces=tuple(frame.forces for frame in frames),
        energies=None if head.energy is None else np.array([f.energy for f in frames], dtype=float),
        stresses=None if head.stress is None else np.array([f.stress for f in frames], dtype=float),
        re_mask=tuple(f.re_mask for f in frames if f.re_mask is not None) or None,
        r=tuple(f.r for f in frames if f.r is not None) or None,
        levels={floor.level: _level(frames, floor.level) for floor in spec.noise_floor},
        files=files,
        sha256=digest.hexdigest(),
    )


def _level(frames: list[Frame], level: str) -> LevelData:
    import numpy as np

    labels = [frame.levels[level] for frame in frames]
    without = labels[0].energy is None
    return LevelData(
        forces=tuple(label.forces for label in labels),
        energies=None if without else np.array([label.energy for label in labels], dtype=float),
    )


def _verified_text(directory: Path, entry: FileEntry) -> str:
    """Content of a file of the set, if it lies inside the directory and has the right hash."""
    path = directory / entry.path
    if not path.resolve().is_relative_to(directory.resolve()):
        raise DataError(f"{path}: leads out of the data set's directory", hint="replace the link by the file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot read ({error.strerror})", hint=f"mlpzoo data verify {directory}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise DataError(
            f"{path}: sha256 is {found}, {MANIFEST_NAME} says {entry.sha256}: changed or cut short",
            hint="restore the file (git checkout, or mlpzoo data fetch), or write its new sha256",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: {error}", hint="write the file as UTF-8") from error
