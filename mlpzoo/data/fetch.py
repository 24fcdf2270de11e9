"""Getting the public data sets: download pinned files, check them, convert them, all or nothing."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlpzoo.data import liu2023, mlearn
from mlpzoo.data.location import cache_root
from mlpzoo.data.manifest import MANIFEST_NAME, read_manifest
from mlpzoo.data.sources import MIRROR_VARIABLE, PublicFile, PublicSet, local_path
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from mlpzoo.data.manifest import DatasetManifest

PUBLIC: tuple[PublicSet, ...] = (*liu2023.SETS, *mlearn.SETS)
_TIMEOUT_S = 60
_SLACK_BYTES = 2**20

Progress = Callable[[str], None]


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Make a public data set available on this machine; at once if it already is.

    Files that were fetched before are checked against their hashes; a damaged set, or one that an
    older version converted, is fetched again.  Several processes may do this at once.

    Args:
        name: Name of the set: ``liu2023-si-vacancy``.
        progress: Called with one line for each step.

    Returns:
        The directory of the set.

    Raises:
        DataError: Unknown name, no network, another checksum, an unsafe archive, a full disk.
    """
    public = _named(name)
    say = progress or (lambda _: None)
    target = cache_root() / name
    state = _state(public, target)
    if state == "current":
        say(f"{name}: already there, {target}")
        return target
    if state != "absent":
        say(f"{name}: {state}, fetching it again")
    from mlpzoo.data.writer import write_dataset

    try:
        with tempfile.TemporaryDirectory(prefix="mlpzoo-fetch-") as scratch:
            files = {}
            for index, file in enumerate(public.files):
                say(f"{name}: {public.url(file)} ({file.size_bytes / 1e6:.2f} MB)")
                files[file.path] = _download(public, file, Path(scratch) / str(index))
            say(f"{name}: converting {public.n_frames} frames")
            manifest, frames = public.convert(public, files)
            write_dataset(target, manifest, frames, overwrite=state != "absent")
    except (DataError, OSError) as error:
        if _state(public, target) == "current":  # another process was faster
            say(f"{name}: already there, {target}")
            return target
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{name}: cannot write to {target.parent} ({error.strerror or error})",
            hint=f"make room or set MLPZOO_HOME, then: mlpzoo data fetch {name}",
        ) from error
    say(f"{name}: ready, {target}")
    return target


def names_of(name: str) -> tuple[str, ...]:
    """The public sets that a name stands for: itself, or all sets of a system or source.

    ``liu2023-si`` stands for both test sets and both training sets of Liu et al.

    Raises:
        DataError: It stands for none.
    """
    known = [public.name for public in PUBLIC]
    found = [known_name for known_name in known if known_name.startswith(f"{name}-")]
    return (name,) if name in known else tuple(found) or (_named(name).name,)


def check_files(directory: Path) -> DatasetManifest:
    """Check the hashes of a data set's files; cheap, does not look at the frames.

    Raises:
        DataError: The manifest or a file is missing or changed.
    """
    import hashlib

    manifest = read_manifest(directory / MANIFEST_NAME)
    for entry in manifest.files:
        path = directory / entry.path
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            hint = f"mlpzoo data verify {directory}"
            raise DataError(f"{path}: cannot read ({error.strerror})", hint=hint) from error
        if found != entry.sha256:
            raise DataError(
                f"{path}: sha256 is {found}, expected {entry.sha256}",
                hint=f"mlpzoo data fetch {manifest.name}",
            )
    return manifest


def _named(name: str) -> PublicSet:
    for public in PUBLIC:
        if public.name == name:
            return public
    import difflib

    known = [public.name for public in PUBLIC]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise DataError(f"no public data set '{name}'", hint=f"{hint}see 'mlpzoo data list'")


def _state(public: PublicSet, target: Path) -> str:
    """``absent``, ``current``, or what is wrong with the set that is there."""
    if not target.exists():
        return "absent"
    try:
        manifest = check_files(target)
    except DataError as error:
        return f"damaged ({error.message})"
    wanted = public.provenance()
    same = all(manifest.provenance.get(key) == wanted[key] for key in ("commit", "converter"))
    return "current" if same else "converted by another version"


class _Capped(io.FileIO):
    """A file that refuses to grow beyond a size: a server that never stops must not fill the disk."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path, "wb")
        self._room = limit
        self._limit = limit

    def write(self, data: Buffer, /) -> int:
        self._room -= memoryview(data).nbytes
        if self._room < 0:
            msg = f"sent more than {self._limit} bytes"
            raise OSError(msg)
        return super().write(data)


def _download(public: PublicSet, file: PublicFile, destination: Path) -> Path:
    """Get one file and check it.

    Raises:
        DataError: Naming the URL, and the expected and found sha256.
    """
    import hashlib

    url = public.url(file)
    again = f"then: mlpzoo data fetch {public.name}"
    try:
        source = local_path(url)
        if source is not None:
            shutil.copyfile(source, destination)
        else:
            import pooch  # type: ignore[import-untyped, unused-ignore]

            with _Capped(destination, 2 * file.size_bytes + _SLACK_BYTES) as stream:
                pooch.HTTPDownloader(timeout=_TIMEOUT_S)(url, stream, None)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        raise DataError(
            f"{url}: cannot be fetched ({type(error).__name__}: {error})",
            hint=f"check the network, or set {MIRROR_VARIABLE} to a directory or URL that holds "
            f"{public.repository}/{public.commit}/..., {again}",
        ) from error
    content = destination.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(
            f"{url}: sha256 is {found} ({len(content)} bytes), "
            f"expected {file.sha256} ({file.size_bytes} bytes)",
            hint=f"another file was sent; unset or change {MIRROR_VARIABLE}, {again}",
        )
    return destination
