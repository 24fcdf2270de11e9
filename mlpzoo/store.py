"""Results on disk: one file each, written at once or not at all, found again by what they depend on."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import msgspec

from mlpzoo import paths
from mlpzoo.results import Result, decode, encode


def key_of(ingredients: dict[str, Any]) -> str:
    """Hash of everything that can change a number, as hex.

    Args:
        ingredients: JSON-able; the order of keys does not matter.
    """
    return hashlib.sha256(msgspec.json.encode(ingredients, order="sorted")).hexdigest()


class Store:
    """A directory of results.

    Args:
        directory: Where; ``$MLPZOO_HOME/results`` by default.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or paths.below_home("results")
        self.directory.mkdir(parents=True, exist_ok=True)

    def path(self, name: str, key: str) -> Path:
        """The file of a result: readable name, then the key."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-80:].strip("_")
        return self.directory / f"{readable}-{key[:24]}.json"

    def get(self, name: str, key: str) -> Result | None:
        """The stored result, or None if there is none.

        A file that cannot be read as a result is set aside as ``.damaged``, not deleted, and counts as none.
        """
        path = self.path(name, key)
        try:
            return decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError:
            path.replace(path.with_suffix(".damaged"))
            return None

    def put(self, name: str, key: str, result: Result) -> Path:
        """Write a result: temporary file, fsync, rename; a power cut leaves the old or the new one."""
        path = self.path(name, key)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as stream:
                stream.write(encode(result))
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return path
