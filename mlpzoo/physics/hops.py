"""The two ends of one hop of a vacancy or an interstitial, with the atoms of both in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.geometry import find_mic, get_distances
from scipy.optimize import linear_sum_assignment

from mlpzoo.errors import CalculationError
from mlpzoo.physics.defect_sites import INTERSTITIALS, interstitial_starts, vacancy_starts

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.physics.crystals import Crystal

_ROTATIONS: Final[dict[str, tuple[tuple[float, float, float], NDArray[np.float64]]]] = {
    "diamond split_110": ((0.25, 0.25, 0.25), -np.eye(3)),
    "fcc dumbbell_100": ((0.5, 0.5, 0.0), np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])),
    "bcc split_110": ((0.5, 0.5, 0.5), np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])),
    "bcc dumbbell_111": ((0.5, 0.5, 0.5), np.eye(3)),
}
"""Of a dumbbell: the neighbouring site that it moves to, in lattice constants, and how it turns on the way.

fcc and bcc <110>: translation with rotation, the easiest of Johnson's mechanisms (Phys. Rev. 134, A1329
(1964), doi 10.1103/PhysRev.134.A1329); bcc <111>: along its axis; diamond: across the middle of a bond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Unrelaxed ends of a hop: equivalent by symmetry, atoms in the same order.

    Attributes:
        initial: One end.
        final: The other.
        configuration: What both are, for people.
    """

    initial: Atoms
    final: Atoms
    configuration: str


def vacancy_hops(crystal: Crystal, repeat: int, *, neighbour: int = 0) -> dict[str, Hop]:
    """An atom jumps into the vacancy at the origin, by the start that both ends are relaxed from.

    Args:
        crystal: At its lattice constant.
        repeat: Cubic cells in each direction.
        neighbour: Which nearest neighbour jumps; all are equivalent, some lie across the border of the cell.
    """
    perfect = crystal.supercell(repeat)
    lengths = get_distances(perfect.positions[[0]], perfect.positions, cell=perfect.cell, pbc=True)[1][0]
    near = np.flatnonzero((lengths > 0) & (lengths < 1.1 * crystal.neighbour_distance_ang))
    atom = int(near[neighbour])
    before = vacancy_starts(crystal, repeat, site=0)
    after = vacancy_starts(crystal, repeat, site=atom)
    # Atoms before: 1, 2, ... After: 0, 1, ... without `atom`; the one at site 0 is the one that jumped.
    names = [k for k in range(len(perfect)) if k != atom]
    order = [names.index(0 if k == atom else k) for k in range(1, len(perfect))]
    return {
        name: Hop(initial=before[name], final=after[name][order], configuration=f"vacancy, {name}")
        for name in before
    }


def interstitial_hop(crystal: Crystal, repeat: int, configuration: str) -> Hop:
    """An interstitial moves to the nearest equivalent place.

    An atom at an interstitial site jumps to the nearest site of its kind; a dumbbell moves to a neighbouring
    lattice site, see `_ROTATIONS`, with the atoms assigned so that they move as little as possible.

    Raises:
        CalculationError: No hop is known for this configuration.
    """
    starts = interstitial_starts(crystal, repeat)
    sites = crystal.interstitial_sites(repeat)
    initial = starts.get(configuration)
    if initial is None:
        raise CalculationError(
            f"no hop is known for an interstitial that is {INTERSTITIALS.get(configuration, configuration)}",
            hint="its formation energies say what the model's interstitials are",
        )
    title = INTERSTITIALS[configuration]
    if configuration in sites:
        final = initial.copy()
        places = sites[configuration]
        lengths = get_distances(places[[0]], places, cell=initial.cell, pbc=True)[1][0]
        final.positions[-1] = places[int(np.argsort(lengths, kind="stable")[1])]
        return Hop(initial=initial, final=final, configuration=title)
    shift, rotation = _ROTATIONS[f"{crystal.structure} {configuration}"]
    target = np.array(shift) * crystal.lattice_constant_ang
    final = initial.copy()
    final.set_positions(initial.positions @ rotation.T + target)
    return Hop(initial=initial, final=final[_assignment(initial, final)], configuration=title)


def _assignment(initial: Atoms, final: Atoms) -> NDArray[np.int64]:
    """Which atom of ``final`` each atom of ``initial`` becomes, by the least sum of squared displacements."""
    vectors = final.positions[None, :, :] - initial.positions[:, None, :]
    lengths = find_mic(vectors.reshape(-1, 3), initial.cell, initial.pbc)[1]
    return np.asarray(linear_sum_assignment(lengths.reshape(len(initial), -1) ** 2)[1])
