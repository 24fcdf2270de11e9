"""Molecular dynamics of an `Atoms` with any ASE calculator: seeded, guarded, resumable, one sample at a time.

Positions are never wrapped, so that displacements can be taken between any two samples. The integrators are
ASE's: velocity Verlet, and for NVT the Langevin scheme of Vanden-Eijnden and Ciccotti, Chem. Phys. Lett. 429,
310 (2006), doi 10.1016/j.cplett.2006.07.086.

With a checkpoint a run that was killed continues exactly: the same trajectory, bit by bit, as one that was
not. Some calculators remember more than the last structure (neighbour lists are kept until an atom has moved
far enough, and the order of a sum depends on when they were made). So every run, stored or not, resets its
calculator each `SEGMENT_STEPS` steps, and is saved only there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet

from mlpzoo.errors import BadNumberError, CalculationError, UsageError
from mlpzoo.physics.evaluate import Progress, nothing
from mlpzoo.physics.md_store import MDState, MDStore

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.checkpoint import Checkpoint

EXPLODED_FACTOR = (
    10.0  # instantaneous temperature over the wanted one: no canonical fluctuation of >= 10 atoms
)

FRICTION_PER_FS = (
    0.002  # weak: half a picosecond, longer than a hop, so that the dynamics of hops is the model's own
)

SEGMENT_STEPS = 50
SAVE_EVERY_S = 3.0
REPORT_EVERY_S = 0.3


class ExplodedError(CalculationError):
    """A trajectory whose energy, forces, positions or temperature ran away.

    Args:
        message: What ran away, and when.
        hint: What to try next.
        time_fs: When it was seen.
    """

    def __init__(self, message: str, *, hint: str = "", time_fs: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.time_fs = time_fs


@dataclass(frozen=True, slots=True, kw_only=True)
class MDFrame:
    """One sample of a trajectory.

    Attributes:
        step: Index of the MD step, 0 for the start.
        time_fs: Time since the start.
        positions_ang: Unwrapped positions, shape (n_atoms, 3).
        potential_energy_ev: Potential energy.
        kinetic_energy_ev: Kinetic energy.
    """

    step: int
    time_fs: float
    positions_ang: NDArray[np.float64]
    potential_energy_ev: float
    kinetic_energy_ev: float

    @property
    def temperature_kelvin(self) -> float:
        """Instantaneous kinetic temperature."""
        return self.kinetic_energy_ev / (1.5 * len(self.positions_ang) * units.kB)


def langevin(
    atoms: Atoms,
    *,
    temperature_kelvin: float,
    time_fs: float,
    seed: int | Sequence[int],
    timestep_fs: float = 2.0,
    friction_per_fs: float = FRICTION_PER_FS,
    sample_every: int = 1,
    start_temperature_kelvin: float | None = None,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> Iterator[MDFrame]:
    """Run NVT dynamics (ASE's `Langevin`, centre of mass free); yield the start and every n-th step.

    Args:
        atoms: The start, with a calculator; it is copied, not changed.
        temperature_kelvin: Of the thermostat.
        time_fs: Length of the run.
        seed: Of the velocities and the thermostat.
        timestep_fs: Time step.
        friction_per_fs: Of the thermostat.
        sample_every: Steps between two samples.
        start_temperature_kelvin: Of the first velocities; if not given, that of the thermostat. Atoms that
            start at their equilibrium sites lose half of it to the potential energy, and need twice as much.
        progress: Called a few times a second.
        checkpoint: Where an interrupted run is continued, exactly; a finished one costs no force call.

    Raises:
        ExplodedError: energy, forces or positions stopped being finite, or the temperature ran away.
        UsageError: a time, temperature or interval that is not positive.
    """

    def integrator(moving: Atoms, generator: np.random.Generator) -> Langevin | VelocityVerlet:
        return Langevin(
            moving,
            timestep=timestep_fs * units.fs,
            temperature_K=temperature_kelvin,
            friction=friction_per_fs / units.fs,
            rng=generator,
            fixcm=False,
        )

    yield from _trajectory(
        atoms,
        integrator,
        temperature_kelvin=temperature_kelvin,
        start_temperature_kelvin=start_temperature_kelvin or temperature_kelvin,
        time_fs=time_fs,
        seed=seed,
        timestep_fs=timestep_fs,
        sample_every=sample_every,
        progress=progress,
        store=MDStore(checkpoint),
    )


def velocity_verlet(
    atoms: Atoms,
    *,
    temperature_kelvin: float,
    time_fs: float,
    seed: int | Sequence[int],
    timestep_fs: float = 1.0,
    sample_every: int = 1,
    start_temperature_kelvin: float | None = None,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> Iterator[MDFrame]:
    """Run NVE dynamics without net momentum; otherwise as `langevin`.

    Raises:
        ExplodedError: energy, forces or positions stopped being finite, or the temperature ran away.
        UsageError: a time, temperature or interval that is not positive.
    """

    def integrator(moving: Atoms, generator: np.random.Generator) -> Langevin | VelocityVerlet:
        del generator
        return VelocityVerlet(moving, timestep=timestep_fs * units.fs)

    yield from _trajectory(
        atoms,
        integrator,
        temperature_kelvin=temperature_kelvin,
        start_temperature_kelvin=start_temperature_kelvin or temperature_kelvin,
        time_fs=time_fs,
        seed=seed,
        timestep_fs=timestep_fs,
        sample_every=sample_every,
        progress=progress,
        store=MDStore(checkpoint),
    )


def _trajectory(
    atoms: Atoms,
    integrator: Callable[[Atoms, np.random.Generator], Langevin | VelocityVerlet],
    *,
    temperature_kelvin: float,
    start_temperature_kelvin: float,
    time_fs: float,
    seed: int | Sequence[int],
    timestep_fs: float,
    sample_every: int,
    progress: Progress,
    store: MDStore,
) -> Iterator[MDFrame]:
    """The samples of a run: those that are stored, then new ones."""
    _check(
        temperature_kelvin=temperature_kelvin,
        start_temperature_kelvin=start_temperature_kelvin,
        time_fs=time_fs,
        timestep_fs=timestep_fs,
        sample_every=sample_every,
    )
    n_steps = round(time_fs / timestep_fs) // sample_every * sample_every
    generator = np.random.default_rng(seed)
    moving = _moving_copy(atoms, start_temperature_kelvin, generator)
    dynamics = integrator(moving, generator)
    hottest = EXPLODED_FACTOR * max(temperature_kelvin, start_temperature_kelvin)

    def sample(step: int) -> MDFrame:
        frame = MDFrame(
            step=step,
            time_fs=step * timestep_fs,
            positions_ang=moving.get_positions(),
            potential_energy_ev=float(moving.get_potential_energy()),
            kinetic_energy_ev=float(moving.get_kinetic_energy()),
        )
        _guard(frame, hottest)
        store.add(frame.positions_ang, frame.potential_energy_ev, frame.kinetic_energy_ev)
        return frame

    state = store.load(moving.get_positions())
    if state is None:
        done, forces = 0, moving.get_forces(md=True)
        yield sample(0)
    else:
        done, forces = state.step, state.restore(moving, generator)
        for index, (positions, potential, kinetic) in enumerate(store.frames()):
            step = index * sample_every
            yield MDFrame(
                step=step,
                time_fs=step * timestep_fs,
                positions_ang=positions,
                potential_energy_ev=potential,
                kinetic_energy_ev=kinetic,
            )
    what = f"MD steps at {temperature_kelvin:g} K"
    saved = reported = time.monotonic()
    for step in range(done + 1, n_steps + 1):
        try:
            forces = dynamics.step(forces)
        except BadNumberError as error:
            raise _exploded(step * timestep_fs, error.message) from error
        if step % sample_every == 0:
            yield sample(step)
        now = time.monotonic()
        if step % SEGMENT_STEPS == 0 or step == n_steps:
            moving.calc.reset()
            if now - saved > SAVE_EVERY_S or step == n_steps:
                store.save(MDState.of(step, moving, forces, generator))
                saved = now
        if now - reported > REPORT_EVERY_S:
            progress(step, n_steps, what)
            reported = now


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            message = f"{name} is {value}"
            raise UsageError(message, hint=f"give a positive {name}")


def _moving_copy(atoms: Atoms, temperature_kelvin: float, generator: np.random.Generator) -> Atoms:
    moving: Atoms = atoms.copy()
    moving.calc = atoms.calc
    moving.calc.reset()
    widths = np.sqrt(moving.get_masses() * units.kB * temperature_kelvin)
    moving.set_momenta(generator.standard_normal((len(moving), 3)) * widths[:, None])
    Stationary(moving)
    return moving


def _guard(frame: MDFrame, hottest_kelvin: float) -> None:
    finite = np.isfinite(frame.potential_energy_ev) and bool(np.isfinite(frame.positions_ang).all())
    if not finite or not frame.temperature_kelvin < hottest_kelvin:
        raise _exploded(
            frame.time_fs,
            f"energy {frame.potential_energy_ev:.3g} eV, temperature {frame.temperature_kelvin:.3g} K",
        )


def _exploded(time_fs: float, reason: str) -> ExplodedError:
    return ExplodedError(
        f"the trajectory exploded at {time_fs:.0f} fs ({reason})",
        hint="use a shorter time step, or a model that holds at this temperature",
        time_fs=time_fs,
    )
