"""Which frames of which files: what ``--data`` and ``--test`` say, and the frames that they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.data.fingerprint import fingerprint
from mlpzoo.data.manifest import MANIFEST_NAME
from mlpzoo.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.data.dataset import Dataset
    from mlpzoo.data.spec import DatasetSpec

VALIDATION: Final = "validation"
TEST: Final = "test"
SUFFIX: Final = ".extxyz"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Some frames of one file of a data set.

    Attributes:
        file: Path of the file in the set, without ``.extxyz``.
        dataset: The set.
        indices: Which of the set's frames, in order.
        prints: Their fingerprints, as far as they are known; shared by all parts of a set.
    """

    file: str
    dataset: Dataset
    indices: tuple[int, ...]
    prints: dict[int, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Name of the data set."""
        return self.dataset.spec.name

    @property
    def label(self) -> str:
        """``si:train``."""
        return f"{self.source}:{self.file}"

    @property
    def sha256(self) -> str:
        """Of the file."""
        entry = next(e for e in self.dataset.spec.files if _stem(e.path) == self.file)
        return entry.sha256

    def fingerprint(self, index: int) -> str:
        """Of one of the set's frames; computed once."""
        if index not in self.prints:
            self.prints[index] = fingerprint(self.dataset.frames[index])
        return self.prints[index]

    def where(self, index: int) -> str:
        """File and frame, for messages; ``index`` is one of the set's frames."""
        return f"{self.label}, frame '{self.dataset.frame_ids[index]}'"

    def labelled(self, *, with_stress: bool) -> list[Atoms]:
        """The frames, each with a ``SinglePointCalculator`` of energy, forces and perhaps stress."""
        from ase.calculators.singlepoint import SinglePointCalculator

        found, data = [], self.dataset
        assert data.energies is not None  # noqa: S101  (checked by `read`)
        for index in self.indices:
            atoms = data.frames[index].copy()
            labels = {"energy": float(data.energies[index]), "forces": data.forces[index].copy()}
            if with_stress and data.stresses is not None:
                labels["stress"] = data.stresses[index].copy()
            atoms.calc = SinglePointCalculator(atoms, **labels)
            found.append(atoms)
        return found


def read(texts: Sequence[str], known: Mapping[str, DatasetSpec], option: str) -> dict[str, list[Part]]:
    """The parts that each text means, ``NAME[:FILE[+FILE...]]``; all files of the set if none is named.

    Args:
        texts: As typed; NAME is a data set or a directory, FILE is given without ``.extxyz``.
        known: Data sets by name.
        option: Which option they were given to, for messages.

    Returns:
        Text to its parts.

    Raises:
        UsageError: A text cannot be read, or a file is given twice.
        DataError: There is no such set or file, it is not valid, or it has no energies.
    """
    found: dict[str, list[Part]] = {}
    seen: set[tuple[str, str]] = set()
    loaded: dict[str, Dataset] = {}
    prints: dict[str, dict[int, str]] = {}
    for text in texts:
        name, files = _split(text)
        if name not in loaded:
            loaded[name] = _load(name, known)
        data = loaded[name]
        if data.energies is None:
            raise DataError(f"'{name}' has no energies", hint="models are trained on energies and forces")
        stems = {_stem(path): frames for path, frames in data.files.items()}
        parts, known_prints = [], prints.setdefault(data.sha256, {})
        for file in files or stems:
            if file not in stems:
                raise DataError(
                    f"'{name}' has no file '{file}{SUFFIX}'",
                    hint=f"{did_you_mean(file, stems)}it has: {', '.join(stems)}",
                )
            if (data.sha256, file) in seen:
                raise UsageError(f"{option}: '{name}:{file}' is given twice", hint="name each file once")
            seen.add((data.sha256, file))
            parts.append(Part(file=file, dataset=data, indices=tuple(stems[file]), prints=known_prints))
        found[text] = parts
    return found


def names_files(text: str) -> bool:
    """Whether a text names files."""
    return bool(_split(text)[1])


def _split(text: str) -> tuple[str, tuple[str, ...]]:
    if (Path(text) / MANIFEST_NAME).is_file():  # a directory with a colon in its name
        return text, ()
    name, colon, rest = text.rpartition(":") if ":" in text else (text, "", "")
    files = tuple(f.removesuffix(SUFFIX) for f in rest.split("+") if f)
    if not name or (colon and not files):
        raise UsageError(
            f"'{text}' names no data set", hint="write NAME or NAME:FILE+FILE, e.g. si:crystal+vacancy"
        )
    return name, files


def _stem(path: str) -> str:
    return path.removesuffix(SUFFIX)


def _load(name: str, known: Mapping[str, DatasetSpec]) -> Dataset:
    from mlpzoo.data.dataset import load_dataset

    if (Path(name) / MANIFEST_NAME).is_file():  # as in 'mlpzoo data verify'
        return load_dataset(name)
    if name not in known:
        raise DataError(
            f"'{name}' is neither a data set nor a directory with a {MANIFEST_NAME}",
            hint=f"{did_you_mean(name, known)}see 'mlpzoo data list'",
        )
    return known[name].load()
