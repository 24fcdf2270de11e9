"""Moves a band of images until it lies on a minimum-energy path: ODE12r, with one climbing image.

The adaptive integrator is that of Makri, Ortner and Kermode, J. Chem. Phys. 150, 094109 (2019),
doi 10.1063/1.5064465; the forces are those of `mlpzoo.physics.neb_path`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import BadNumberError, CalculationError
from mlpzoo.physics.evaluate import Progress, evaluate_many
from mlpzoo.physics.neb_path import band_forces, dips, largest_force

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

_RTOL_ANG = 0.1  # ODE12r: error of a step
_C1, _C2 = 0.01, 2.0  # ODE12r: when a step counts, after Makri et al.
_SHORTEST = 1e-6  # ODE12r: a shorter step will never arrive
SAVE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a band has arrived, and when it is given up.

    Attributes:
        fmax_ev_per_ang: Largest force on any atom of any image, in the band's sense.
        loose_ev_per_ang: The climbing starts when the plain band is converged to this.
        spring_ev_per_ang2: Between images.
        max_iterations: Of both phases together.
        patience: Iterations after which a band that dips between its ends is given up: the images of one band
            are too few for two saddles, and slide from one to the other.
    """

    fmax_ev_per_ang: float = 0.02
    loose_ev_per_ang: float = 0.1
    spring_ev_per_ang2: float = 3.0
    max_iterations: int = 300
    patience: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Images and their energies.

    Attributes:
        positions_ang: With both ends, continuous, shape (n_images, n_atoms, 3).
        energies_ev: Shape (n_images,).
        fmax_ev_per_ang: Largest force on the band.
        n_iterations: Moves that it took.
        forces_ev_per_ang: True forces on the images between the ends, shape (n_images - 2, n_atoms, 3).
    """

    positions_ang: NDArray[np.float64]
    energies_ev: NDArray[np.float64]
    fmax_ev_per_ang: float
    n_iterations: int
    forces_ev_per_ang: NDArray[np.float64]

    @property
    def barrier_ev(self) -> float:
        """Highest image, above the first."""
        return float(self.energies_ev.max() - self.energies_ev[0])


class BandError(CalculationError):
    """A band that did not converge.

    Args:
        band: Where it was when it was given up.
    """

    def __init__(self, band: Band) -> None:
        super().__init__(
            f"the path did not converge: {band.fmax_ev_per_ang:.3g} eV/Å, highest image "
            f"{band.barrier_ev:.3f} eV, after {band.n_iterations} iterations",
            hint="the energy surface of this model is rough along the path",
        )
        self.band = band


@dataclass(slots=True)
class _State:
    """Everything that the next iteration depends on: images that count, forces there, step length."""

    images: NDArray[np.float64]
    trial: NDArray[np.float64]
    forces: NDArray[np.float64] | None = None
    residual: float = np.inf
    length: float = 0.0
    climbing: bool = False
    n_iterations: int = 0

    def save(self, checkpoint: Checkpoint, start: NDArray[np.float64]) -> None:
        checkpoint.save(
            start=start,
            images=self.images,
            trial=self.trial,
            forces=np.zeros(0) if self.forces is None else self.forces,
            residual=self.residual,
            length=self.length,
            climbing=self.climbing,
            n_iterations=self.n_iterations,
        )

    @classmethod
    def load(cls, checkpoint: Checkpoint, start: NDArray[np.float64]) -> _State | None:
        found = checkpoint.load()
        if found is None or not np.array_equal(found.get("start", np.nan), start):
            return None
        return cls(
            images=found["images"],
            trial=found["trial"],
            forces=found["forces"] if found["forces"].size else None,
            residual=float(found["residual"]),
            length=float(found["length"]),
            climbing=bool(found["climbing"]),
            n_iterations=int(found["n_iterations"]),
        )

    def propose(self, forces: NDArray[np.float64]) -> None:
        """Take or refuse the last trial, by the forces there, and set the next one: one step of ODE12r."""
        residual = largest_force(forces)
        if self.forces is None:
            self.images, self.forces, self.residual = self.trial, forces, residual
            self.length = 0.5 * np.sqrt(_RTOL_ANG) / float(np.abs(forces).max())
        else:
            error = float(np.abs(0.5 * self.length * (forces - self.forces)).max())
            change = self.forces - forces
            secant = self.length * np.vdot(self.forces, change) / (np.vdot(change, change) + 1e-10)
            secant = float(secant) if secant > 1e-10 else np.inf  # noqa: PLR2004
            best = 0.5 * self.length * np.sqrt(_RTOL_ANG / max(error, 1e-12))
            if residual <= self.residual * (1 - _C1 * self.length) or (
                residual <= self.residual * _C2 and error <= _RTOL_ANG
            ):
                self.images, self.forces, self.residual = self.trial, forces, residual
                self.length = max(0.25 * self.length, min(4 * self.length, best, secant))
            else:
                self.length = max(0.1 * self.length, min(0.25 * self.length, best, secant))
        self.trial = self.images + self.length * self.forces


def converge(
    start: NDArray[np.float64],
    ends_ev: tuple[float, float],
    atoms: Atoms,
    calculator: Calculator,
    limits: Limits,
    *,
    progress: Progress,
    checkpoint: Checkpoint,
) -> Band:
    """Move the images between the ends until no force on the band is larger than ``fmax_ev_per_ang``.

    Args:
        start: Positions with both ends, which are not moved, shape (n_images, n_atoms, 3).
        ends_ev: Energies of the ends.
        atoms: Species and cell of all images.
        calculator: Gives energies and forces; all images of an iteration are evaluated together.
        limits: See there.
        progress: Called before each iteration.
        checkpoint: Where an interrupted search is continued, exactly.

    Raises:
        BandError: It did not converge.
        BadNumberError: An energy or a force is not finite.
    """
    state = _State.load(checkpoint, start) or _State(images=start[1:-1].copy(), trial=start[1:-1].copy())
    frames = [atoms.copy() for _ in range(len(start) - 2)]
    nudged = partial(band_forces, spring_ev_per_ang2=limits.spring_ev_per_ang2)
    saved = time.monotonic()
    residual = np.inf
    while True:
        progress(state.n_iterations, limits.max_iterations, f"NEB iterations, {min(residual, 99.0):.3f} eV/Å")
        for frame, positions in zip(frames, state.trial, strict=True):
            frame.set_positions(positions, apply_constraint=False)
        found = evaluate_many(calculator, frames)
        energies = np.array([ends_ev[0], *(one.energy_ev for one in found), ends_ev[1]])
        true_forces = np.array([one.forces_ev_per_ang for one in found])
        if not np.isfinite(energies).all() or not np.isfinite(true_forces).all():
            raise BadNumberError(
                "an energy or a force on the path is not finite",
                hint="this model does not hold the structure together on the way",
            )
        band = np.concatenate([start[:1], state.trial, start[-1:]])
        state.n_iterations += 1

        highest = int(np.argmax(energies[1:-1])) + 1
        forces = nudged(band, energies, true_forces, climbing=highest if state.climbing else None)
        residual = largest_force(forces)
        if not state.climbing and residual < max(limits.loose_ev_per_ang, limits.fmax_ev_per_ang):
            state.climbing, state.forces = True, None  # the old forces are of another kind
            forces = nudged(band, energies, true_forces, climbing=highest)
            residual = largest_force(forces)
        here = Band(
            positions_ang=band,
            energies_ev=energies,
            fmax_ev_per_ang=residual,
            n_iterations=state.n_iterations,
            forces_ev_per_ang=true_forces,
        )
        if state.climbing and residual < limits.fmax_ev_per_ang:
            return here
        state.propose(forces)
        split = state.n_iterations >= limits.patience and dips(energies)
        if split or state.n_iterations >= limits.max_iterations or state.length < _SHORTEST:
            raise BandError(here)
        if time.monotonic() - saved > SAVE_EVERY_S:
            state.save(checkpoint, start)
            saved = time.monotonic()
