"""From a labelling queue to a data set: what is labelled at all levels, with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo import __version__
from mlpzoo.data.frames import Frame, LevelLabels
from mlpzoo.data.manifest import (
    PATH_FORCES,
    RE_FORCES,
    TRAINING,
    DatasetManifest,
    Level,
    Pseudopotential,
)
from mlpzoo.data.writer import write_dataset
from mlpzoo.errors import DataError
from mlpzoo.physics.events import BASIN_FRACTION, R_CAP_ANG

if TYPE_CHECKING:
    from mlpzoo.data.dataset import Dataset
    from mlpzoo.data.queue import Label, Queue, QueuedFrame

CITATION = "mlpzoo developers; method after doi 10.1038/s41524-023-01123-3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The frames of one system: converged at all levels, failed, still open.

    Attributes:
        levels: The levels of all of them; the last is the reference, the others its noise floor.
        complete: Frames and their labels by level, in the order of run and time.
        failed: Ids of frames with a label that did not converge.
        waiting: Ids of frames without all their labels.
    """

    levels: tuple[str, ...]
    complete: tuple[tuple[QueuedFrame, dict[str, Label]], ...]
    failed: tuple[str, ...]
    waiting: tuple[str, ...]


def select(queue: Queue, system: str) -> Selection:
    """Sort a system's frames by the state of their labels.

    Raises:
        DataError: The queue holds no frame of this system, or frames that want different levels.
    """
    frames = [frame for frame in queue.frames() if frame.system == system]
    if not frames:
        known = ", ".join(sorted({frame.system for frame in queue.frames()}))
        raise DataError(f"{queue.directory} holds no frame of '{system}'", hint=f"it holds: {known}")
    levels = frames[0].levels
    for frame in frames:
        if frame.levels != levels:
            raise DataError(
                f"{queue.directory}: frame '{frame.frame_id}' is for the levels {', '.join(frame.levels)}, "
                f"'{frames[0].frame_id}' for {', '.join(levels)}: one data set has one reference level",
                hint="sample them into queues of their own",
            )
    complete: list[tuple[QueuedFrame, dict[str, Label]]] = []
    failed: list[str] = []
    waiting: list[str] = []
    for frame in sorted(frames, key=lambda f: (f.run, f.time_fs, f.frame_id)):
        labels = {level: queue.label(frame.frame_id, level) for level in levels}
        done = {name: label for name, label in labels.items() if label is not None}
        if any(label.status == "failed" for label in done.values()):
            failed.append(frame.frame_id)
        elif len(done) < len(levels):
            waiting.append(frame.frame_id)
        else:
            complete.append((frame, done))
    return Selection(levels=levels, complete=tuple(complete), failed=tuple(failed), waiting=tuple(waiting))


def build_dataset(
    queue: Queue,
    out: Path,
    *,
    system: str,
    name: str = "",
    kind: str = RE_FORCES,
    overwrite: bool = False,
) -> Dataset:
    """Write a data set of all frames of `system` that are labelled at all levels.

    A partly finished queue is fine.

    Args:
        queue: The labelling queue.
        out: The data set's folder, made anew.
        system: Whose frames, such as `si-vacancy`.
        name: The data set's name; the system's by default.
        kind: `re-forces`; `training`, with a file for each that the frames name; or `path-forces` for the
            images of a path, in the order of their ids.
        overwrite: Replace a data set that is there.

    Raises:
        DataError: No frame is complete, labels of one level were made with different settings, frames of
            `re-forces` without a migrating atom's mask, or a structure twice.
    """
    selection = select(queue, system)
    if not selection.complete:
        message = f"no frame of '{system}' has its labels yet ({len(selection.waiting)} waiting)"
        raise DataError(message, hint=f"run 'mlpzoo data label {queue.directory}'")
    *coarser, reference = selection.levels
    labels = [done for _, done in selection.complete]
    manifest = DatasetManifest(
        name=name or system,
        title=_title(system, kind),
        kind=kind,
        system=system.split("-", maxsplit=1)[0],
        elements=tuple(sorted({symbol for frame, _ in selection.complete for symbol in frame.symbols})),
        licence="CC-BY-4.0",
        citation=CITATION,
        reference=_level(queue, selection, reference),
        noise_floor=tuple(_level(queue, selection, level) for level in coarser),
        provenance=_provenance(queue, selection, kind, name=name or system, system=system),
    )
    stress = all(done[reference].stress_ev_per_ang3 is not None for done in labels)
    files: dict[str, list[Frame]] = {}
    for frame, done in selection.complete:
        file = frame.file if kind == TRAINING else "frames"
        files.setdefault(f"{file}.extxyz", []).append(_frame(queue, frame, done, kind, stress=stress))
    return write_dataset(out, manifest, dict(sorted(files.items())), overwrite=overwrite)


def _frame(
    queue: Queue, frame: QueuedFrame, labels: Mapping[str, Label], kind: str, *, stress: bool
) -> Frame:
    rare = kind == RE_FORCES
    if rare and not frame.re_mask:
        raise DataError(
            f"{queue.directory}: frame '{frame.frame_id}' was not sampled from a migration event",
            hint="build these frames with --kind training",
        )
    *coarser, reference = frame.levels
    info: dict[str, Any] = {"sampler": frame.sampler}
    if frame.group:
        info["group"] = frame.group
    if frame.temperature_kelvin:
        info |= {"time_fs": frame.time_fs, "temperature_kelvin": frame.temperature_kelvin}
    return Frame(
        atoms=frame.atoms(),
        frame_id=frame.frame_id,
        forces=np.array(labels[reference].forces_ev_per_ang),
        energy=labels[reference].energy_ev,
        stress=np.array(labels[reference].stress_ev_per_ang3) if stress else None,
        re_mask=np.array(frame.re_mask) if rare else None,
        r=np.array(frame.r_ang) if rare else None,
        levels={
            level: LevelLabels(
                forces=np.array(labels[level].forces_ev_per_ang), energy=labels[level].energy_ev
            )
            for level in coarser
        },
        info=info,
    )


def _level(queue: Queue, selection: Selection, level: str) -> Level:
    """Make the manifest's entry of a level, if all its labels agree on how they were made."""
    (first_frame, first_labels), *others = selection.complete
    first = first_labels[level]
    for frame, labels in others:
        label = labels[level]
        if _how(label) != _how(first):
            raise DataError(
                f"{queue.directory}: the labels of level '{level}' were made with different programs or "
                f"settings: frames '{first_frame.frame_id}' and '{frame.frame_id}'",
                hint=f"delete the {level}.json of one kind and label these frames again",
            )
    return Level(
        level=level,
        level_of_theory=first.level_of_theory,
        code=first.code,
        title=first.title or level,
        settings=first.settings,
        pseudopotentials={
            symbol: Pseudopotential(file=entry["file"], sha256=entry["sha256"])
            for symbol, entry in first.pseudopotentials.items()
        },
    )


def _how(label: Label) -> tuple[Any, ...]:
    return label.code, label.level_of_theory, label.settings, label.pseudopotentials


def _provenance(queue: Queue, selection: Selection, kind: str, *, name: str, system: str) -> dict[str, Any]:
    used = {frame.run for frame, _ in selection.complete}
    runs = [run for run in queue.runs() if run.run in used]
    labels = [label for _, done in selection.complete for label in done.values()]
    rare = {
        "definition": "RE atoms and r: see mlpzoo.physics.events, after doi 10.1038/s41524-023-01123-3",
        "selection": "one frame of each group of concerted events, uniform inside its window, seeded",
        "basin_fraction": BASIN_FRACTION,
        "r_cap_ang": R_CAP_ANG,
    }
    scf = "each level after the first starts from the first one's density"
    commands = [f"mlpzoo data label QUEUE{''.join(f' --level {level}' for level in selection.levels)}"]
    commands.append(f"mlpzoo data build QUEUE --name {name} --system {system} --kind {kind} --out DIR")
    return (rare if kind == RE_FORCES else {}) | {
        "mlpzoo": __version__,
        "commands": commands,
        "labelled_between": sorted({label.date for label in labels}),
        "energy": "total energy of the smeared system (free energy), consistent with the forces",
        **({"scf_start": scf} if len(selection.levels) > 1 else {}),
        "failed_frames": list(selection.failed),
        "unlabelled_frames": len(selection.waiting),
        "cost_cpu_s": {
            level: round(sum(done[level].cpu_s for _, done in selection.complete))
            for level in reversed(selection.levels)
        },
        "runs": [
            {"run": run.run, "sampler": run.sampler, "date": run.date, **run.settings, "found": run.counts}
            for run in runs
        ],
    }


def _title(system: str, kind: str) -> str:
    element, _, defect = system.partition("-")
    name = element.capitalize()
    if kind == PATH_FORCES:
        return f"Images along a fixed path: {defect.removesuffix('-path')} in {name}"
    if kind == TRAINING:
        return f"Structures of {name} to train on, and to choose models by"
    return f"Snapshots with migrating atoms: {defect or 'defect'} in {name}"
