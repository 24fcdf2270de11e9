"""Sampling of rare-event frames: MD of a crystal with one defect, its migration events, a few frames of them.

One frame is taken of an event (a chain of atoms that move together is one), uniformly inside its window, so
that the frames are independent and not the same hop many times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.data.queue import QueuedFrame, Run
from mlpzoo.errors import DataError
from mlpzoo.physics.events import RESIDENCE_FS, distance_to_rare_event, find_events
from mlpzoo.physics.md import FRICTION_PER_FS, langevin

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.checkpoint import Checkpoint
    from mlpzoo.data.defect_cells import DefectCell
    from mlpzoo.physics.events import EventAnalysis

SAMPLE_EVERY = 2
TIMESTEP_FS = 2.0
MIN_SPACING_FS = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledRun:
    """A trajectory's record, frames for the queue, events, and positions (n_frames, n_atoms, 3)."""

    run: Run
    frames: tuple[QueuedFrame, ...]
    events: EventAnalysis
    positions_ang: NDArray[np.float64]


def run_name(system: str, seed: int) -> str:
    """Name a run; its frames' names begin so."""
    return f"{system}-s{seed}"


def sample(
    cell: DefectCell,
    calculator: Calculator,
    *,
    name: str,
    sampler: str,
    temperature_kelvin: float,
    time_ps: float,
    seed: int,
    max_frames: int,
    progress: Callable[[float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> SampledRun:
    """Run Langevin dynamics, find the events and take one frame of each, at most `max_frames`.

    Args:
        cell: The defect cell.
        calculator: Any ASE calculator; it decides where the trajectory goes, never what the labels are.
        name: Of the run; its frames' names begin so.
        sampler: Name and version of the model, for the provenance.
        temperature_kelvin: Of the thermostat.
        time_ps: Length of the trajectory.
        seed: Of velocities, thermostat and choice of frames.
        max_frames: At most so many frames.
        progress: Called with the fraction done.
        checkpoint: Where an interrupted trajectory is continued.

    Raises:
        CalculationError: the trajectory exploded.
        DataError: the crystal melted, or not one event happened.
    """
    cell.atoms.calc = calculator
    time_fs = 1e3 * time_ps
    positions = []
    temperatures = []
    for step in langevin(
        cell.atoms,
        temperature_kelvin=temperature_kelvin,
        time_fs=time_fs,
        seed=seed,
        timestep_fs=TIMESTEP_FS,
        sample_every=SAMPLE_EVERY,
        checkpoint=checkpoint,
    ):
        positions.append(step.positions_ang)
        temperatures.append(step.temperature_kelvin)
        if progress is not None:
            progress(step.time_fs / time_fs)
    frame_fs = SAMPLE_EVERY * TIMESTEP_FS
    return from_trajectory(
        cell,
        np.array(positions),
        find_events(positions, cell.sites, frame_fs=frame_fs),
        name=name,
        sampler=sampler,
        temperature_kelvin=temperature_kelvin,
        mean_temperature_kelvin=float(np.mean(temperatures)),
        seed=seed,
        max_frames=max_frames,
        how={
            "ensemble": "NVT Langevin (ASE), centre of mass free",
            "temperature_kelvin": temperature_kelvin,
            "time_ps": 1e-3 * frame_fs * (len(positions) - 1),
            "timestep_fs": TIMESTEP_FS,
            "frame_fs": frame_fs,
            "friction_per_fs": FRICTION_PER_FS,
        },
    )


def from_trajectory(
    cell: DefectCell,
    positions_ang: NDArray[np.float64],
    analysis: EventAnalysis,
    *,
    name: str,
    sampler: str,
    temperature_kelvin: float,
    mean_temperature_kelvin: float,
    seed: int,
    max_frames: int,
    how: dict[str, Any],
) -> SampledRun:
    """Choose the frames of a trajectory whose events are known.

    Args:
        cell: Its defect cell.
        positions_ang: Shape (n_frames, n_atoms, 3), registered with the cell's sites.
        analysis: Its events.
        name: Of the run; its frames' names begin so.
        sampler: What made it.
        temperature_kelvin: Of the thermostat.
        mean_temperature_kelvin: What came out.
        seed: Of the choice of frames.
        max_frames: At most so many.
        how: How the trajectory was made, for the record.

    Raises:
        DataError: Not one event happened.
    """
    time_ps = 1e-3 * analysis.frame_fs * (len(positions_ang) - 1)
    chosen = choose_frames(analysis, max_frames=max_frames, seed=seed)
    if not len(chosen):
        message = f"no migration event in {time_ps:g} ps of {cell.system} at {temperature_kelvin:g} K"
        raise DataError(
            message, hint="sample longer (--time-ps), hotter (--temperature) or with another --seed"
        )
    frames = tuple(
        _frame(
            cell,
            positions_ang[index],
            mask,
            run=name,
            order=order,
            index=int(index),
            frame_fs=analysis.frame_fs,
            sampler=sampler,
            temperature_kelvin=temperature_kelvin,
        )
        for order, (index, mask) in enumerate(zip(chosen, analysis.mask(chosen), strict=True))
    )
    rare = analysis.mask(np.arange(analysis.n_frames))
    run = Run(
        run=name,
        system=cell.system,
        sampler=sampler,
        settings={
            **how,
            "seed": seed,
            "lattice_constant_ang": cell.crystal.lattice_constant_ang,
            "supercell": list(cell.repeat),
            "residence_fs": RESIDENCE_FS,
            "min_spacing_fs": MIN_SPACING_FS,
        },
        counts={
            "events": len(analysis.events),
            "concerted_groups": len(analysis.concerted()),
            "frames_with_rare_event": float(rare.any(axis=1).mean()),
            "mean_temperature_kelvin": mean_temperature_kelvin,
            "chosen_frames": len(frames),
        },
        date=datetime.now(timezone.utc).date().isoformat(),
    )
    return SampledRun(run=run, frames=frames, events=analysis, positions_ang=positions_ang)


def choose_frames(
    analysis: EventAnalysis, *, max_frames: int, seed: int, min_spacing_fs: float = MIN_SPACING_FS
) -> NDArray[np.int64]:
    """One frame index of each group of concerted events, in random (seeded) order, at most `max_frames`.

    The frame is uniform strictly inside the window of one of the group's events; two chosen frames are at
    least `min_spacing_fs` apart.
    """
    generator = np.random.default_rng(seed)
    groups = [group for group in analysis.concerted() if any(e.end_frame - e.start_frame > 1 for e in group)]
    spacing = min_spacing_fs / analysis.frame_fs
    chosen: list[int] = []
    for number in generator.permutation(len(groups)):
        candidates = [event for event in groups[number] if event.end_frame - event.start_frame > 1]
        event = candidates[generator.integers(len(candidates))]
        frame = int(generator.integers(event.start_frame + 1, event.end_frame))
        if len(chosen) < max_frames and all(abs(frame - other) >= spacing for other in chosen):
            chosen.append(frame)
    return np.array(chosen, dtype=np.int64)


def _frame(
    cell: DefectCell,
    positions_ang: NDArray[np.float64],
    mask: NDArray[np.bool_],
    *,
    run: str,
    order: int,
    index: int,
    frame_fs: float,
    sampler: str,
    temperature_kelvin: float,
) -> QueuedFrame:
    atoms = cell.atoms.copy()
    atoms.calc = None
    atoms.set_positions(positions_ang)
    atoms.wrap()
    positions = np.round(
        atoms.get_positions(), 8
    )  # what extended XYZ keeps: the labels belong to exactly these
    distances = distance_to_rare_event(positions, atoms.cell.array, mask)
    return QueuedFrame(
        frame_id=f"{run}-f{index:06d}",
        system=cell.system,
        run=run,
        order=order,
        symbols=atoms.get_chemical_symbols(),
        cell_ang=np.round(atoms.cell.array, 8).tolist(),
        positions_ang=positions.tolist(),
        re_mask=mask.tolist(),
        r_ang=np.round(distances, 8).tolist(),
        sampler=sampler,
        time_fs=index * frame_fs,
        temperature_kelvin=temperature_kelvin,
    )
