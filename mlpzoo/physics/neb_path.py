"""Bands of images between two structures: interpolation, and the forces of the nudged elastic band.

A band is an array of positions of shape (n_images, n_atoms, 3) in Å that is *continuous*: an atom that
crosses the border of the cell goes on beyond it, so that differences of images need no minimum image.

Improved tangent: Henkelman, Jónsson, J. Chem. Phys. 113, 9978 (2000), doi 10.1063/1.1323224 (here HJ).
Climbing image: Henkelman, Uberuaga, Jónsson, J. Chem. Phys. 113, 9901 (2000), doi 10.1063/1.1329672 (HUJ).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic

from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

SHORTEST_CONTACT = 0.75
"""Linear interpolation is kept while no contact gets shorter than this share of the end points' shortest."""
DIP_EV = 0.005  # what converged images may be too low by, with forces of 0.02 eV/Å
_IDPP_FORCE = 0.01  # Å⁻³: the image-dependent pair potential has no unit of energy
_IDPP_STEPS = 200


def displacement(initial: Atoms, final: Atoms) -> FloatArray:
    """Minimum-image displacement of each atom, shape (n_atoms, 3) in Å.

    Raises:
        DataError: Other species, another order of species, or another cell.
    """
    if not np.array_equal(initial.numbers, final.numbers):
        message = "the two end points differ in their atoms or in the order of these"
        raise DataError(message, hint="give the atoms of the final end point in the order of the initial one")
    if not np.array_equal(initial.pbc, final.pbc) or not np.allclose(
        initial.cell.array, final.cell.array, rtol=0, atol=1e-8
    ):
        message = "the two end points have different cells"
        raise DataError(message, hint="relax both in the same cell")
    vectors, _ = find_mic(final.positions - initial.positions, initial.cell, initial.pbc)
    return np.asarray(vectors, dtype=float)


def interpolated(initial: Atoms, final: Atoms, n_images: int) -> FloatArray:
    """A band on straight lines along the minimum-image displacements; shape (n_images, n_atoms, 3).

    Where the straight lines bring two atoms closer than `SHORTEST_CONTACT`, the images are relaxed in the
    image-dependent pair potential of Smidstrup et al., J. Chem. Phys. 140, 214106 (2014),
    doi 10.1063/1.4878664 (ASE's).

    Raises:
        DataError: The end points do not belong together.
    """
    steps = np.linspace(0.0, 1.0, n_images)[:, None, None]
    band = initial.positions + steps * displacement(initial, final)
    contacts = [shortest_contact(initial, positions) for positions in band]
    if min(contacts) >= SHORTEST_CONTACT * min(contacts[0], contacts[-1]):
        return np.asarray(band)
    return _spread(initial, band)


def unwrapped(images: Sequence[Atoms]) -> FloatArray:
    """A band from structures that may be wrapped: each follows the one before by minimum images.

    Raises:
        DataError: They differ in their atoms or cells.
    """
    band = [images[0].get_positions()]
    for last, image in pairwise(images):
        band.append(band[-1] + displacement(last, image))
    return np.array(band)


def shortest_contact(atoms: Atoms, positions: FloatArray) -> float:
    """Shortest minimum-image distance between two atoms in Å; infinite for a single atom."""
    n = len(positions)
    if n == 1:
        return float("inf")
    i, j = np.triu_indices(n, k=1)
    vectors = positions[j] - positions[i]
    if atoms.cell.rank == 3 and atoms.pbc.all():  # noqa: PLR2004
        # Rounding is exact for vectors shorter than half the cell's width: all that can be the shortest.
        cell = atoms.cell.array
        vectors = vectors - np.rint(vectors @ np.linalg.inv(cell)) @ cell
    else:
        vectors = find_mic(vectors, atoms.cell, atoms.pbc)[0]
    return float(np.sqrt(np.einsum("ik,ik->i", vectors, vectors).min()))


def _spread(initial: Atoms, band: FloatArray) -> FloatArray:
    from ase.mep.neb import NEB, idpp_interpolate

    images = []
    for positions in band:
        image = initial.copy()
        image.set_positions(positions)
        images.append(image)
    idpp_interpolate(
        NEB(images, method="improvedtangent"),
        traj=None,
        log=None,
        mic=True,
        fmax=_IDPP_FORCE,
        steps=_IDPP_STEPS,
    )
    return np.array([image.get_positions() for image in images])


def path_lengths(band: FloatArray) -> FloatArray:
    """Reaction coordinate: length of the path up to each image in Å, shape (n_images,), in 3N dimensions."""
    steps = np.linalg.norm(np.diff(band, axis=0).reshape(len(band) - 1, -1), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def dips(energies: FloatArray) -> list[int]:
    """Images between the ends that are lower than both neighbours by `DIP_EV` or more, the lowest first."""
    below = np.minimum(energies[:-2], energies[2:]) - energies[1:-1]
    return [int(k) + 1 for k in np.argsort(energies[1:-1], kind="stable") if below[k] > DIP_EV]


def resampled(band: FloatArray, n_images: int) -> FloatArray:
    """As many images at equal distances along a band, by straight lines; both ends are kept."""
    lengths = path_lengths(band)
    places = np.linspace(0.0, lengths[-1], n_images)
    after = np.clip(np.searchsorted(lengths, places), 1, len(band) - 1)
    share = ((places - lengths[after - 1]) / (lengths[after] - lengths[after - 1]))[:, None, None]
    found = (1 - share) * band[after - 1] + share * band[after]
    found[0], found[-1] = band[0], band[-1]
    return np.asarray(found)


def tangents(band: FloatArray, energies: FloatArray) -> FloatArray:
    """Unit tangents of the intermediate images after HJ, equations 8 to 11.

    Args:
        band: Shape (n_images, n_atoms, 3).
        energies: Shape (n_images,).

    Returns:
        Shape (n_images - 2, n_atoms, 3).
    """
    step = np.diff(band, axis=0)
    forward, backward = step[1:], step[:-1]
    rise = np.diff(energies)
    to_next, to_last = rise[1:], rise[:-1]  # V(i+1) - V(i), V(i) - V(i-1)
    larger = np.maximum(abs(to_next), abs(to_last))
    smaller = np.minimum(abs(to_next), abs(to_last))
    uphill = to_next + to_last > 0  # V(i+1) > V(i-1)
    weight_forward = np.where(uphill, larger, smaller)
    weight_backward = np.where(uphill, smaller, larger)
    climbs = (to_next > 0) & (to_last > 0)
    falls = (to_next < 0) & (to_last < 0)
    weight_forward = np.where(climbs, 1.0, np.where(falls, 0.0, weight_forward))
    weight_backward = np.where(climbs, 0.0, np.where(falls, 1.0, weight_backward))
    flat = (weight_forward == 0) & (weight_backward == 0)  # three equal energies: HJ do not say
    weight_forward, weight_backward = weight_forward + flat, weight_backward + flat
    found = weight_forward[:, None, None] * forward + weight_backward[:, None, None] * backward
    return np.asarray(found / np.linalg.norm(found.reshape(len(found), -1), axis=1)[:, None, None])


def band_forces(
    band: FloatArray,
    energies: FloatArray,
    forces: FloatArray,
    *,
    spring_ev_per_ang2: float,
    climbing: int | None = None,
) -> FloatArray:
    """Nudged forces on the intermediate images, in eV/Å.

    HJ, equations 3, 4 and 12: the true force across the tangent, and the spring force along it from the
    lengths of the two neighbouring segments. HUJ, equation 5: the climbing image feels no springs, and the
    true force with its part along the tangent turned around.

    Args:
        band: Shape (n_images, n_atoms, 3).
        energies: Shape (n_images,), in eV.
        forces: True forces on the intermediate images, shape (n_images - 2, n_atoms, 3).
        spring_ev_per_ang2: Of all springs.
        climbing: Index in the band of the climbing image, if there is one.

    Returns:
        Shape (n_images - 2, n_atoms, 3).
    """
    tangent = tangents(band, energies)
    along = np.einsum("nij,nij->n", forces, tangent)
    lengths = np.diff(path_lengths(band))
    pull = spring_ev_per_ang2 * (lengths[1:] - lengths[:-1])
    wanted = np.asarray(pull - along)
    if climbing is not None:
        wanted[climbing - 1] = -2 * along[climbing - 1]
    return np.asarray(forces + wanted[:, None, None] * tangent)


def largest_force(forces: FloatArray) -> float:
    """Largest norm of a force on an atom, of an array of shape (..., 3)."""
    return float(np.sqrt(np.einsum("...k,...k->...", forces, forces).max()))
