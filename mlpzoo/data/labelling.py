"""Reference energies and forces, one frame at a time, several processes on one queue.

The levels of a frame are computed in its own order: where a cheap level comes first (Γ alone, the noise-floor
row), its density starts the next. A calculation that does not converge is stored as failed, with its reason.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from mlpzoo.data.manifest import LEVEL_NAME
from mlpzoo.data.queue import NO_LABELS, Label
from mlpzoo.errors import CalculationError, PluginError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from mlpzoo.data.engines import DftLevel, ReferenceEngine
    from mlpzoo.data.queue import Queue, QueuedFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelOfEngine:
    """A level of theory and the engine that computes it."""

    engine: ReferenceEngine
    level: DftLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDone:
    """A level of a frame that this process finished; `n_done` of `n_frames` have all levels."""

    frame_id: str
    label: Label
    n_done: int
    n_frames: int


def levels_of(engines: Sequence[ReferenceEngine]) -> dict[str, LevelOfEngine]:
    """All levels by name.

    Raises:
        PluginError: Two engines have a level of one name, or a name cannot be that of a column.
    """
    found: dict[str, LevelOfEngine] = {}
    for engine in engines:
        for level in engine.levels():
            if not LEVEL_NAME.fullmatch(level.level) or level.level in NO_LABELS:
                raise PluginError(
                    f"the engine '{engine.name}' has a level '{level.level}': no name for a column",
                    hint="use letters, digits and '_'",
                )
            if level.level in found:
                other = found[level.level].engine.name
                raise PluginError(
                    f"the engines '{other}' and '{engine.name}' both have a level '{level.level}'",
                    hint="remove one of the plugins",
                )
            found[level.level] = LevelOfEngine(engine=engine, level=level)
    return found


def label_queue(
    queue: Queue,
    known: Mapping[str, LevelOfEngine],
    *,
    levels: Sequence[str] = (),
    chosen: Sequence[QueuedFrame] | None = None,
) -> Iterator[LabelDone]:
    """Label all frames that have no label and that no other process works on.

    Yields after each calculation. Interrupted, it goes on where it was: at most the calculation in flight is
    lost.

    Args:
        queue: The queue.
        known: All levels, by name.
        levels: Compute these; by default each frame's own.
        chosen: Some of the queue's frames, in the order of work; by default all of them.

    Raises:
        EnvError: The program or a pseudopotential is missing.
        DataError: The queue holds no frames, or an element without a pseudopotential.
        UsageError: A level that no engine has.
    """
    frames = queue.frames() if chosen is None else list(chosen)
    wanted = {frame.frame_id: tuple(levels) or tuple(frame.levels) for frame in frames}
    _check(known, dict.fromkeys(name for names in wanted.values() for name in names))
    for frame in frames:
        if _is_labelled(queue, frame.frame_id, wanted) or not queue.lease(frame.frame_id):
            continue
        folder = queue.frame_dir(frame.frame_id) / f"work-{os.getpid()}"
        for left in queue.frame_dir(frame.frame_id).glob("work-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        try:
            for name in wanted[frame.frame_id]:
                if queue.label(frame.frame_id, name) is not None:
                    continue
                label = compute_label(frame.atoms(), known[name], folder)
                queue.put_label(frame.frame_id, label)
                done = sum(_is_labelled(queue, other.frame_id, wanted) for other in frames)
                yield LabelDone(frame_id=frame.frame_id, label=label, n_done=done, n_frames=len(frames))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            queue.release(frame.frame_id)


def compute_label(atoms: Atoms, wanted: LevelOfEngine, folder: Path) -> Label:
    """Run one calculation, and record how it ended."""
    start = time.perf_counter()
    engine, level = wanted.engine, wanted.level
    today = datetime.now(timezone.utc).date().isoformat()
    try:
        output = engine.run(atoms, level, folder)
    except CalculationError as error:
        return Label(
            level=level.level, status="failed", message=error.message, settings=level.settings(), date=today
        )
    return Label(
        level=level.level,
        status="converged",
        energy_ev=output.energy_ev,
        forces_ev_per_ang=output.forces_ev_per_ang,
        stress_ev_per_ang3=output.stress_ev_per_ang3,
        code=output.code,
        level_of_theory=level.level_of_theory,
        title=level.title,
        settings=level.settings(),
        pseudopotentials=engine.pseudopotentials(level),
        n_scf=output.n_scf,
        wall_s=round(time.perf_counter() - start, 1),
        cpu_s=output.cpu_s,
        date=today,
    )


def _check(known: Mapping[str, LevelOfEngine], names: Mapping[str, None]) -> None:
    """Refuse levels that nobody has, and engines that cannot run."""
    for name in names:
        if name not in known:
            raise UsageError(f"no engine has a level '{name}'", hint=f"there are {', '.join(known)}")
    engines = {known[name].engine.name: known[name].engine for name in names}
    for engine in engines.values():
        engine.check([known[name].level for name in names if known[name].engine.name == engine.name])


def _is_labelled(queue: Queue, frame_id: str, wanted: Mapping[str, Sequence[str]]) -> bool:
    return all(queue.has_label(frame_id, level) for level in wanted[frame_id])
