"""Relaxation of atoms in a fixed cell, with as few force calls as a defect allows.

Preconditioned L-BFGS: Nocedal and Wright, *Numerical Optimization* (2006), algorithm 7.4, where the first
guess of the Hessian is a network of springs between neighbours, scaled at every step (Packwood et al.,
J. Chem. Phys. 144, 164109 (2016), doi 10.1063/1.4947024). Steps are judged by forces alone, so that the noise
in the energies of single-precision models does not matter. Nothing is random: a symmetric start stays
symmetric as far as floating-point numbers go.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import get_distances
from scipy.linalg import cho_factor, cho_solve

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import BadNumberError, CalculationError
from mlpzoo.physics.evaluate import Progress, evaluate_many, nothing

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

MAX_STEP_ANG = 0.2  # of any atom
MAX_WAY_ANG = 5.0  # of any atom from its start: no defect relaxes that far
MEMORY = 30
FIRST_STIFFNESS_EV_PER_ANG2 = 30.0  # of an atom among its neighbours; scaled after the first step
OVERSHOOT = 2.0  # a step after which the slope is that much steeper, the other way, is shortened
FLAT_EV_PER_ANG2 = 1e-3  # curvature below which a step teaches nothing about the Hessian
SAVE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """A structure at a stationary point.

    Attributes:
        atoms: The relaxed copy, without calculator; the cell and the order of the atoms are the start's.
        energy_ev: Its energy.
        start_energy_ev: The energy before the first move.
        fmax_ev_per_ang: Largest norm of a force on an atom that is left.
        n_steps: Moves that it took; the force calls are one more.
    """

    atoms: Atoms
    energy_ev: float
    start_energy_ev: float
    fmax_ev_per_ang: float
    n_steps: int


def relax(
    atoms: Atoms,
    calculator: Calculator,
    *,
    fmax_ev_per_ang: float,
    max_steps: int = 500,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> Relaxed:
    """Move the atoms until no force is larger than ``fmax_ev_per_ang``; the cell is kept.

    Args:
        atoms: The start; it is not changed, and its constraints are not obeyed.
        calculator: Gives energy and forces.
        fmax_ev_per_ang: Largest norm of a force on an atom in the result.
        max_steps: Moves after which it gives up.
        progress: Called before each force call.
        checkpoint: Where an interrupted relaxation is continued, exactly; a finished one costs no force call.

    Raises:
        CalculationError: It did not converge, or atoms flew apart.
        BadNumberError: An energy or a force is not finite.
    """
    checkpoint = checkpoint or Checkpoint()
    moving: Atoms = atoms.copy()
    start = moving.get_positions()
    state = _State.load(checkpoint, moving)
    if state is None:
        progress(0, max_steps, "relaxation")
        energy, forces = _energy_and_forces(moving, calculator, start)
        state = _State(positions=start, energy=energy, forces=forces, start_energy=energy)
    springs = _springs(atoms)
    saved = time.monotonic()
    while (fmax := _largest(state.forces)) > fmax_ev_per_ang:
        if state.n_steps >= max_steps:
            message = f"the relaxation did not converge: {fmax:.3g} eV/Å after {max_steps} steps"
            raise CalculationError(
                message, hint="the energy surface of this model is rough there, or it needs more steps"
            )
        progress(state.n_steps, max_steps, f"relaxation, {fmax:.3f} eV/Å")
        _move(state, moving, calculator, springs)
        if _largest(way := state.positions - start) > MAX_WAY_ANG:
            atom = int(np.argmax(np.linalg.norm(way, axis=1)))
            message = f"the structure fell apart: atom {atom} moved more than {MAX_WAY_ANG:g} Å"
            raise CalculationError(message, hint="this model does not hold the structure together")
        if time.monotonic() - saved > SAVE_EVERY_S:
            state.save(checkpoint, atoms)
            saved = time.monotonic()
    state.save(checkpoint, atoms)
    moving.set_positions(state.positions, apply_constraint=False)
    return Relaxed(
        atoms=moving,
        energy_ev=state.energy,
        start_energy_ev=state.start_energy,
        fmax_ev_per_ang=fmax,
        n_steps=state.n_steps,
    )


@dataclass(slots=True, kw_only=True)
class _State:
    """Everything that the next step depends on."""

    positions: NDArray[np.float64]
    energy: float
    forces: NDArray[np.float64]
    start_energy: float
    n_steps: int = 0
    scale: float = 1.0 / FIRST_STIFFNESS_EV_PER_ANG2
    steps: deque[NDArray[np.float64]] = field(default_factory=lambda: deque(maxlen=MEMORY))
    changes: deque[NDArray[np.float64]] = field(default_factory=lambda: deque(maxlen=MEMORY))

    def save(self, checkpoint: Checkpoint, start: Atoms) -> None:
        checkpoint.save(
            **_identity(start),
            positions=self.positions,
            energy=self.energy,
            forces=self.forces,
            start_energy=self.start_energy,
            n_steps=self.n_steps,
            scale=self.scale,
            steps=np.reshape(self.steps, (-1, *self.positions.shape)),
            changes=np.reshape(self.changes, (-1, *self.positions.shape)),
        )

    @classmethod
    def load(cls, checkpoint: Checkpoint, start: Atoms) -> _State | None:
        """The state of a relaxation that began with exactly this structure; None if there is none."""
        found = checkpoint.load()
        if found is None or any(
            not np.array_equal(found.get(name, np.nan), value) for name, value in _identity(start).items()
        ):
            return None
        return cls(
            positions=found["positions"],
            energy=float(found["energy"]),
            forces=found["forces"],
            start_energy=float(found["start_energy"]),
            n_steps=int(found["n_steps"]),
            scale=float(found["scale"]),
            steps=deque(found["steps"], maxlen=MEMORY),
            changes=deque(found["changes"], maxlen=MEMORY),
        )


def _identity(atoms: Atoms) -> dict[str, Any]:
    return {
        "start_positions": atoms.get_positions(),
        "start_cell": np.asarray(atoms.cell.array),
        "start_numbers": atoms.get_atomic_numbers(),
    }


def _move(
    state: _State, moving: Atoms, calculator: Calculator, springs: tuple[NDArray[np.float64], bool]
) -> None:
    """One step of L-BFGS; a second, shorter one where the first went far over the minimum along it."""
    step = _direction(state, springs)
    slope = -np.vdot(state.forces, step)
    if slope >= 0:  # what was learnt elsewhere is wrong here
        state.steps.clear()
        state.changes.clear()
        step = _direction(state, springs)
        slope = -np.vdot(state.forces, step)
    energy, forces = _energy_and_forces(moving, calculator, state.positions + step)
    state.n_steps += 1
    slope_after = -np.vdot(forces, step)
    if slope_after > -OVERSHOOT * slope:
        step = step * (slope / (slope - slope_after))
        energy, forces = _energy_and_forces(moving, calculator, state.positions + step)
        state.n_steps += 1
    change = state.forces - forces
    curvature = np.vdot(step, change)
    if curvature > FLAT_EV_PER_ANG2 * np.vdot(step, step):
        state.steps.append(step)
        state.changes.append(change)
        state.scale = float(curvature / np.vdot(change, cho_solve(springs, change)))
    state.positions, state.energy, state.forces = state.positions + step, energy, forces


def _direction(state: _State, springs: tuple[NDArray[np.float64], bool]) -> NDArray[np.float64]:
    """The quasi-Newton step from here, not longer than `MAX_STEP_ANG`, shape (n_atoms, 3)."""
    step = state.forces.copy()
    pairs = list(zip(state.steps, state.changes, strict=True))
    weights = []
    for moved, change in reversed(pairs):
        weights.append(np.vdot(moved, step) / np.vdot(moved, change))
        step -= weights[-1] * change
    step = state.scale * cho_solve(springs, step)
    for (moved, change), weight in zip(pairs, reversed(weights), strict=True):
        step += (weight - np.vdot(change, step) / np.vdot(moved, change)) * moved
    return np.asarray(step * min(1.0, MAX_STEP_ANG / _largest(step)))


def _springs(atoms: Atoms) -> tuple[NDArray[np.float64], bool]:
    """Cholesky factor of the network of springs of the start, 1 in the mean on its diagonal.

    Springs fade with the distance as exp(-3 d/d0), d0 the nearest-neighbour distance, up to 2.2 d0; each
    atom is held weakly in its place, too. (Packwood et al. use these numbers, but for the cutoff.)
    """
    distances = get_distances(atoms.get_positions(), cell=atoms.cell, pbc=atoms.pbc)[1]
    np.fill_diagonal(distances, np.inf)
    nearest = float(np.median(distances.min(axis=1)))
    if not np.isfinite(nearest):  # a single atom
        return cho_factor(np.eye(len(atoms)))  # type: ignore[no-any-return]
    strength = np.where(distances < 2.2 * nearest, np.exp(-3.0 * (distances / nearest - 1.0)), 0.0)
    network = np.diag(strength.sum(axis=1)) - strength
    return cho_factor(network / np.diag(network).mean() + 0.1 * np.eye(len(atoms)))  # type: ignore[no-any-return]


def _energy_and_forces(
    moving: Atoms, calculator: Calculator, positions: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    moving.set_positions(positions, apply_constraint=False)
    [found] = evaluate_many(calculator, [moving])
    if not np.isfinite(found.energy_ev) or not np.isfinite(found.forces_ev_per_ang).all():
        raise BadNumberError(
            "the energy or a force is not finite in a relaxation",
            hint="this model does not hold the structure together",
        )
    return found.energy_ev, found.forces_ev_per_ang


def _largest(vectors: NDArray[np.float64]) -> float:
    """Largest norm of vectors of shape (n, 3)."""
    return float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors).max()))
