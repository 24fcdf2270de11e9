"""Minimum-energy paths and barriers by the climbing-image nudged elastic band.

The band and its forces: `mlpzoo.physics.neb_path`. It is moved by the adaptive integrator ODE12r of Makri,
Ortner and Kermode, J. Chem. Phys. 150, 094109 (2019), doi 10.1063/1.5064465.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import BadNumberError, CalculationError
from mlpzoo.physics.evaluate import Progress, evaluate_many, nothing
from mlpzoo.physics.neb_path import band_forces, displacement, interpolated, largest_force, path_lengths

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.physics.relax import Relaxed

_RTOL_ANG = 0.1  # ODE12r: error of a step
_C1, _C2 = 0.01, 2.0  # ODE12r: when a step counts, after Makri et al.
SAME_ANG = 0.3  # between the ends of a path at least one atom moves farther
_SHORTEST = 1e-6  # ODE12r: a shorter step will never arrive
SAVE_EVERY_S = 2.0
DEEP_EV = 0.005  # an image lower than both ends by more than that: the path leads through another minimum


@dataclass(frozen=True, slots=True, kw_only=True)
class NebSettings:
    """How a path is found.

    Attributes:
        n_images: With both ends; odd, so that a symmetric saddle can be an image.
        fmax_ev_per_ang: Largest force on any atom of any image, in the band's sense.
        loose_ev_per_ang: The climbing starts when the plain band is converged to this.
        spring_ev_per_ang2: Between images.
        rattle_ang: Standard deviation of the displacements that the intermediate images get at the start:
            a path that is symmetric by construction would stay so, over whatever ridge.
        bow_ang: How far the atom that moves most is led aside in the middle of the bowed starts.
        starts: Which starts are tried: ``straight``, ``bowed``, and ``bowed back``, to the other side.
        seed: Of the rattle and the bow.
        max_iterations: Of both phases together.
    """

    n_images: int = 7
    fmax_ev_per_ang: float = 0.02
    loose_ev_per_ang: float = 0.1
    spring_ev_per_ang2: float = 3.0
    rattle_ang: float = 0.01
    bow_ang: float = 0.6
    starts: tuple[str, ...] = ("straight", "bowed", "bowed back")
    seed: int = 0
    max_iterations: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A converged path.

    Attributes:
        positions_ang: Of all images, continuous, shape (n_images, n_atoms, 3).
        energies_ev: Of all images, shape (n_images,).
        fmax_ev_per_ang: Largest force that is left on the band.
        n_iterations: Moves of the band.
        start: The start that it came from.
        by_start_ev: Start to the barrier from it, or to why there is none.
    """

    positions_ang: NDArray[np.float64]
    energies_ev: NDArray[np.float64]
    fmax_ev_per_ang: float
    n_iterations: int
    start: str = ""
    by_start_ev: dict[str, float | str] = field(default_factory=dict)

    @property
    def barrier_ev(self) -> float:
        """Highest image, above the first."""
        return float(self.energies_ev.max() - self.energies_ev[0])

    @property
    def reverse_barrier_ev(self) -> float:
        """Highest image, above the last."""
        return float(self.energies_ev.max() - self.energies_ev[-1])

    @property
    def coordinate_ang(self) -> NDArray[np.float64]:
        """Length of the path up to each image, in 3N dimensions."""
        return path_lengths(self.positions_ang)

    @property
    def intermediate_minimum_ev(self) -> float | None:
        """Energy of the lowest image between the ends, above the lower end; None if it is not below both."""
        depth = float(self.energies_ev[1:-1].min() - min(self.energies_ev[0], self.energies_ev[-1]))
        return depth if depth < -DEEP_EV else None


def find_path(
    initial: Relaxed,
    final: Relaxed,
    calculator: Calculator,
    settings: NebSettings,
    *,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> Path:
    """The path with the lowest barrier of those that the starts lead to.

    One start goes along straight lines, rattled by a little; the others lead the migrating atom aside. A
    symmetric start can end on a path over a much higher saddle point (for Tersoff silicon, 6.5 eV instead of
    2.9 eV).

    Args:
        initial: Relaxed end point.
        final: Relaxed end point, with the same order of atoms.
        calculator: Gives energies and forces; all images of an iteration are evaluated together.
        settings: See there.
        progress: Called before each iteration.
        checkpoint: Where an interrupted search is continued, exactly.

    Raises:
        CalculationError: No start converged.
        DataError: The end points do not belong together.
    """
    checkpoint = checkpoint or Checkpoint()
    way = largest_force(displacement(initial.atoms, final.atoms))
    if way < SAME_ANG:
        raise CalculationError(
            f"both ends of the path relaxed into one structure: no atom is farther away than {way:.2f} Å",
            hint="there is no barrier between them in this model",
        )
    starts = _starts(initial.atoms, final.atoms, settings)
    found: dict[str, Path] = {}
    outcome: dict[str, float | str] = {}
    for name, band in starts.items():
        try:
            found[name] = _converge(
                initial,
                final,
                band,
                calculator,
                settings,
                progress=_named(progress, name),
                checkpoint=checkpoint.child(name.replace(" ", "-")),
            )
            outcome[name] = found[name].barrier_ev
        except CalculationError as error:  # noqa: PERF203  (a few starts)
            outcome[name] = error.message
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in outcome.items())
        raise CalculationError(
            f"no path converged: {reasons}",
            hint="the energy surface of this model is rough along the path",
        )
    best = min(found, key=lambda name: found[name].barrier_ev)
    path = found[best]
    return Path(
        positions_ang=path.positions_ang,
        energies_ev=path.energies_ev,
        fmax_ev_per_ang=path.fmax_ev_per_ang,
        n_iterations=path.n_iterations,
        start=best,
        by_start_ev=outcome,
    )


def _starts(initial: Atoms, final: Atoms, settings: NebSettings) -> dict[str, NDArray[np.float64]]:
    generator = np.random.default_rng(settings.seed)
    straight = interpolated(initial, final, settings.n_images)
    straight[1:-1] += settings.rattle_ang * generator.standard_normal(straight[1:-1].shape)
    way = straight[-1] - straight[0]
    atom = int(np.argmax(np.linalg.norm(way, axis=1)))
    along = way[atom] / np.linalg.norm(way[atom])
    aside = generator.standard_normal(3)
    aside -= along * (aside @ along)
    bend = np.sin(np.pi * np.linspace(0.0, 1.0, settings.n_images))[1:-1, None]
    bow = np.zeros_like(straight)
    bow[1:-1, atom] = settings.bow_ang * bend * aside / np.linalg.norm(aside)
    every = {"straight": straight, "bowed": straight + bow, "bowed back": straight - bow}
    return {name: every[name] for name in settings.starts}


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


def _converge(
    initial: Relaxed,
    final: Relaxed,
    start: NDArray[np.float64],
    calculator: Calculator,
    settings: NebSettings,
    *,
    progress: Progress,
    checkpoint: Checkpoint,
) -> Path:
    state = _State.load(checkpoint, start) or _State(images=start[1:-1].copy(), trial=start[1:-1].copy())
    frames = [initial.atoms.copy() for _ in range(settings.n_images - 2)]
    nudged = partial(band_forces, spring_ev_per_ang2=settings.spring_ev_per_ang2)
    saved = time.monotonic()
    residual = np.inf
    while True:
        limit = settings.max_iterations
        progress(state.n_iterations, limit, f"NEB iterations, {min(residual, 99.0):.3f} eV/Å")
        for atoms, positions in zip(frames, state.trial, strict=True):
            atoms.set_positions(positions)
        found = evaluate_many(calculator, frames)
        energies = np.array([initial.energy_ev, *(one.energy_ev for one in found), final.energy_ev])
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
        if not state.climbing and residual < max(settings.loose_ev_per_ang, settings.fmax_ev_per_ang):
            state.climbing, state.forces = True, None  # the old forces are of another kind
            forces = nudged(band, energies, true_forces, climbing=highest)
            residual = largest_force(forces)
        if state.climbing and residual < settings.fmax_ev_per_ang:
            return Path(
                positions_ang=band,
                energies_ev=energies,
                fmax_ev_per_ang=residual,
                n_iterations=state.n_iterations,
            )
        state.propose(forces)
        if state.n_iterations >= limit or state.length < _SHORTEST:
            raise CalculationError(
                f"the path did not converge: {residual:.3g} eV/Å after {state.n_iterations} iterations",
                hint="the energy surface of this model is rough along the path",
            )
        if time.monotonic() - saved > SAVE_EVERY_S:
            state.save(checkpoint, start)
            saved = time.monotonic()


def _named(progress: Progress, name: str) -> Progress:
    def named(done: int, total: int, what: str) -> None:
        progress(done, total, f"{what} ({name} start)")

    return named
