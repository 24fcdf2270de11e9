"""What the store holds, what of it no command would use any more, and how it is deleted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import msgspec

from mlpzoo import locks
from mlpzoo.benchmark import Profile, RunSettings
from mlpzoo.errors import ZooError
from mlpzoo.planning import plan
from mlpzoo.results import Result, decode
from mlpzoo.store import TASK_FILE, Store
from mlpzoo.tasks import Request

if TYPE_CHECKING:
    from mlpzoo.models import DType
    from mlpzoo.registry import Registry

Kind = Literal["result", "unfinished", "damaged"]
_KINDS: dict[str, Kind] = {".json": "result", ".work": "unfinished", ".damaged": "damaged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One entry of the store.

    Attributes:
        path: A file, or a directory of checkpoints.
        kind: ``result``; ``unfinished``: checkpoints of a task that was interrupted; ``damaged``: a file that
            could not be read as a result.
        what: The result, or what the checkpoints are of; None if that cannot be read.
        stale: Why no command of this installation would use it; empty if one would.
        size_bytes: Of all files.
        age_s: Since it was last written.
    """

    path: Path
    kind: Kind
    what: Result | None
    stale: str
    size_bytes: int
    age_s: float


def entries(store: Store, registry: Registry) -> Iterator[Stored]:
    """All entries of a store in the order of their names.  Nothing is run.

    A result is stale if the same task has another key today: its code, weights, data, settings or versions
    were changed.
    """
    now = time.time()
    for path in sorted(store.directory.iterdir()):
        kind = _KINDS.get(path.suffix)
        if kind is None or path.name.startswith("."):
            continue
        files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
        try:
            stats = [file.stat() for file in files] or [path.stat()]
        except FileNotFoundError:  # a task that ends just now
            continue
        what = _read(path / TASK_FILE if path.is_dir() else path)
        yield Stored(
            path=path,
            kind=kind,
            what=what,
            stale="cannot be read" if what is None else _stale(what, path, store, registry),
            size_bytes=sum(stat.st_size for stat in stats) if files else 0,
            age_s=max(0.0, now - max(stat.st_mtime for stat in stats)),
        )


def remove(entry: Stored) -> bool:
    """Delete an entry, unless a process is computing it.

    Returns:
        Whether it is gone.
    """
    with locks.alone(entry.path.with_suffix(".lock"), give_up=lambda: True) as held:
        if held and entry.path.is_dir():
            shutil.rmtree(entry.path, ignore_errors=True)
        elif held:
            entry.path.unlink(missing_ok=True)
        return held


def _read(path: Path) -> Result | None:
    try:
        return decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def _stale(what: Result, path: Path, store: Store, registry: Registry) -> str:
    """Plan the task of a result anew, and compare the keys."""
    made = what.provenance
    if what.profile not in get_args(Profile):
        return f"no profile is called {what.profile}"
    request = Request(
        models=(_any_model(registry) if what.is_floor else what.model,),
        benchmarks=(what.benchmark,),
        systems=(what.case,),
        settings=RunSettings(profile=cast("Profile", what.profile), seed=made.seed),
        device=made.device or "cpu",
        dtype=cast("DType", made.dtype or "float64"),
        isolate="always" if made.isolated else "auto",
    )
    try:
        tasks = plan(request, registry, store).tasks
    except ZooError as error:
        return error.message
    for task in tasks:
        if (task.title, task.case.name, bool(task.floor)) == (what.model, what.case, what.is_floor):
            current = store.path(task.store_name, task.key).stem
            if current == path.stem:
                return ""
            if task.benchmark.version != what.version:
                return f"version {what.version} of the benchmark; it is {task.benchmark.version} now"
            return "code, weights, data or versions were changed since"
    return "the case or the reference row is gone"


def _any_model(registry: Registry) -> str:
    return next(iter(registry.cards))
