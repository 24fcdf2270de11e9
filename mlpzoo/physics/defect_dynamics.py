"""MD of a supercell with one defect at one temperature, and what diffuses in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import DataError
from mlpzoo.physics.basins import MeltedError
from mlpzoo.physics.diffusion import (
    FEWEST_HOPS,
    Estimate,
    Hops,
    count_hops,
    lag_frames,
    tracer_diffusivity,
)
from mlpzoo.physics.evaluate import Progress, nothing
from mlpzoo.physics.events import find_events
from mlpzoo.physics.md import ExplodedError, langevin

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.checkpoint import Checkpoint
    from mlpzoo.physics.sites import SiteSet

SAMPLE_STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLength:
    """How long a run is.

    Attributes:
        total_fs: Of all.
        equilibration_fs: Of the beginning, which is not analysed.
        timestep_fs: Of the integrator.
    """

    total_fs: float
    equilibration_fs: float
    timestep_fs: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectRun:
    """One trajectory.

    Attributes:
        problem: ``exploded``, ``melted``, ``too few hops``; empty if there is a diffusivity.
        detail: More of it, for people.
        diffusivity: In cm²/s, from displacements.
        hops: None if the crystal did not hold.
        lag_fs: τ of the diffusivity.
        mean_temperature_kelvin: Over the analysed part.
        positions_ang: Unwrapped, without drift, of the analysed part, shape (n_frames, n_atoms, 3).
        frame_fs: Time between two of these frames.
    """

    problem: str = ""
    detail: str = ""
    diffusivity: Estimate | None = None
    hops: Hops | None = None
    lag_fs: float = 0.0
    mean_temperature_kelvin: float = 0.0
    positions_ang: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 3)))
    frame_fs: float = 0.0


def run_defect(
    atoms: Atoms,
    sites: SiteSet,
    calculator: Calculator,
    *,
    temperature_kelvin: float,
    length: RunLength,
    seed: int,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> DefectRun:
    """Langevin dynamics at constant volume, hops by sites, diffusivity.

    What a model does wrong in it (the crystal melts, the trajectory explodes) is a result, not an error.

    Args:
        atoms: Registered with the sites.
        sites: Lattice sites, and interstitial ones if atoms can be there.
        calculator: Gives forces.
        temperature_kelvin: Of the thermostat.
        length: Of the run.
        seed: Of velocities and thermostat.
        progress: Called a few times a second.
        checkpoint: Where an interrupted run is continued, exactly.
    """
    frame_fs = SAMPLE_STEPS * length.timestep_fs
    start = atoms.copy()
    start.calc = calculator
    frames, temperatures = [], []
    problem = detail = ""
    try:
        for frame in langevin(
            start,
            temperature_kelvin=temperature_kelvin,
            start_temperature_kelvin=2 * temperature_kelvin,
            time_fs=length.total_fs,
            timestep_fs=length.timestep_fs,
            sample_every=SAMPLE_STEPS,
            seed=[seed, round(temperature_kelvin)],
            progress=progress,
            checkpoint=checkpoint,
        ):
            frames.append(frame.positions_ang)
            temperatures.append(frame.temperature_kelvin)
    except ExplodedError as error:
        problem, detail = "exploded", f"exploded after {error.time_fs / 1e3:.2f} ps"
    first = round(length.equilibration_fs / frame_fs)
    kept = np.array(frames[first:]) if len(frames) > first else np.zeros((0, len(atoms), 3))
    if not problem:
        try:
            events = find_events(np.array(frames), sites, frame_fs=frame_fs)
        except MeltedError as error:
            problem, detail = "melted", f"melted after {error.time_fs / 1e3:.2f} ps"
    if problem:
        return DefectRun(problem=problem, detail=detail, positions_ang=kept, frame_fs=frame_fs)
    kept = kept - events.drift_ang[first:, None, :]
    hops = count_hops(
        tuple(event for event in events.events if event.start_frame >= first),
        sites,
        n_atoms=len(atoms),
        time_fs=(len(kept) - 1) * frame_fs,
    )
    diffusivity = None
    try:
        diffusivity = tracer_diffusivity(kept, frame_fs=frame_fs)
        lag_fs = lag_frames(len(kept)) * frame_fs
    except DataError as error:
        problem, detail, lag_fs = "too short", error.message, 0.0
    if hops.number < FEWEST_HOPS:
        problem, diffusivity = "too few hops", None
    elif diffusivity is not None and diffusivity.value <= 0:
        problem, diffusivity = "no net motion", None
    return DefectRun(
        problem=problem,
        detail=detail,
        diffusivity=diffusivity,
        hops=hops,
        lag_fs=lag_fs,
        mean_temperature_kelvin=float(np.mean(temperatures[first:])),
        positions_ang=kept,
        frame_fs=frame_fs,
    )
