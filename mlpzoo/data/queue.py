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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
import numpy as np
from ase import Atoms

from mlpzoo.errors import DataError
from mlpzoo.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")

NO_LABELS = frozenset({"frame", "lease"})
LEASE_SECONDS = 6 * 3600.0  # a lease of another host is stale after this time


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedFrame:
    """A sampled structure, periodic.

    Attributes:
        frame_id: Unique name.
        system: The data set that it is for: `si-vacancy`, `si-training`.
        run: Name of the record of how it was sampled.
        order: Frames of low order are labelled first.
        symbols: Chemical symbols.
        cell_ang: Lattice vectors, one a row.
        positions_ang: One row an atom.
        re_mask: Whether an atom is a rare-event atom; empty if nobody looked for events.
        r_ang: Each atom's distance to the nearest rare-event atom; empty like `re_mask`.
        sampler: The model that decided where it is.
        time_fs: In its trajectory.
        temperature_kelvin: Of its thermostat; 0 if it is not from MD.
        levels: The levels of theory that it is to be labelled at, in this order.
        file: Which file of the data set it is for: `train`, `validation`, ...
        group: What it is: `strain`, `vacancy-md`, ...
    """

    frame_id: str
    system: str
    run: str
    order: int
    symbols: list[str]
    cell_ang: list[list[float]]
    positions_ang: list[list[float]]
    re_mask: list[bool]
    r_ang: list[float]
    sampler: str
    time_fs: float
    temperature_kelvin: float
    levels: tuple[str, ...] = ("gamma", "k222")
    file: str = "frames"
    group: str = ""

    def atoms(self) -> Atoms:
        """Make the structure, without labels."""
        return Atoms(self.symbols, positions=self.positions_ang, cell=np.array(self.cell_ang), pbc=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Energy (eV), forces (eV/Å) and maybe stress (eV/Å³) at one level of theory, or why there are none."""

    level: str
    status: Literal["converged", "failed"]
    message: str = ""
    energy_ev: float = 0.0
    forces_ev_per_ang: list[list[float]] = field(default_factory=list)
    stress_ev_per_ang3: list[float] | None = None
    code: str = ""
    level_of_theory: str = "PBE"
    title: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    pseudopotentials: dict[str, dict[str, str]] = field(default_factory=dict)
    n_scf: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one trajectory was made and what was found in it; `counts` holds the event statistics."""

    run: str
    system: str
    sampler: str
    settings: dict[str, Any]
    counts: dict[str, float]
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """One frame's state, for progress tables."""

    frame_id: str
    levels: dict[str, str]
    owner: str


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
        """Store one frame."""
        _write(self.frame_dir(frame.frame_id) / "frame.json", asdict(frame))

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
