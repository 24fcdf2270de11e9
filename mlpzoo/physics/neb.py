"""Minimum-energy paths and barriers by the climbing-image nudged elastic band.

The band and its forces: `mlpzoo.physics.neb_path`; how it is moved: `mlpzoo.physics.neb_band`. What does not
converge in one piece is cut at the minima that it leads through, see `mlpzoo.physics.neb_pieces`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import CalculationError
from mlpzoo.physics.evaluate import Progress, nothing
from mlpzoo.physics.neb_band import BandError, Limits, converge
from mlpzoo.physics.neb_path import dips, displacement, interpolated, largest_force, path_lengths
from mlpzoo.physics.neb_pieces import SAME_ANG, Pieces, in_pieces
from mlpzoo.physics.neb_work import check_work

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.physics.relax import Relaxed

SAME_EV = 0.001  # a band that did not converge is not worth more calls for less
DEEP_EV = 0.005  # an image lower than both ends by more than that: the path leads through another minimum


@dataclass(frozen=True, slots=True, kw_only=True)
class NebSettings(Limits):
    """How a path is found.

    Attributes:
        n_images: With both ends; odd, so that a symmetric saddle can be an image.
        rattle_ang: Standard deviation of the displacements that the intermediate images get at the start:
            a path that is symmetric by construction would stay so, over whatever ridge.
        bow_ang: How far the atom that moves most is led aside in the middle of the bowed starts.
        starts: Which starts are tried: ``straight``, ``bowed``, and ``bowed back``, to the other side.
        seed: Of the rattle and the bow.
    """

    n_images: int = 7
    rattle_ang: float = 0.01
    bow_ang: float = 0.6
    starts: tuple[str, ...] = ("straight", "bowed", "bowed back")
    seed: int = 0


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
        minima: Images that are relaxed minima between the ends: where the path was put together of pieces.
    """

    positions_ang: NDArray[np.float64]
    energies_ev: NDArray[np.float64]
    fmax_ev_per_ang: float
    n_iterations: int
    start: str = ""
    by_start_ev: dict[str, float | str] = field(default_factory=dict)
    minima: tuple[int, ...] = ()

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
    def minima_ev(self) -> list[float]:
        """Energies of the minima between the ends, above the lower end, in the order of the path."""
        images = sorted({*self.minima, *dips(self.energies_ev)})
        return [float(self.energies_ev[k] - min(self.energies_ev[0], self.energies_ev[-1])) for k in images]

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
    symmetric start can end on a path over a much higher saddle point. A start that does not converge is cut
    at the minima that it leads through, if its barrier may be the lowest.

    Args:
        initial: Relaxed end point.
        final: Relaxed end point, with the same order of atoms.
        calculator: Gives energies and forces; all images of an iteration are evaluated together.
        settings: See there.
        progress: Called before each iteration.
        checkpoint: Where an interrupted search is continued, exactly.

    Raises:
        CalculationError: No start converged, or the forces are not those of the energies.
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
    found: dict[str, Pieces] = {}
    unfinished: dict[str, BandError] = {}
    outcome: dict[str, float | str] = {}
    for name, start in starts.items():
        try:
            band = converge(
                start,
                (initial.energy_ev, final.energy_ev),
                initial.atoms,
                calculator,
                settings,
                progress=_named(progress, f"{name} start"),
                checkpoint=_child(checkpoint, name),
            )
            found[name] = Pieces(band=band)
            outcome[name] = band.barrier_ev
        except BandError as error:  # noqa: PERF203  (a few starts)
            unfinished[name] = error
            outcome[name] = error.message
        except CalculationError as error:
            outcome[name] = error.message
    for name in sorted(unfinished, key=lambda name: unfinished[name].band.barrier_ev):
        lowest = min((pieces.band.barrier_ev for pieces in found.values()), default=np.inf)
        if unfinished[name].band.barrier_ev >= lowest - SAME_EV:
            continue
        with contextlib.suppress(CalculationError):  # then what is told of it is how it failed as a whole
            found[name] = in_pieces(
                unfinished[name],
                initial.atoms,
                calculator,
                settings,
                progress=_named(progress, f"{name} start, in pieces"),
                checkpoint=_child(checkpoint, name),
            )
            outcome[name] = found[name].band.barrier_ev
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in outcome.items())
        raise CalculationError(
            f"no path converged: {reasons}",
            hint="the energy surface of this model is rough along the path",
        )
    best = min(found, key=lambda name: found[name].band.barrier_ev)
    band = found[best].band
    check_work(band, initial.atoms, calculator)
    return Path(
        positions_ang=band.positions_ang,
        energies_ev=band.energies_ev,
        fmax_ev_per_ang=band.fmax_ev_per_ang,
        n_iterations=band.n_iterations,
        start=best,
        by_start_ev=outcome,
        minima=found[best].minima,
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


def _child(checkpoint: Checkpoint, name: str) -> Checkpoint:
    return checkpoint.child(name.replace(" ", "-"))


def _named(progress: Progress, name: str) -> Progress:
    def named(done: int, total: int, what: str) -> None:
        progress(done, total, f"{what} ({name})")

    return named
