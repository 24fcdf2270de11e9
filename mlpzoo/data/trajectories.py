"""Trajectories of other programs: whose crystal it is, which cell, and where its sites are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from mlpzoo.data.defect_cells import DefectCell
from mlpzoo.errors import DataError
from mlpzoo.physics.crystals import Crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpzoo.data.crystal import CrystalManifest

_CUBIC_TOLERANCE = 1e-3
_PER_CELL = {"diamond": 8, "fcc": 4, "bcc": 2}
_REGISTERED = 0.15
"""Median distance from the sites, in neighbour distances (Lindemann), above which it is no crystal."""


def read_trajectory(path: Path) -> list[Atoms]:
    """All frames of any file that ASE reads.

    Raises:
        DataError: It cannot be read, holds fewer than two frames, or its atoms or cell change.
    """
    from ase.io import iread

    try:
        frames = list(iread(path, index=":"))
    except Exception as error:  # ASE raises whatever its readers hit
        raise DataError(
            f"{path}: cannot be read ({type(error).__name__}: {error})", hint="use a file that ASE reads"
        ) from error
    if len(frames) < 2:  # noqa: PLR2004
        raise DataError(f"{path}: holds {len(frames)} frame", hint="give a whole trajectory")
    first = frames[0]
    for number, frame in enumerate(frames):
        if not np.array_equal(frame.numbers, first.numbers):
            raise DataError(f"{path}: frame {number} has other atoms than frame 0, or another order")
        if not np.allclose(frame.cell.array, first.cell.array, atol=1e-6):
            raise DataError(
                f"{path}: the cell of frame {number} is not that of frame 0",
                hint="migration is looked for at constant volume",
            )
    return frames


def registered_cell(first: Atoms, manifest: CrystalManifest, *, system: str) -> DefectCell:
    """The defect cell of a trajectory's first frame, its sites shifted to where the crystal is.

    Cell and number of atoms tell the supercell, and whether an atom is missing or too many.

    Raises:
        DataError: It is no supercell of this crystal with at most one defect, or far from its sites.
    """
    lengths, angles = first.cell.lengths(), first.cell.angles()
    if np.ptp(lengths) > _CUBIC_TOLERANCE * lengths[0] or np.abs(angles - 90).max() > 0.1:  # noqa: PLR2004
        raise DataError(f"the cell is not cubic: {np.round(lengths, 3)} Å, {np.round(angles, 2)}°")
    strange = sorted(set(first.get_chemical_symbols()) - {manifest.symbol})
    if strange:
        raise DataError(f"the trajectory holds {', '.join(strange)}, the crystal is {manifest.symbol}")
    per_cell = _PER_CELL[manifest.structure]
    repeat = max(1, round((len(first) / per_cell) ** (1 / 3)))
    extra = len(first) - per_cell * repeat**3
    if extra not in (-1, 0, 1):
        raise DataError(
            f"{len(first)} atoms are no cube of {manifest.structure} cells with at most one defect",
            hint="events are looked for around one vacancy or interstitial",
        )
    crystal = Crystal(
        symbol=manifest.symbol,
        structure=manifest.structure,  # type: ignore[arg-type]  # checked when it was read
        lattice_constant_ang=float(lengths.mean()) / repeat,
    )
    defect = {-1: "vacancy", 0: "none", 1: "interstitial"}[extra]
    cell = DefectCell.of(crystal, (repeat,) * 3, defect, system=system)  # type: ignore[arg-type]
    shift = registration(first.get_positions(), cell.sites.positions_ang[: cell.sites.n_lattice], lengths)
    spread = _spread(first.get_positions() - shift, cell.sites.positions_ang[: cell.sites.n_lattice], lengths)
    if spread > _REGISTERED * crystal.neighbour_distance_ang:
        raise DataError(
            f"the first frame is {spread:.2f} Å off the sites of {manifest.title}",
            hint="start the trajectory from a crystal, not from a melt",
        )
    atoms = first.copy()
    atoms.positions -= shift
    return DefectCell(
        system=system, crystal=crystal, repeat=(repeat,) * 3, atoms=atoms, sites=cell.sites, shift_ang=shift
    )


def registration(
    positions_ang: NDArray[np.float64], sites_ang: NDArray[np.float64], lengths_ang: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The shift of the crystal: positions less it are nearest to the sites.

    Every atom on every kind of first site is tried; the best is refined by the mean vector to the sites,
    atoms that are far off left out.

    Args:
        positions_ang: Shape (n, 3).
        sites_ang: Lattice sites, shape (m, 3).
        lengths_ang: Of the orthorhombic cell.
    """
    tree = cKDTree(sites_ang % lengths_ang, boxsize=lengths_ang)
    best, shift = np.inf, np.zeros(3)
    for position in positions_ang:
        for site in sites_ang[:2]:  # diamond's two sublattices look in different directions
            candidate = position - site
            distance = np.median(tree.query((positions_ang - candidate) % lengths_ang)[0])
            if distance < best:
                best, shift = float(distance), candidate
    for _ in range(5):
        moved = (positions_ang - shift) % lengths_ang
        distances, index = tree.query(moved)
        vectors = moved - tree.data[index]
        vectors -= lengths_ang * np.round(vectors / lengths_ang)
        shift = shift + vectors[distances <= 2 * max(float(np.median(distances)), 1e-9)].mean(axis=0)
    return np.asarray(shift, dtype=float)


def _spread(
    positions_ang: NDArray[np.float64], sites_ang: NDArray[np.float64], lengths_ang: NDArray[np.float64]
) -> float:
    """Median distance of the atoms from their nearest sites."""
    tree = cKDTree(sites_ang % lengths_ang, boxsize=lengths_ang)
    return float(np.median(tree.query(positions_ang % lengths_ang)[0]))
