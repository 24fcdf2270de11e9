"""The calculator of python-ace, without what a benchmark has no use for.  Importing this imports pyace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import complete_cell
from pyace import ACECTildeBasisSet, PyACECalculator

if TYPE_CHECKING:
    from ase import Atoms
    from pyace import ACEBBasisSet


class AceCalculator(PyACECalculator):  # type: ignore[misc]  # pyace is not typed
    """A potential, evaluated recursively where the file allows it; eV and Å.

    Args:
        basis: A B-basis or a C-tilde basis set with its coefficients.
    """

    def __init__(self, basis: ACEBBasisSet | ACECTildeBasisSet) -> None:
        recursive = isinstance(basis, ACECTildeBasisSet)
        super().__init__(basis, recursive_evaluator=recursive, recursive=recursive)
        self.compute_projections = False  # descriptors of atoms: a quarter of the time, and of no use here

    def get_atomic_env(self, atoms: Atoms) -> object:
        """Neighbours of all atoms; pyace's own list knows full periodicity and none."""
        if atoms.pbc.any() and not atoms.pbc.all():
            atoms = _apart(atoms, float(self.cutoff))
        return super().get_atomic_env(atoms)


def _apart(atoms: Atoms, cutoff_ang: float) -> Atoms:
    """The same atoms in a periodic cell whose new images are farther away than the cutoff."""
    cell = atoms.cell.array.copy()
    cell[~atoms.pbc] = 0.0
    cell = complete_cell(cell)  # unit vectors, perpendicular to the periodic ones
    for axis in np.flatnonzero(~atoms.pbc):
        along = atoms.positions @ cell[axis]
        cell[axis] *= np.ptp(along) + 1.1 * cutoff_ang
    periodic = atoms.copy()
    periodic.set_cell(cell)
    periodic.pbc = True
    return periodic
