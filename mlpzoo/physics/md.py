"""Molecular dynamics of an `Atoms` with any ASE calculator: seeded, guarded, one sample at a time.

Positions are never wrapped, so that displacements can be taken between any two samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet

from mlpzoo.errors import CalculationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms
    from ase.md.md import MolecularDynamics
    from numpy.typing import NDArray

EXPLODED_FACTOR = (
    10.0  # instantaneous temperature over the wanted one: no canonical fluctuation of >= 10 atoms
)

FRICTION_PER_FS = (
    0.002  # weak: half a picosecond, longer than a hop, so that the dynamics of hops is the model's own
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MDFrame:
    """One sample of a trajectory.

    Attributes:
        step: Index of the MD step, 0 for the start.
        time_fs: Time since the start.
        positions_ang: Unwrapped positions, shape (n_atoms, 3).
        velocities_ang_per_fs: Velocities, shape (n_atoms, 3).
        potential_energy_ev: Potential energy.
        temperature_kelvin: Instantaneous kinetic temperature.
    """

    step: int
    time_fs: float
    positions_ang: NDArray[np.float64]
    velocities_ang_per_fs: NDArray[np.float64]
    potential_energy_ev: float
    temperature_kelvin: float


def langevin(
    atoms: Atoms,
    *,
    temperature_kelvin: float,
    time_fs: float,
    seed: int,
    timestep_fs: float = 2.0,
    friction_per_fs: float = FRICTION_PER_FS,
    sample_every: int = 1,
) -> Iterator[MDFrame]:
    """Run NVT dynamics (ASE's `Langevin`, centre of mass free); yield the start and every n-th step.

    The atoms must have a calculator; they are copied, not changed. Velocities are drawn anew from `seed`.

    Raises:
        CalculationError: energy, forces or positions stopped being finite, or the temperature ran away.
        UsageError: a time, temperature or interval that is not positive.
    """
    _check(
        temperature_kelvin=temperature_kelvin,
        time_fs=time_fs,
        timestep_fs=timestep_fs,
        sample_every=sample_every,
    )
    generator = np.random.default_rng(seed)
    moving = _moving_copy(atoms, temperature_kelvin, generator)
    dynamics = Langevin(
        moving,
        timestep=timestep_fs * units.fs,
        temperature_K=temperature_kelvin,
        friction=friction_per_fs / units.fs,
        rng=generator,
        fixcm=False,
    )
    yield from _samples(
        dynamics,
        moving,
        n_steps=round(time_fs / timestep_fs),
        sample_every=sample_every,
        timestep_fs=timestep_fs,
        hottest_kelvin=EXPLODED_FACTOR * temperature_kelvin,
    )


def velocity_verlet(
    atoms: Atoms,
    *,
    temperature_kelvin: float,
    time_fs: float,
    seed: int,
    timestep_fs: float = 1.0,
    sample_every: int = 1,
) -> Iterator[MDFrame]:
    """Run NVE dynamics from velocities drawn at `temperature_kelvin`; otherwise as `langevin`.

    Raises:
        CalculationError: energy, forces or positions stopped being finite, or the temperature ran away.
        UsageError: a time, temperature or interval that is not positive.
    """
    _check(
        temperature_kelvin=temperature_kelvin,
        time_fs=time_fs,
        timestep_fs=timestep_fs,
        sample_every=sample_every,
    )
    moving = _moving_copy(atoms, temperature_kelvin, np.random.default_rng(seed))
    dynamics = VelocityVerlet(moving, timestep=timestep_fs * units.fs)
    yield from _samples(
        dynamics,
        moving,
        n_steps=round(time_fs / timestep_fs),
        sample_every=sample_every,
        timestep_fs=timestep_fs,
        hottest_kelvin=EXPLODED_FACTOR * temperature_kelvin,
    )


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            message = f"{name} is {value}"
            raise UsageError(message, hint=f"give a positive {name}")


def _moving_copy(atoms: Atoms, temperature_kelvin: float, generator: np.random.Generator) -> Atoms:
    moving: Atoms = atoms.copy()
    moving.calc = atoms.calc
    widths = np.sqrt(moving.get_masses() * units.kB * temperature_kelvin)
    moving.set_momenta(generator.standard_normal((len(moving), 3)) * widths[:, None])
    Stationary(moving)
    return moving


def _samples(
    dynamics: MolecularDynamics,
    moving: Atoms,
    *,
    n_steps: int,
    sample_every: int,
    timestep_fs: float,
    hottest_kelvin: float,
) -> Iterator[MDFrame]:
    yield _frame(moving, 0, timestep_fs)
    for step in range(sample_every, n_steps + 1, sample_every):
        dynamics.run(sample_every)
        frame = _frame(moving, step, timestep_fs)
        finite = np.isfinite(frame.potential_energy_ev) and bool(np.isfinite(frame.positions_ang).all())
        if not finite or not frame.temperature_kelvin < hottest_kelvin:
            message = (
                f"the trajectory exploded at {frame.time_fs:.0f} fs "
                f"(energy {frame.potential_energy_ev:.3g} eV, temperature {frame.temperature_kelvin:.3g} K)"
            )
            raise CalculationError(
                message, hint="use a shorter time step, or a model that holds at this temperature"
            )
        yield frame


def _frame(moving: Atoms, step: int, timestep_fs: float) -> MDFrame:
    return MDFrame(
        step=step,
        time_fs=step * timestep_fs,
        positions_ang=moving.get_positions(),
        velocities_ang_per_fs=moving.get_velocities() * units.fs,
        potential_energy_ev=float(moving.get_potential_energy()),
        temperature_kelvin=float(moving.get_temperature()),
    )
