"""What data sets can be had: cheap to make and to list, no frames are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
        kind: ``re-forces``, ``training``, ...
        system: Material that benchmarks group by.
        elements: Chemical symbols.
        licence: SPDX identifier.
        citation: DOI or reference.
        n_frames: Number of frames.
        size_bytes: Size of its files on disk, or of the download while it is not fetched.
        origin: ``embedded`` (comes with mlpzoo), ``public`` (to be fetched) or ``plugin``.
        directory: Where it is; None while it is not fetched.
        fetch: Fetches it and returns the directory; None for sets that need no fetching.
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
    problem: str = ""

    @classmethod
    def from_directory(
        cls,
        directory: Path | str,
        *,
        origin: Origin = "plugin",
        fetch: Callable[[], Path] | None = None,
    ) -> DatasetSpec:
        """Describe the data set in a directory; reads its ``dataset.toml`` only.

        Raises:
            DataError: The manifest is missing or wrong.
        """
        directory = Path(directory)
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
        from mlpzoo.data.dataset import load_dataset

        return load_dataset(self.directory)
