"""Results on disk: one file each, written at once or not at all, found again by what they depend on."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec

from mlpzoo import paths
from mlpzoo.files import write_atomically
from mlpzoo.results import Result, decode, encode


def key_of(ingredients: dict[str, Any]) -> str:
    """Hash of everything that can change a number, as hex.

    Args:
        ingredients: JSON-able; the order of keys does not matter.
    """
    return hashlib.sha256(msgspec.json.encode(ingredients, order="sorted")).hexdigest()


TASK_FILE = "task.json"
"""In a directory of checkpoints: what they are of, as a result that is not there yet."""


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

    def work(self, name: str, key: str) -> Path:
        """The directory of an unfinished task's checkpoints; may not exist yet."""
        return self.path(name, key).with_suffix(".work")

    def begin_work(self, name: str, key: str, unfinished: Result) -> None:
        """Make the directory of a task's checkpoints, with a note of what they are of."""
        directory = self.work(name, key)
        directory.mkdir(exist_ok=True)
        (directory / TASK_FILE).write_bytes(encode(unfinished))

    def forget_work(self, name: str, key: str, *, only_if_nothing_was_saved: bool = False) -> None:
        """Delete a task's checkpoints."""
        directory = self.work(name, key)
        if only_if_nothing_was_saved and any(path.name != TASK_FILE for path in directory.glob("*")):
            return
        shutil.rmtree(directory, ignore_errors=True)

    def lock(self, name: str, key: str) -> Path:
        """The lock file of whoever is computing a result."""
        return self.path(name, key).with_suffix(".lock")

    def get(self, name: str, key: str, *, since: float = 0.0) -> Result | None:
        """The stored result, or None if there is none, or none written after ``since`` (in `time.time`).

        A file that cannot be read as a result is set aside as ``.damaged``, not deleted, and counts as none.
        """
        path = self.path(name, key)
        try:
            if path.stat().st_mtime < since:
                return None
            return decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError:
            path.replace(path.with_suffix(".damaged"))
            return None

    def put(self, name: str, key: str, result: Result) -> Path:
        """Write a result; a power cut leaves the old or the new one."""
        path = self.path(name, key)
        write_atomically(path, encode(result))
        return path
