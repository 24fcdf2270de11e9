"""From a data set back to a labelling queue: to extend it, or to label its structures at another level."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.data.queue import Label, QueuedFrame, Run
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlpzoo.data.dataset import Dataset
    from mlpzoo.data.manifest import Level
    from mlpzoo.data.queue import Queue

_RUN_KEYS = ("run", "sampler", "date", "found")
_FRAME_KEYS = ("frame_id", "sampler", "group", "time_fs", "temperature_kelvin")


def adopt(
    dataset: Dataset, queue: Queue, *, levels: Sequence[str] = (), limit: int | None = None
) -> list[str]:
    """Put a data set's frames, labels and records into a queue.

    Frames that are there already are left alone, so that it can be repeated.

    Args:
        dataset: Any data set.
        queue: Where they go.
        levels: Levels that the frames shall have in the queue; by default those of the data set, its
            reference last.
        limit: The first so many frames only.

    Returns:
        Ids of the frames that are new.

    Raises:
        DataError: The queue holds another structure of the same id.
    """
    spec = dataset.spec
    own = (*(floor.level for floor in spec.noise_floor), spec.reference.level)
    records = {str(run.get("run", "")): run for run in spec.provenance.get("runs", [])}
    file_of = {i: PurePosixPath(path).stem for path, indices in dataset.files.items() for i in indices}
    existing = {frame.frame_id: frame for frame in queue.frames()} if queue.holds_frames() else {}
    new: list[str] = []
    for index, atoms in enumerate(dataset.frames[:limit]):
        info = atoms.info
        name = str(info["frame_id"])
        run = next((run for run in records if run and name.startswith(f"{run}-")), spec.name)
        frame = QueuedFrame(
            frame_id=name,
            system=spec.name,
            run=run,
            order=index,
            symbols=atoms.get_chemical_symbols(),
            cell_ang=atoms.cell.array.tolist(),
            positions_ang=atoms.positions.tolist(),
            re_mask=[] if dataset.re_mask is None else dataset.re_mask[index].tolist(),
            r_ang=[] if dataset.r is None else dataset.r[index].tolist(),
            sampler=str(info.get("sampler", spec.citation)),
            time_fs=float(info.get("time_fs", 0.0)),
            temperature_kelvin=float(info.get("temperature_kelvin", 0.0)),
            levels=tuple(levels) or own,
            file=file_of[index],
            group=str(info.get("group", "")),
        )
        if name in existing:
            if not existing[name].is_structure_of(frame):
                raise DataError(
                    f"{queue.directory}: frame '{name}' is another structure than in {dataset.directory}",
                    hint="use another --out folder",
                )
            continue
        queue.add_frame(frame)
        for label in _labels(dataset, index):
            queue.put_label(name, label)
        new.append(name)
    for name in {queue_frame.run for queue_frame in queue.frames()} if new else ():
        if not queue.has_run(name):
            queue.add_run(_run(name, spec.name, records.get(name, {}), spec.citation), [])
    return new


def _labels(dataset: Dataset, index: int) -> list[Label]:
    """The labels of one frame: the reference, and the coarser levels; each with its share of the cost."""
    spec = dataset.spec
    dates = spec.provenance.get("labelled_between", [])
    costs = {k: float(v) / len(dataset) for k, v in spec.provenance.get("cost_cpu_s", {}).items()}
    energy = 0.0 if dataset.energies is None else float(dataset.energies[index])
    stress = None if dataset.stresses is None else dataset.stresses[index].tolist()
    found = [_label(spec.reference, energy, dataset.forces[index], stress, dates, costs)]
    for floor in spec.noise_floor:
        data = dataset.levels[floor.level]
        energy = 0.0 if data.energies is None else float(data.energies[index])
        found.append(_label(floor, energy, data.forces[index], None, dates, costs))
    return found


def _label(
    level: Level,
    energy_ev: float,
    forces: Any,
    stress: list[float] | None,
    dates: Sequence[str],
    costs: Mapping[str, float],
) -> Label:
    return Label(
        level=level.level,
        status="converged",
        energy_ev=energy_ev,
        forces_ev_per_ang=np.asarray(forces).tolist(),
        stress_ev_per_ang3=stress,
        code=level.code,
        level_of_theory=level.level_of_theory,
        title=level.title,
        settings=level.settings,
        pseudopotentials={
            symbol: {"file": entry.file, "sha256": entry.sha256}
            for symbol, entry in level.pseudopotentials.items()
        },
        cpu_s=costs.get(level.level, 0.0),
        date=max(dates, default=""),
    )


def _run(name: str, system: str, record: dict[str, Any], citation: str) -> Run:
    return Run(
        run=name,
        system=system,
        sampler=str(record.get("sampler", citation)),
        settings={key: value for key, value in record.items() if key not in _RUN_KEYS},
        counts={key: float(value) for key, value in record.get("found", {}).items()},
        date=str(record.get("date", "")),
    )
