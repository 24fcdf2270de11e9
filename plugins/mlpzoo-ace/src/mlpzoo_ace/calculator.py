"""The calculator of python-ace, without what a benchmark has no use for.  Importing this imports pyace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyace import ACECTildeBasisSet, PyACECalculator

from mlpzoo.physics.cells import cell_without_images

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
            cell = cell_without_images(atoms, 1.1 * float(self.cutoff))
            atoms = atoms.copy()
            atoms.set_cell(cell)
            atoms.pbc = True
        return super().get_atomic_env(atoms)
