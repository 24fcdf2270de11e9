"""``dataset.toml``: what a data set is, where it comes from, and which files it holds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mlpzoo.data import tomltext
from mlpzoo.errors import DataError

SCHEMA: Final = "mlpzoo.dataset/1"
MANIFEST_NAME: Final = "dataset.toml"
RE_FORCES: Final = "re-forces"
"""Kind of a set for the rare-event force metrics: ``re_mask`` and ``r`` are required."""
PATH_FORCES: Final = "path-forces"
"""Kind of a set of images along a fixed path, in their order; no rare-event labels."""
TRAINING: Final = "training"
"""Kind of a set to train on: energies and forces, no rare-event labels needed."""

_HINT = "the format is described in benchmarks_data/README.md; check with 'mlpzoo data verify DIR'"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
LEVEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudopotential:
    """A pseudopotential file and the hash of its content."""

    file: str
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of theory that the frames were computed at.

    Attributes:
        level: Short name; columns are called ``forces_<level>`` (the reference's ``forces``).
        level_of_theory: For example ``PBE``.
        code: Program and version.
        title: One line for people.
        settings: Free-form: cutoffs, k-mesh, smearing.
        pseudopotentials: By chemical symbol.
    """

    level: str
    level_of_theory: str = ""
    code: str = ""
    title: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    pseudopotentials: dict[str, Pseudopotential] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of frames: path relative to the manifest (with ``/``), its hash, how many frames."""

    path: str
    sha256: str
    n_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetManifest:
    """All of ``dataset.toml``.  ``files`` is filled in by ``write_dataset``.

    Attributes:
        name: Unique name, lower case: ``si-vacancy``.
        title: One line for people.
        kind: ``re-forces``, ``training`` or another word of its user's.
        system: Name of the material that benchmarks group by.
        elements: Every chemical symbol that occurs.
        licence: SPDX identifier.
        citation: DOI or reference.
        reference: What ``forces`` and ``energy`` hold.
        noise_floor: Coarser levels held beside it.
        files: The files of frames.
        provenance: Free-form: how the frames were made.
        schema: Version of this format.
    """

    name: str
    title: str
    kind: str
    system: str
    elements: tuple[str, ...]
    licence: str
    citation: str
    reference: Level
    noise_floor: tuple[Level, ...] = ()
    files: tuple[FileEntry, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    @property
    def n_frames(self) -> int:
        """Frames in all files."""
        return sum(entry.n_frames for entry in self.files)


def read_manifest(path: Path) -> DatasetManifest:
    """Read and validate ``dataset.toml``.  Does not look at the files that it lists.

    Raises:
        DataError: No such file, not TOML, unknown schema or key, missing key, wrong type or value.
    """
    try:
        raw = tomltext.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path}: cannot read the manifest ({reason})", hint=_HINT) from error
    except ValueError as error:
        raise DataError(f"{path}: not valid TOML: {error}", hint=_HINT) from error
    return parse_manifest(raw, where=str(path))


def parse_manifest(raw: Mapping[str, Any], *, where: str) -> DatasetManifest:
    """Turn the parsed TOML into a checked manifest.  ``where`` names the file in errors.

    Raises:
        DataError: See ``read_manifest``.
    """
    import msgspec

    schema = raw.get("schema")
    if schema != SCHEMA:
        raise DataError(
            f"{where}: schema is {schema!r}, this mlpzoo reads '{SCHEMA}'",
            hint=f'write schema = "{SCHEMA}", or install a newer mlpzoo',
        )
    _known_keys(raw, DatasetManifest, where)
    for key, cls in (("reference", Level), ("noise_floor", Level), ("files", FileEntry)):
        tables = raw.get(key, [])
        for table in tables if isinstance(tables, list) else [tables]:
            _known_keys(table, cls, f"{where}: [{key}]")
    try:
        manifest = msgspec.convert(raw, DatasetManifest)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: {error}", hint=_HINT) from error
    check_manifest(manifest, where=where)
    if not manifest.files:
        raise DataError(f"{where}: no [[files]] listed", hint=_HINT)
    return manifest


def check_manifest(manifest: DatasetManifest, *, where: str) -> None:
    """Check the values that types cannot: names, hashes, paths, levels.

    Raises:
        DataError: Naming the key.
    """
    problem = next(_problems(manifest), "")
    if problem:
        raise DataError(f"{where}: {problem}", hint=_HINT)
    for entry in manifest.files:
        check_relative(entry.path, where=where)


def _problems(manifest: DatasetManifest) -> Iterator[str]:
    for key in ("name", "kind", "system"):
        if not _NAME.fullmatch(getattr(manifest, key)):
            value = getattr(manifest, key)
            yield f"{key} = {value!r} is not a name (a-z, 0-9, '.', '_', '-')"
    if not manifest.elements:
        yield "elements is empty"
    levels = [manifest.reference.level, *(floor.level for floor in manifest.noise_floor)]
    for level in levels:
        if not LEVEL_NAME.fullmatch(level):
            yield f"level = {level!r} is not a name (letters, digits, '_')"
    paths = [entry.path for entry in manifest.files]
    for name in sorted({*_repeated(levels), *_repeated(paths)}):
        yield f"level or file {name!r} is listed twice"
    for entry in manifest.files:
        if not _SHA256.fullmatch(entry.sha256):
            yield f"sha256 of {entry.path} is not 64 lower-case hex digits: {entry.sha256!r}"
        if entry.n_frames < 1:
            yield f"n_frames of {entry.path} is {entry.n_frames}, must be at least 1"


def _repeated(values: list[str]) -> set[str]:
    return {value for value in values if values.count(value) > 1}


def check_relative(path: str, *, where: str) -> None:
    """Refuse a path that could lead out of the data set's directory.

    Raises:
        DataError: Absolute, with ``..``, with a backslash or a drive.
    """
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or ":" in path:
        raise DataError(
            f"{where}: path {path!r} leads out of the data set's directory",
            hint="list files by paths inside the directory of dataset.toml, such as frames.extxyz",
        )


def manifest_toml(manifest: DatasetManifest) -> str:
    """The manifest as TOML; empty optional fields are left out.

    Raises:
        DataError: A free-form table holds what TOML cannot.
    """
    try:
        return tomltext.dumps(_filled(manifest))
    except TypeError as error:
        hint = "use strings, numbers, booleans, lists and tables in settings and provenance"
        raise DataError(f"{manifest.name}: {error}", hint=hint) from error


def _filled(instance: Any) -> dict[str, object]:  # any dataclass of this module
    """As a dictionary in the order of the fields, schema first, without what is empty."""
    raw = {f.name: getattr(instance, f.name) for f in dataclasses.fields(instance)}
    if "schema" in raw:
        raw = {"schema": raw.pop("schema"), **raw}
    return {key: _plain(value) for key, value in raw.items() if value not in ("", (), {}, [])}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return _filled(value)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _known_keys(table: object, cls: type[Any], where: str) -> None:
    if not isinstance(table, Mapping):
        return  # msgspec reports the wrong type
    known = [f.name for f in dataclasses.fields(cls)]
    for key in table:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, n=1)
            raise DataError(
                f"{where}: unknown key {key!r}",
                hint=f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}",
            )
