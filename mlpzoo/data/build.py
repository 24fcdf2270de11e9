"""From a labelling queue to a data set: what is labelled at all levels, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.data.frames import Frame, LevelLabels
from mlpzoo.data.labelling import GAMMA, K222
from mlpzoo.data.manifest import PATH_FORCES, RE_FORCES, DatasetManifest, Level, Pseudopotential
from mlpzoo.data.writer import write_dataset
from mlpzoo.errors import DataError
from mlpzoo.physics.events import BASIN_FRACTION, R_CAP_ANG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlpzoo.data.dataset import Dataset
    from mlpzoo.data.espresso import PwLevel
    from mlpzoo.data.queue import Label, Queue, QueuedFrame

CITATION = "mlpzoo developers; method after doi 10.1038/s41524-023-01123-3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The frames of one system: converged at all levels, failed, still open."""

    complete: tuple[tuple[QueuedFrame, dict[str, Label]], ...]
    failed: tuple[str, ...]
    waiting: tuple[str, ...]


def select(queue: Queue, system: str, levels: Sequence[PwLevel] = (K222, GAMMA)) -> Selection:
    """Sort a system's frames by the state of their labels, in the order of run and time.

    Raises:
        DataError: the queue holds no frame of this system.
    """
    complete: list[tuple[QueuedFrame, dict[str, Label]]] = []
    failed: list[str] = []
    waiting: list[str] = []
    frames = queue.frames()
    for frame in sorted(
        (f for f in frames if f.system == system), key=lambda f: (f.run, f.time_fs, f.frame_id)
    ):
        labels = {level.level: queue.label(frame.frame_id, level.level) for level in levels}
        done = {name: label for name, label in labels.items() if label is not None}
        if any(label.status == "failed" for label in done.values()):
            failed.append(frame.frame_id)
        elif len(done) < len(levels):
            waiting.append(frame.frame_id)
        else:
            complete.append((frame, done))
    if not complete and not failed and not waiting:
        message = f"{queue.directory} holds no frame of '{system}'"
        raise DataError(message, hint=f"it holds: {', '.join(sorted({f.system for f in frames}))}")
    return Selection(complete=tuple(complete), failed=tuple(failed), waiting=tuple(waiting))


def build_dataset(
    queue: Queue,
    out: Path,
    *,
    system: str,
    name: str = "",
    kind: str = RE_FORCES,
    reference: PwLevel = K222,
    coarser: Sequence[PwLevel] = (GAMMA,),
    overwrite: bool = False,
) -> Dataset:
    """Write a data set of all frames of `system` that are labelled at all levels.

    A partly finished queue is fine.

    Args:
        queue: The labelling queue.
        out: The data set's folder, made anew.
        system: Whose frames, such as `si-vacancy`.
        name: The data set's name; the system's by default.
        kind: `re-forces`, or `path-forces` for the images of a path, in the order of their ids.
        reference: Level that `forces` and `energy` hold.
        coarser: Levels held beside it, for the noise-floor rows.
        overwrite: Replace a data set that is there.

    Raises:
        DataError: no frame is complete, or labels of one level were made with different settings.
    """
    selection = select(queue, system, (reference, *coarser))
    if not selection.complete:
        message = f"no frame of '{system}' has its labels yet ({len(selection.waiting)} waiting)"
        raise DataError(message, hint=f"run 'mlpzoo data label {queue.directory}'")
    labels = [done for _, done in selection.complete]
    manifest = DatasetManifest(
        name=name or system,
        title=_title(system, kind),
        kind=kind,
        system=system.split("-", maxsplit=1)[0],
        elements=tuple(sorted({symbol for frame, _ in selection.complete for symbol in frame.symbols})),
        licence="CC-BY-4.0",
        citation=CITATION,
        reference=_level(reference, [done[reference.level] for done in labels]),
        noise_floor=tuple(_level(level, [done[level.level] for done in labels]) for level in coarser),
        provenance=_provenance(queue, selection, (reference, *coarser), kind),
    )
    frames = [_frame(frame, done, reference, coarser, kind) for frame, done in selection.complete]
    return write_dataset(out, manifest, frames, overwrite=overwrite)


def _frame(
    frame: QueuedFrame,
    labels: dict[str, Label],
    reference: PwLevel,
    coarser: Sequence[PwLevel],
    kind: str,
) -> Frame:
    rare = kind == RE_FORCES
    return Frame(
        atoms=frame.atoms(),
        frame_id=frame.frame_id,
        forces=np.array(labels[reference.level].forces_ev_per_ang),
        energy=labels[reference.level].energy_ev,
        re_mask=np.array(frame.re_mask) if rare else None,
        r=np.array(frame.r_ang) if rare else None,
        levels={
            level.level: LevelLabels(
                forces=np.array(labels[level.level].forces_ev_per_ang),
                energy=labels[level.level].energy_ev,
            )
            for level in coarser
        },
        info={"sampler": frame.sampler}
        | ({"time_fs": frame.time_fs, "temperature_kelvin": frame.temperature_kelvin} if rare else {}),
    )


def _level(level: PwLevel, labels: Sequence[Label]) -> Level:
    """Make the manifest's entry of a level, if all its labels agree on how they were made."""
    first = labels[0]
    for other in labels[1:]:
        if (other.code, other.settings, other.pseudopotentials) != (
            first.code,
            first.settings,
            first.pseudopotentials,
        ):
            message = f"the labels of level '{level.level}' were made with different programs or settings"
            raise DataError(
                message, hint=f"delete the {level.level}.json of one kind and label these frames again"
            )
    return Level(
        level=level.level,
        level_of_theory="PBE",
        code=first.code,
        title=level.title,
        settings=first.settings,
        pseudopotentials={
            symbol: Pseudopotential(file=entry["file"], sha256=entry["sha256"])
            for symbol, entry in first.pseudopotentials.items()
        },
    )


def _provenance(queue: Queue, selection: Selection, levels: Sequence[PwLevel], kind: str) -> dict[str, Any]:
    used = {frame.run for frame, _ in selection.complete}
    runs = [run for run in queue.runs() if run.run in used]
    labels = [label for _, done in selection.complete for label in done.values()]
    rare = {
        "definition": "RE atoms and r: see mlpzoo.physics.events, after doi 10.1038/s41524-023-01123-3",
        "selection": "one frame of each group of concerted events, uniform inside its window, seeded",
        "basin_fraction": BASIN_FRACTION,
        "r_cap_ang": R_CAP_ANG,
    }
    return (rare if kind == RE_FORCES else {}) | {
        "labelled_between": sorted({label.date for label in labels}),
        "energy": "total energy of the smeared system (free energy), consistent with the forces",
        "scf_start": "each level after the first starts from the first one's density",
        "failed_frames": list(selection.failed),
        "unlabelled_frames": len(selection.waiting),
        "cost_cpu_s": {
            level.level: round(sum(done[level.level].cpu_s for _, done in selection.complete))
            for level in levels
        },
        "runs": [
            {"run": run.run, "sampler": run.sampler, "date": run.date, **run.settings, "found": run.counts}
            for run in runs
        ],
    }


def _title(system: str, kind: str) -> str:
    element, _, defect = system.partition("-")
    if kind == PATH_FORCES:
        return f"Images along a fixed path: {defect.removesuffix('-path')} in {element.capitalize()}"
    return "Snapshots with migrating atoms: " + f"{defect or 'defect'} in {element.capitalize()}"
