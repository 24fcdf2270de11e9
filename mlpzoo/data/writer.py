"""Writing a data set: all of it or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlpzoo.data.frames import Frame, frames_to_text
from mlpzoo.data.manifest import (
    MANIFEST_NAME,
    DatasetManifest,
    FileEntry,
    check_manifest,
    check_relative,
    manifest_toml,
)
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from mlpzoo.data.dataset import Dataset


def write_dataset(
    directory: Path | str,
    manifest: DatasetManifest,
    frames: Sequence[Frame] | Mapping[str, Sequence[Frame]],
    *,
    overwrite: bool = False,
) -> Dataset:
    """Write ``dataset.toml`` and the frames, check them by reading them back, put them in place.

    Everything goes into a temporary directory beside ``directory`` that is renamed at the end:
    after an error nothing is left, and no reader ever sees half a set.

    Args:
        directory: Where the set shall be; parents are made.
        manifest: All but ``files``, which is computed (hashes, counts).
        frames: The frames, for one file ``frames.extxyz``; or several files, by name.
        overwrite: Replace ``directory`` if it exists and holds a data set.

    Returns:
        The set as read back from the temporary directory.

    Raises:
        DataError: The frames fail a check of ``load_dataset``; or ``directory`` exists and
            ``overwrite`` is off or it holds no ``dataset.toml``.
    """
    from mlpzoo.data.dataset import load_dataset

    directory = Path(directory)
    files = frames if isinstance(frames, Mapping) else {"frames.extxyz": frames}
    where = str(directory / MANIFEST_NAME)
    check_manifest(dataclasses.replace(manifest, files=()), where=where)
    with replacing(directory, overwrite=overwrite) as temporary:
        entries = []
        for path, sequence in files.items():
            check_relative(path, where=where)
            content = frames_to_text(sequence).encode()
            _write(temporary / path, content)
            digest = hashlib.sha256(content).hexdigest()
            entries.append(FileEntry(path=path, sha256=digest, n_frames=len(sequence)))
        complete = dataclasses.replace(manifest, files=tuple(entries))
        _write(temporary / MANIFEST_NAME, manifest_toml(complete).encode())
        try:
            dataset = load_dataset(temporary)
        except DataError as error:
            message = error.message.replace(str(temporary), str(directory))
            raise DataError(message, hint=error.hint) from error
    return dataclasses.replace(dataset, directory=directory)


@contextmanager
def replacing(directory: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary directory that becomes ``directory`` if the block ends without an error.

    Raises:
        DataError: ``directory`` is in the way.
    """
    import shutil
    import tempfile

    old = directory.with_name(f".{directory.name}.old-{os.getpid()}")
    if directory.exists() and not (overwrite and (directory / MANIFEST_NAME).is_file()):
        raise _in_the_way(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.tmp-", dir=directory.parent))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes it private
        if overwrite:
            with suppress(FileNotFoundError):  # not there, or another process is replacing it too
                directory.rename(old)
        try:
            temporary.rename(directory)
        except OSError as error:
            raise _in_the_way(directory) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not directory.exists():
            old.rename(directory)
        shutil.rmtree(old, ignore_errors=True)


def _in_the_way(directory: Path) -> DataError:
    return DataError(
        f"{directory} exists", hint="remove it, choose another place, or overwrite a data set there"
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
