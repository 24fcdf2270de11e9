"""Supercells with one vacancy or one interstitial atom, and which interstitial a relaxed structure holds.

All structures are exactly symmetric and hold no random number, so that a calculator may use the symmetry.
The order of the atoms is that of the perfect supercell: a vacancy leaves one out, an interstitial atom is
the last; in a dumbbell the lattice atom keeps its place in the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase.geometry import get_distances

from mlpzoo.physics.events import BASIN_FRACTION
from mlpzoo.physics.sites import SiteFinder

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.physics.crystals import Crystal, Structure

PAIRING_ANG = 0.3  # how far each neighbour of a vacancy in diamond is moved towards its partner
DISTORTED: Final = "distorted"
_AXES: Final = {
    "dumbbell_100": (1.0, 0.0, 0.0),
    "split_110": (1.0, 1.0, 0.0),
    "dumbbell_111": (1.0, 1.0, 1.0),
}
_DUMBBELLS: Final[dict[Structure, dict[str, float]]] = {
    "diamond": {"split_110": 3**0.5 / 4},
    "fcc": {"dumbbell_100": 0.6},
    "bcc": {"split_110": 0.7, "dumbbell_111": 0.7},
}
"""Distance of the two atoms at the start, in lattice constants: a bond in diamond, what metals relax to."""

_SHIFTS: Final[dict[Structure, tuple[float, float, float]]] = {"diamond": (0.0, 0.0, -0.125)}
"""Of the dumbbell's middle from its site, in lattice constants: away from the two neighbours above, which
would else be at two thirds of a bond length."""

INTERSTITIALS: Final[dict[str, str]] = {
    "split_110": "split ⟨110⟩",
    "dumbbell_100": "⟨100⟩ dumbbell",
    "dumbbell_111": "⟨111⟩ dumbbell",
    "tetrahedral": "tetrahedral",
    "hexagonal": "hexagonal",
    "octahedral": "octahedral",
}
"""All configurations and how they are called in print."""

_WIDEST_ANGLE = 20.0  # degrees between a dumbbell and its axis; the axes are at least 35° apart


def vacancy(crystal: Crystal, repeat: int, *, site: int = 0) -> Atoms:
    """A supercell of ``repeat`` cubic cells in each direction without one atom."""
    atoms = crystal.supercell(repeat)
    del atoms[site]
    return atoms


def vacancy_starts(crystal: Crystal, repeat: int, *, site: int = 0) -> dict[str, Atoms]:
    """Structures from which the vacancy is relaxed, by name.

    ``ideal`` has the atom removed and no more. In diamond a relaxation from there keeps the full symmetry of
    the site (Td), which is not that of the ground state, where electrons pair (Jahn-Teller; Puska et al.,
    Phys. Rev. B 58, 1318 (1998), doi 10.1103/PhysRevB.58.1318). So there is ``paired`` as well: the four
    neighbours moved by `PAIRING_ANG` towards each other in two pairs (D2d).
    """
    starts = {"ideal": vacancy(crystal, repeat, site=site)}
    if crystal.structure == "diamond":
        paired = crystal.supercell(repeat)
        vectors, lengths = get_distances(
            paired.positions[[site]], paired.positions, cell=paired.cell, pbc=paired.pbc
        )
        near = np.flatnonzero((lengths[0] > 0) & (lengths[0] < 1.1 * crystal.neighbour_distance_ang))
        corner = np.sign(np.rint(vectors[0, near] / crystal.lattice_constant_ang * 4))  # (±1, ±1, ±1)
        inward = -corner * np.array([0.0, 1.0, 1.0])  # the two with the same sign along x are partners
        paired.positions[near] += PAIRING_ANG * inward / np.sqrt(2)
        del paired[site]
        starts["paired"] = paired
    return starts


def interstitial_starts(crystal: Crystal, repeat: int) -> dict[str, Atoms]:
    """Structures from which the interstitials are relaxed, by the names in `INTERSTITIALS`.

    Diamond: split <110>, tetrahedral, hexagonal; fcc: <100> dumbbell, octahedral, tetrahedral; bcc: <110> and
    <111> dumbbells, octahedral, tetrahedral.
    """
    starts = {}
    for name, separation in _DUMBBELLS[crystal.structure].items():
        half = 0.5 * separation * crystal.lattice_constant_ang * _unit(_AXES[name])
        atoms = crystal.supercell(repeat)
        atoms.append(crystal.symbol)
        atoms.positions[0] += np.array(_SHIFTS.get(crystal.structure, 0.0)) * crystal.lattice_constant_ang
        atoms.positions[-1] = atoms.positions[0] + half
        atoms.positions[0] -= half
        starts[name] = atoms
    for name, positions in crystal.interstitial_sites(repeat).items():
        atoms = crystal.supercell(repeat)
        atoms.append(crystal.symbol)
        atoms.positions[-1] = positions[0]
        starts[name] = atoms
    return starts


def identify_interstitial(atoms: Atoms, crystal: Crystal, repeat: int) -> str:
    """Which configuration of `INTERSTITIALS` a supercell with one atom too many holds.

    Every atom belongs to its nearest lattice site; one site has two. With the definitions of
    `mlpzoo.physics.events`, these are a *dumbbell* if their distances from the site differ by less than a
    quarter of the neighbour distance, and the farther one is at an *interstitial site* if it is in its
    basin.

    Returns:
        A name; or `DISTORTED`, if it is none of them.
    """
    sites = crystal.sites(repeat, interstitials=True)
    lattice = SiteFinder(sites.positions_ang[: sites.n_lattice], sites.cell_ang)
    nearest, vectors = lattice.nearest(atoms.get_positions())
    drift = np.median(vectors, axis=0)
    nearest, vectors = lattice.nearest(atoms.get_positions() - drift)
    counts = np.bincount(nearest, minlength=sites.n_lattice)
    if sorted(set(counts.tolist())) != [1, 2] or (counts == 2).sum() != 1:  # noqa: PLR2004
        return DISTORTED
    members = np.flatnonzero(counts[nearest] == 2)  # noqa: PLR2004
    distances = np.linalg.norm(vectors[members], axis=1)
    if abs(distances[0] - distances[1]) < BASIN_FRACTION * sites.neighbour_distance_ang:
        return _axis(vectors[members[1]] - vectors[members[0]])
    finder = SiteFinder(sites.positions_ang, sites.cell_ang)
    extra = atoms.get_positions()[members[[int(np.argmax(distances))]]] - drift
    [site], [offset] = finder.nearest(extra)
    in_basin = np.linalg.norm(offset) < 2 * BASIN_FRACTION * finder.safe_radius_ang[site]
    return sites.kinds[site] if in_basin and site >= sites.n_lattice else DISTORTED


def _axis(vector: NDArray[np.float64]) -> str:
    """The dumbbell whose axis is nearest to a vector, in any of its equivalent directions."""
    direction = np.sort(np.abs(vector))[::-1] / np.linalg.norm(vector)
    cosines = {name: float(direction @ _unit(axis)) for name, axis in _AXES.items()}
    name = max(cosines, key=lambda k: cosines[k])
    return name if cosines[name] > np.cos(np.deg2rad(_WIDEST_ANGLE)) else DISTORTED


def _unit(vector: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.asarray(np.array(vector) / np.linalg.norm(vector))
