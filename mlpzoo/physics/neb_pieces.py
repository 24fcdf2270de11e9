"""Paths through other minima, put together of pieces.

A band of a few images that leads over two saddle points or more has not enough of them for each: its images
slide from one side of a saddle to the other, and which image is the highest changes all the time. So a band
that did not converge is cut where it dips; the image there is relaxed into its minimum, and a band of as many
images is converged on either side, as often as it takes (as in Wales' doubly nudged searches, Trygubenko and
Wales, J. Chem. Phys. 120, 2082 (2004), doi 10.1063/1.1636455, which connect minima one after the other).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import CalculationError
from mlpzoo.physics.neb_band import Band, BandError, Limits, converge
from mlpzoo.physics.neb_path import (
    SHORTEST_CONTACT,
    dips,
    displacement,
    interpolated,
    largest_force,
    resampled,
    shortest_contact,
)
from mlpzoo.physics.relax import relax

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.checkpoint import Checkpoint
    from mlpzoo.physics.evaluate import Progress

SAME_ANG = 0.3  # between two minima at least one atom moves farther
MOST_CUTS = 3  # one inside the other: eight pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """A band, and its images that are relaxed minima."""

    band: Band
    minima: tuple[int, ...] = ()


def in_pieces(
    failed: BandError,
    atoms: Atoms,
    calculator: Calculator,
    limits: Limits,
    *,
    progress: Progress,
    checkpoint: Checkpoint,
    cuts: int = MOST_CUTS,
) -> Pieces:
    """Cut a band that did not converge at a minimum, and converge the pieces.

    Args:
        failed: The band as it was left.
        atoms: Species and cell of all images.
        calculator: Gives energies and forces.
        limits: Of each piece; minima are relaxed to the same force.
        progress: Called before each force call.
        checkpoint: Where an interrupted search is continued.
        cuts: Cuts that are left, one inside the other.

    Raises:
        CalculationError: There is no minimum on the way but the ends, or a piece did not converge.
    """
    where = _minimum(failed.band, atoms, calculator, limits, progress, checkpoint) if cuts else None
    if where is None:
        raise failed
    image, positions, energy = where
    band = failed.band
    shift = positions - band.positions_ang[image]
    sides = []
    for number, (part, ends_ev) in enumerate(
        (
            (band.positions_ang[: image + 1], (float(band.energies_ev[0]), energy)),
            (band.positions_ang[image:], (energy, float(band.energies_ev[-1]))),
        )
    ):
        ramp = np.linspace(0.0, 1.0, len(part))[:, None, None]
        moved = part + (ramp if number == 0 else 1 - ramp) * shift
        start = _without_clash(resampled(moved, len(band.energies_ev)), atoms)
        place = checkpoint.child(str(number))
        try:
            piece = Pieces(
                band=converge(start, ends_ev, atoms, calculator, limits, progress=progress, checkpoint=place)
            )
        except BandError as error:
            piece = in_pieces(
                error, atoms, calculator, limits, progress=progress, checkpoint=place, cuts=cuts - 1
            )
        sides.append(piece)
    return _joined(*sides)


def _without_clash(start: NDArray[np.float64], atoms: Atoms) -> NDArray[np.float64]:
    """The start of a piece; that between its ends, if the relaxation has led atoms of it into each other."""
    contacts = [shortest_contact(atoms, positions) for positions in start]
    if min(contacts) >= SHORTEST_CONTACT * min(contacts[0], contacts[-1]):
        return start
    ends = atoms.copy(), atoms.copy()
    for end, positions in zip(ends, start[[0, -1]], strict=True):
        end.set_positions(positions, apply_constraint=False)
    between = interpolated(*ends, len(start))
    return between if np.allclose(between[-1], start[-1]) else start


def _minimum(
    band: Band,
    atoms: Atoms,
    calculator: Calculator,
    limits: Limits,
    progress: Progress,
    checkpoint: Checkpoint,
) -> tuple[int, NDArray[np.float64], float] | None:
    """Image, positions and energy of a minimum on the way that is neither end; None if there is none."""
    energies = band.energies_ev
    top = int(np.argmax(energies[1:-1])) + 1
    beside = [k for k in (top - 1, top + 1) if 0 < k < len(energies) - 1]
    for image in dict.fromkeys([*dips(energies), *beside]):
        start = atoms.copy()
        start.set_positions(band.positions_ang[image], apply_constraint=False)
        try:
            relaxed = relax(
                start,
                calculator,
                fmax_ev_per_ang=limits.fmax_ev_per_ang,
                progress=progress,
                checkpoint=checkpoint.child(f"minimum-{image}"),
            )
        except CalculationError:
            continue
        ends = atoms.copy(), atoms.copy()
        for end, positions in zip(ends, band.positions_ang[[0, -1]], strict=True):
            end.set_positions(positions, apply_constraint=False)
        if all(largest_force(displacement(relaxed.atoms, end)) > SAME_ANG for end in ends):
            return image, relaxed.atoms.get_positions(), relaxed.energy_ev
    return None


def _joined(left: Pieces, right: Pieces) -> Pieces:
    last = len(left.band.energies_ev) - 1
    return Pieces(
        band=Band(
            positions_ang=np.concatenate([left.band.positions_ang, right.band.positions_ang[1:]]),
            energies_ev=np.concatenate([left.band.energies_ev, right.band.energies_ev[1:]]),
            fmax_ev_per_ang=max(left.band.fmax_ev_per_ang, right.band.fmax_ev_per_ang),
            n_iterations=left.band.n_iterations + right.band.n_iterations,
            forces_ev_per_ang=np.concatenate(
                [
                    left.band.forces_ev_per_ang,
                    np.zeros_like(left.band.positions_ang[:1]),  # relaxed
                    right.band.forces_ev_per_ang,
                ]
            ),
        ),
        minima=(*left.minima, last, *(last + image for image in right.minima)),
    )
