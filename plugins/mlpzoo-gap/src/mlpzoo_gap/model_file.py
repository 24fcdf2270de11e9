"""The files of a GAP: what its XML says, and one file that holds them all.

QUIP writes an XML file and, for each descriptor, a file with the sparse points, whose name the XML gives.
``NAME.xml.zip`` holds all of them, at its top; unpacked they are what QUIP, LAMMPS and quippy read.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from mlpzoo.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL: Final = "GAP_mlpzoo"
_OLDEST: Final = (1980, 1, 1, 0, 0, 0)
_SPECIES: Final = re.compile(r"\b(?:Z\d*|species_Z)\s*=\s*\{*([\d ,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class GapXml:
    """What the text of a GAP's XML says.

    Attributes:
        numbers: Atomic numbers that its descriptors name, or that have an energy of their own; sorted.
        side_files: Names of the files of sparse points.
        n_sparse: Sparse points of all descriptors, each with one fitted coefficient.
    """

    numbers: tuple[int, ...]
    side_files: tuple[str, ...]
    n_sparse: int


def inspect(text: bytes, what: str) -> GapXml:
    """Read the XML.  QUIP's own reader ends the whole process if it is not well-formed.

    Args:
        text: Content of the file.
        what: Its name, for messages.

    Raises:
        ModelError: It is not well-formed, or no GAP.
    """
    hint = "give the .xml file that gap_fit wrote"
    try:
        root = ET.fromstring(text)  # noqa: S314  (expat limits the expansion of entities)
    except ET.ParseError as error:
        raise ModelError(f"{what} is no XML: {error}", hint=hint) from error
    coordinates = list(root.iter("gpCoordinates"))
    if not coordinates:
        raise ModelError(f"{what} holds no Gaussian approximation potential", hint=hint)
    descriptors = [element.text or "" for element in root.iter("descriptor")]
    found = {int(z) for text in descriptors for group in _SPECIES.findall(text) for z in _split(group)}
    with_energy = {int(e.get("Z", "0")) for e in root.iter("e0") if float(e.get("value", "0"))}
    names = [element.get("sparseX_filename") for element in coordinates]
    return GapXml(
        numbers=tuple(sorted((found or with_energy) - {0})),
        side_files=tuple(name for name in names if name),
        n_sparse=sum(1 for _ in root.iter("sparseX")),
    )


def _split(numbers: str) -> list[str]:
    return numbers.replace(",", " ").split()


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The XML file of a model, with all its sparse points beside it, while the context lasts.

    Raises:
        ModelError: The file is missing or damaged, is no GAP, or lacks a file of sparse points.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file", hint="give the .xml file that gap_fit wrote")
    with TemporaryDirectory(prefix="mlpzoo-gap-") as folder:
        xml = _extracted(path, Path(folder)) if path.suffix == ".zip" else path
        told = inspect(xml.read_bytes(), str(path))
        missing = [name for name in told.side_files if not (xml.parent / name).is_file()]
        if missing:
            raise ModelError(
                f"{path}: its sparse points are missing: {', '.join(missing)}",
                hint="put the .sparseX files that gap_fit wrote beside the .xml file",
            )
        yield xml


def _extracted(path: Path, folder: Path) -> Path:
    """Unpack what lies at the top of an archive; returns its one XML file."""
    hint = "pack the .xml and .sparseX files of one GAP, without folders"
    try:
        with ZipFile(path) as archive:
            for name in archive.namelist():
                if name != Path(name).name:
                    raise ModelError(f"{path}: '{name}' is in a folder", hint=hint)
                archive.extract(name, folder)
    except BadZipFile as error:
        raise ModelError(f"{path} is damaged: {error}", hint="get it again") from error
    found = list(folder.glob("*.xml"))
    if len(found) != 1:
        raise ModelError(f"{path} holds {len(found)} XML files instead of one", hint=hint)
    return found[0]


def pack(xml: Path, target: Path) -> None:
    """Write one file that holds a GAP, the same bytes for the same GAP.

    gap_fit names a GAP after the time and a random number; here it becomes `LABEL`, also in the names of the
    files of sparse points.

    Args:
        xml: As gap_fit wrote it, its sparse points beside it.
        target: ``NAME.xml.zip``; replaced as a whole.
    """
    text = xml.read_text(encoding="utf-8")
    label = ET.fromstring(text).tag  # noqa: S314  (gap_fit wrote it)
    contents = {xml.name: text.replace(label, LABEL).encode()}
    for name in inspect(text.encode(), str(xml)).side_files:
        contents[name.replace(label, LABEL)] = (xml.parent / name).read_bytes()
    temporary = target.with_name(f"{target.name}.part")
    with ZipFile(temporary, "w") as archive:
        for name, content in contents.items():
            archive.writestr(ZipInfo(name, _OLDEST), content, ZIP_DEFLATED, 9)
    temporary.replace(target)
