"""What a public data set is before it is fetched: pinned files and how to convert them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from mlpzoo.data.frames import Frame
    from mlpzoo.data.manifest import DatasetManifest

    Converted = tuple[DatasetManifest, Mapping[str, Sequence[Frame]]]

MIRROR_VARIABLE: Final = "MLPZOO_MIRROR"
"""Environment variable: a directory or URL that holds ``owner/repo/commit/path``."""
_GITHUB: Final = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFile:
    """One file of a repository at a pinned commit."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """A data set that somebody else published.

    Attributes:
        name: Name after the conversion.
        title: One line for people.
        kind: See ``DatasetManifest``.
        system: See ``DatasetManifest``.
        elements: Chemical symbols.
        n_frames: Frames after the conversion.
        licence: SPDX identifier.
        citation: DOI and reference.
        repository: ``owner/repo`` on GitHub.
        commit: The pinned commit.
        files: What to download.
        convert: From this and the downloaded files, by path, to manifest and frames.
        converter_version: Raised when ``convert`` changes, so that older conversions are redone.
    """

    name: str
    title: str
    kind: str
    system: str
    elements: tuple[str, ...]
    n_frames: int
    licence: str
    citation: str
    repository: str
    commit: str
    files: tuple[PublicFile, ...]
    convert: Callable[[PublicSet, Mapping[str, Path]], Converted]
    converter_version: int = 1

    @property
    def size_bytes(self) -> int:
        """Size of the download."""
        return sum(file.size_bytes for file in self.files)

    def url(self, file: PublicFile) -> str:
        """Where to get a file: from the mirror if ``MLPZOO_MIRROR`` names one, else from GitHub.

        A directory is returned as a ``file:`` URL.
        """
        return f"{mirror() or _GITHUB}/{self.repository}/{self.commit}/{quote(file.path)}"

    def provenance(self) -> dict[str, object]:
        """What the manifest of the converted set says of its origin."""
        return {
            "repository": f"https://github.com/{self.repository}",
            "commit": self.commit,
            "converter": self.converter_version,
            "files": [{"path": file.path, "sha256": file.sha256} for file in self.files],
        }


def mirror() -> str:
    """The URL in ``MLPZOO_MIRROR``, without a slash at its end; a directory as ``file:`` URL; or nothing."""
    base = os.environ.get(MIRROR_VARIABLE, "")
    if base and "://" not in base:
        base = Path(base).expanduser().resolve().as_uri()
    return base.rstrip("/")


def local_path(url: str) -> Path | None:
    """The path that a ``file:`` URL names; None for other URLs."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    from urllib.request import url2pathname

    return Path(url2pathname(parts.path)) if os.name == "nt" else Path(unquote(parts.path))
