"""Cells for frameworks that know full periodicity only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import complete_cell

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray


def cell_without_images(atoms: Atoms, gap_ang: float) -> NDArray[np.float64]:
    """A cell in which atoms have no images within reach in directions that are not periodic.

    Args:
        atoms: They are not changed; periodic directions keep their vectors.
        gap_ang: Between the atoms and their new images, Å.

    Returns:
        Lattice vectors as rows, Å, shape (3, 3); new ones are normal to the periodic ones.
    """
    cell: NDArray[np.float64] = np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)
    if atoms.pbc.all():
        return cell
    cell = complete_cell(cell)  # unit vectors where there was none
    for axis in np.flatnonzero(~atoms.pbc):
        cell[axis] *= np.ptp(atoms.positions @ cell[axis]) + gap_ang
    return cell
