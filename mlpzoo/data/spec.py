"""What data sets can be had: cheap to make and to list, no frames are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlpzoo.data.crystal import CRYSTAL, CRYSTAL_NAME, REFERENCES_NAME, read_crystal, read_references
from mlpzoo.data.manifest import MANIFEST_NAME, read_manifest
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from mlpzoo.data.dataset import Dataset

Origin = Literal["embedded", "public", "plugin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set that can be had: what ``mlpzoo_register_datasets`` returns.

    A plugin registers a directory of its own with ``DatasetSpec.from_directory(path)``.

    Attributes:
        name: Unique name.
        title: One line for people.
        kind: ``re-forces``, ``path-forces``, ``training``, ``crystal`` (no frames: a material), ...
        system: Material that benchmarks group by.
        elements: Chemical symbols.
        licence: SPDX identifier.
        citation: DOI or reference.
        n_frames: Number of frames.
        size_bytes: Size of its files on disk, or of the download while it is not fetched.
        origin: ``embedded`` (comes with mlpzoo), ``public`` (to be fetched) or ``plugin``.
        directory: Where it is; None while it is not fetched.
        fetch: Fetches it and returns the directory; None for sets that need no fetching.
        sampled_by: ``AIMD`` if the frames are snapshots of one such trajectory (manifest, ``[provenance]``).
        problem: Why its manifest cannot be read; empty if it can.  ``load`` raises it.
    """

    name: str
    title: str = ""
    kind: str = ""
    system: str = ""
    elements: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    n_frames: int = 0
    size_bytes: int = 0
    origin: Origin = "plugin"
    directory: Path | None = None
    fetch: Callable[[], Path] | None = field(default=None, compare=False)
    sampled_by: str = ""
    problem: str = ""

    @classmethod
    def from_directory(
        cls,
        directory: Path | str,
        *,
        origin: Origin = "plugin",
        fetch: Callable[[], Path] | None = None,
    ) -> DatasetSpec:
        """Describe the data set in a directory; reads its ``dataset.toml`` (or ``crystal.toml``) only.

        Raises:
            DataError: The manifest is missing or wrong.
        """
        directory = Path(directory)
        if (directory / CRYSTAL_NAME).is_file():
            return cls._crystal(directory, origin)
        manifest = read_manifest(directory / MANIFEST_NAME)
        paths = [directory / entry.path for entry in manifest.files]
        return cls(
            name=manifest.name,
            title=manifest.title,
            kind=manifest.kind,
            system=manifest.system,
            elements=manifest.elements,
            licence=manifest.licence,
            citation=manifest.citation,
            n_frames=manifest.n_frames,
            size_bytes=sum(path.stat().st_size for path in paths if path.is_file()),
            origin=origin,
            directory=directory,
            fetch=fetch,
            sampled_by=str(manifest.provenance.get("sampled_by", "")),
        )

    @classmethod
    def _crystal(cls, directory: Path, origin: Origin) -> DatasetSpec:
        crystal = read_crystal(directory / CRYSTAL_NAME)
        read_references(directory / REFERENCES_NAME)
        return cls(
            name=crystal.name,
            title=crystal.title,
            kind=crystal.kind,
            system=crystal.system,
            elements=(crystal.symbol,),
            licence=crystal.licence,
            citation=crystal.citation,
            size_bytes=sum(path.stat().st_size for path in directory.glob("*.toml")),
            origin=origin,
            directory=directory,
        )

    def load(self) -> Dataset:
        """Read and check the frames.  Never downloads.

        Raises:
            DataError: Not fetched yet, or not valid.
        """
        if self.problem:
            raise DataError(
                self.problem, hint=f"mlpzoo data {'fetch' if self.fetch else 'verify'} {self.name}"
            )
        if self.directory is None:
            raise DataError(
                f"data set '{self.name}' is not on this machine",
                hint=f"mlpzoo data fetch {self.name}",
            )
        if self.kind == CRYSTAL:
            raise DataError(
                f"'{self.name}' is a crystal: it has no frames",
                hint="benchmarks make its structures themselves",
            )
        from mlpzoo.data.dataset import load_dataset

        return load_dataset(self.directory)
