"""Carrying out a sampling plan: structures into a labelling queue, each sample once."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.data import structures
from mlpzoo.data.defect_cells import DefectCell
from mlpzoo.data.plan import NEEDS_MODEL
from mlpzoo.data.queue import QueuedFrame, Run
from mlpzoo.data.sampling import sample as sample_rare_events
from mlpzoo.data.selecting import CUTOFF_ANG
from mlpzoo.physics.crystals import Crystal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase.calculators.calculator import Calculator

    from mlpzoo.data.crystal import CrystalManifest
    from mlpzoo.data.plan import Sample, SamplingPlan
    from mlpzoo.data.queue import Queue
    from mlpzoo.data.structures import Made
    from mlpzoo.physics.evaluate import Progress

LARGE_CELL_ATOMS = 16  # smaller ones are labelled first: they are cheap


def run_name(plan: SamplingPlan, sample: Sample) -> str:
    """Name of a sample's run; its frames' names begin so."""
    return f"{plan.system}-{sample.name}"


def run_sample(
    plan: SamplingPlan,
    sample: Sample,
    manifest: CrystalManifest,
    calculator: Callable[[], Calculator],
    queue: Queue,
    *,
    sampler: str,
    progress: Progress,
) -> int:
    """Make the structures of one sample and put them into the queue; how many.

    MD keeps checkpoints in the queue's folder: interrupted, the same call goes on where it was.

    Args:
        plan: The plan.
        sample: One of its samples.
        manifest: The plan's crystal.
        calculator: Gives the model's calculator; called only if the method needs one.
        queue: Where the frames go.
        sampler: Name of the model, with the hash of its weights.
        progress: Told how far it is.

    Raises:
        DataError: The queue holds this run, the crystal melted, or no event happened.
        CalculationError: A trajectory exploded.
    """
    name = run_name(plan, sample)
    queue.check_new_run(name)
    crystal = Crystal(
        symbol=manifest.symbol,
        structure=manifest.structure,  # type: ignore[arg-type]  # checked when it was read
        lattice_constant_ang=plan.lattice_constant_ang,
    )
    who = sampler if sample.method in NEEDS_MODEL else "none"
    checkpoint = Checkpoint(queue.directory / "checkpoints" / name)
    counts: dict[str, float] = {}
    if sample.method == "rare-events":
        (temperature,) = sample.temperatures_kelvin
        cell = DefectCell.of(crystal, sample.repeat, sample.defect, system=plan.system)
        found = sample_rare_events(
            cell,
            calculator(),
            name=name,
            sampler=who,
            temperature_kelvin=temperature,
            time_ps=sample.time_ps,
            seed=sample.seed,
            max_frames=sample.count,
            progress=lambda fraction: progress(round(1000 * fraction), 1000, "MD"),
            checkpoint=checkpoint,
        )
        counts = found.run.counts
        made = [
            structures.Made(
                atoms=frame.atoms(), time_fs=frame.time_fs, temperature_kelvin=frame.temperature_kelvin
            )
            for frame in found.frames
        ]
    elif sample.method == "strain":
        made = structures.strained(crystal, sample)
    elif sample.method == "path":
        made = structures.along_a_hop(crystal, sample, calculator(), progress=progress)
    else:
        make = structures.melt if sample.method == "melt" else structures.snapshots
        made = make(crystal, sample, calculator(), progress=progress, checkpoint=checkpoint)
    frames = [_frame(plan, sample, one, number, who) for number, one in enumerate(made)]
    record = Run(
        run=name,
        system=plan.system,
        sampler=who,
        settings=_settings(plan, sample, who),
        counts=counts | {"frames": float(len(frames))},
        date=datetime.now(timezone.utc).date().isoformat(),
    )
    queue.add_run(record, frames)
    return len(frames)


def _frame(plan: SamplingPlan, sample: Sample, made: Made, number: int, sampler: str) -> QueuedFrame:
    atoms = made.atoms
    atoms.wrap()
    n = len(atoms)
    return QueuedFrame(
        frame_id=f"{run_name(plan, sample)}-{number:03d}",
        system=plan.system,
        run=run_name(plan, sample),
        order=number + (1000 if n > LARGE_CELL_ATOMS else 0),
        symbols=atoms.get_chemical_symbols(),
        cell_ang=np.round(atoms.cell.array, 8).tolist(),  # what extended XYZ keeps: labels belong to these
        positions_ang=np.round(atoms.get_positions(), 8).tolist(),
        re_mask=[],
        r_ang=[],
        sampler=sampler,
        time_fs=made.time_fs,
        temperature_kelvin=made.temperature_kelvin,
        levels=plan.levels,
        file=sample.file,
        group=sample.name,
    )


def _settings(plan: SamplingPlan, sample: Sample, sampler: str) -> dict[str, Any]:
    """What decides the structures, for the record."""
    import dataclasses

    blank = type(sample)(name="", method=sample.method, count=1)
    given = {k: v for k, v in dataclasses.asdict(sample).items() if v != getattr(blank, k)}
    model = "" if sampler == "none" else f" --model {sampler.partition(',')[0]}"
    given |= {
        "command": f"mlpzoo data sample --plan PLAN --only {sample.name}{model} --out QUEUE",
        "method": sample.method,
        "crystal": plan.crystal,
        "lattice_constant_ang": plan.lattice_constant_ang,
    }
    if sample.pool > sample.count:
        given["selection"] = f"farthest-point over SOAP environments, {CUTOFF_ANG:g} Å (featomic)"
    return {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}
