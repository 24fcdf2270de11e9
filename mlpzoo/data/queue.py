"""A folder of frames that wait for labels, shared by several processes.

Every file appears whole or not at all.

DIR/runs/<run>.json              how a trajectory was sampled
DIR/frames/<id>/frame.json       a structure with its RE mask
DIR/frames/<id>/<level>.json     its label, or why there is none
DIR/frames/<id>/lease.json       who works on it (host, pid); a dead owner's lease is taken over
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mlpzoo.data.records import Label, QueuedFrame, QueueStatus, Run
from mlpzoo.errors import DataError
from mlpzoo.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LEASE_SECONDS", "NO_LABELS", "Label", "Queue", "QueueStatus", "QueuedFrame", "Run"]

_T = TypeVar("_T")

NO_LABELS = frozenset({"frame", "lease"})
LEASE_SECONDS = 6 * 3600.0  # a lease of another host is stale after this time


class Queue:
    """The folder. Its methods never keep state between calls: other processes work on the same folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def frame_dir(self, frame_id: str) -> Path:
        """Where a frame's files lie."""
        return self.directory / "frames" / frame_id

    def add_run(self, run: Run, frames: Sequence[QueuedFrame]) -> None:
        """Store a trajectory's frames. The same run again is refused.

        Raises:
            DataError: the run is in the folder already.
        """
        path = self.check_new_run(run.run)
        for frame in frames:
            self.add_frame(frame)
        _write(path, asdict(run))

    def add_frame(self, frame: QueuedFrame) -> None:
        """Store one frame.

        Raises:
            DataError: There is another structure of this name, and it has labels.
        """
        path = self.frame_dir(frame.frame_id) / "frame.json"
        if path.exists() and not _read(path, QueuedFrame).is_structure_of(frame) and self._labelled(frame):
            raise DataError(
                f"{path.parent} holds labels of another structure of the name '{frame.frame_id}'",
                hint="use another queue, or another name or seed of the sample",
            )
        _write(self.frame_dir(frame.frame_id) / "frame.json", asdict(frame))

    def _labelled(self, frame: QueuedFrame) -> bool:
        """Whether any label of a frame is there."""
        return any(p.stem not in NO_LABELS for p in self.frame_dir(frame.frame_id).glob("*.json"))

    def holds_frames(self) -> bool:
        """Whether there is any."""
        return any((self.directory / "frames").glob("*/frame.json"))

    def has_run(self, name: str) -> bool:
        """Whether a run's record lies there."""
        return (self.directory / "runs" / f"{name}.json").exists()

    def check_new_run(self, name: str) -> Path:
        """Where a run's record will lie.

        Raises:
            DataError: it lies there already.
        """
        path = self.directory / "runs" / f"{name}.json"
        if path.exists():
            message = f"{path} exists: this run was sampled before"
            raise DataError(message, hint="use another --seed, or another --out folder")
        return path

    def runs(self) -> list[Run]:
        """All sampled runs."""
        return [_read(path, Run) for path in sorted((self.directory / "runs").glob("*.json"))]

    def frames(self) -> list[QueuedFrame]:
        """All frames in the order of work: by `order`, so that the systems take turns.

        Raises:
            DataError: there is none.
        """
        frames = [
            _read(path, QueuedFrame) for path in sorted((self.directory / "frames").glob("*/frame.json"))
        ]
        if not frames:
            message = f"{self.directory} holds no sampled frames"
            raise DataError(message, hint="run 'mlpzoo data sample --out DIR' first")
        return sorted(frames, key=lambda frame: (frame.order, frame.frame_id))

    def label(self, frame_id: str, level: str) -> Label | None:
        """Read a stored label (converged or failed), or None."""
        path = self.frame_dir(frame_id) / f"{level}.json"
        return _read(path, Label) if path.exists() else None

    def has_label(self, frame_id: str, level: str) -> bool:
        """Whether a label (converged or failed) is stored."""
        return (self.frame_dir(frame_id) / f"{level}.json").exists()

    def levels(self) -> tuple[str, ...]:
        """Names of all levels that any frame has a label of, sorted."""
        names = {path.stem for path in (self.directory / "frames").glob("*/*.json")}
        return tuple(sorted(names - NO_LABELS))

    def forget_failed(self) -> int:
        """Delete the labels that failed, so that they are computed again; how many there were."""
        count = 0
        for frame in self.frames():
            for path in self.frame_dir(frame.frame_id).glob("*.json"):
                if path.stem not in NO_LABELS and _read(path, Label).status == "failed":
                    path.unlink()
                    count += 1
        return count

    def put_label(self, frame_id: str, label: Label) -> None:
        """Store a label."""
        _write(self.frame_dir(frame_id) / f"{label.level}.json", asdict(label))

    def status(self, levels: Sequence[str] = ()) -> list[QueueStatus]:
        """State of all frames: per level `converged`, `failed` or `open`, and who works on it.

        Args:
            levels: Of these levels; by default each frame's own.
        """
        rows = []
        for frame in self.frames():
            labels = {level: self.label(frame.frame_id, level) for level in levels or frame.levels}
            owner = self._owner(frame.frame_id)
            rows.append(
                QueueStatus(
                    frame_id=frame.frame_id,
                    levels={level: label.status if label else "open" for level, label in labels.items()},
                    owner=f"{owner['host']}:{owner['pid']}" if owner else "",
                )
            )
        return rows

    def lease(self, frame_id: str) -> bool:
        """Take a frame for this process; False if a living process has it."""
        path = self.frame_dir(frame_id) / "lease.json"
        me = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
        content = msgspec.json.encode(me | {"time": time.time()})
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if not self._is_stale(frame_id):
                return False
            # Of several processes that find the lease stale, the one that renames it away goes on.
            aside = path.with_name(f".lease.{os.getpid()}")
            try:
                path.rename(aside)
            except FileNotFoundError:
                return False
            aside.unlink()
            return self.lease(frame_id)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return True

    def release(self, frame_id: str) -> None:
        """Give a frame back."""
        (self.frame_dir(frame_id) / "lease.json").unlink(missing_ok=True)

    def _owner(self, frame_id: str) -> dict[str, Any] | None:
        path = self.frame_dir(frame_id) / "lease.json"
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        return None

    def _is_stale(self, frame_id: str) -> bool:
        owner = self._owner(frame_id)
        if owner is None:  # empty for the instant between creation and writing, or gone
            with suppress(FileNotFoundError):
                return time.time() - (self.frame_dir(frame_id) / "lease.json").stat().st_mtime > 60.0  # noqa: PLR2004
            return False
        if owner["host"] != socket.gethostname():
            return bool(time.time() - owner["time"] > LEASE_SECONDS)
        try:
            os.kill(owner["pid"], 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return "started" in owner and owner["started"] != _started(owner["pid"])  # the number was used again


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where that is not known."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(content), indent=1))


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        message = f"{path} is damaged: {error}"
        raise DataError(
            message, hint="delete this file; its frame is then sampled or labelled again"
        ) from error
