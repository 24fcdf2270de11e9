"""When are two structures the same?  A short text that both have then.  Pure.

The same structure comes back in another order of the atoms, moved, wrapped into the cell or not, with other
vectors of the same lattice, turned, or mirrored: a potential cannot tell these apart, so neither does the
fingerprint.  It is made of a few averages over the atoms of smooth functions of their surroundings, rounded.

Why averages and not a list of all distances: each rounded number has a chance of lying at the edge between
two values, where noise of the last digit decides.  A sorted list of the 2000 distances of 64 atoms, rounded
to 1e-4 Å, differs in one of three cases for positions that were written with eight decimals; eight averages
rounded to `STEP` differ in one of a thousand.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

CUTOFF_ANG: Final = 8.0
"""Structures that differ only in how far apart things are that are farther apart than this are the same."""
STEP: Final = 1e-4
"""Averages are rounded to it.  They change by about 1 an Å: moving all atoms at random by 1e-3 Å, or one of
64 by 1e-2 Å, makes another fingerprint; noise of 1e-8 Å does with a probability of one in a thousand, of
1e-6 Å of a tenth.  So it finds copies; it does not find neighbours in a trajectory."""


def fingerprint(atoms: Atoms) -> str:
    """The same for structures that a potential cannot tell apart, and for no others but by rare chance.

    Invariant to order, translation, wrapping, choice of lattice vectors, rotation and reflection.  A
    supercell is another structure than its cell.  See `STEP` for the tolerance.

    Args:
        atoms: Positions in Å, cell, pbc; everything else is ignored.

    Returns:
        32 hexadecimal digits.
    """
    import numpy as np

    averages = _averages(atoms)
    steps = np.round(averages / STEP).astype("<i8")
    species, counts = np.unique(np.asarray(atoms.numbers, dtype="<i8"), return_counts=True)
    digest = hashlib.sha256()
    for array in (species, counts.astype("<i8"), steps):
        digest.update(array.tobytes() + b"|")
    return digest.hexdigest()[:32]


def _averages(atoms: Atoms) -> FloatArray:
    """Averages over the atoms of squared density, dipole and quadrupole of their neighbours, shape (8,).

    Two radial functions, near and far.  Atoms and their neighbours have weights by species.
    """
    import numpy as np

    n = len(atoms)
    i, j, r, unit = _neighbours(atoms)
    weight = 1.0 + atoms.numbers / 100.0
    found = []
    for centre, width in ((0.0, 2.5), (3.5, 1.5)):
        f = weight[j] * np.exp(-(((r - centre) / width) ** 2)) * (1.0 - (r / CUTOFF_ANG) ** 2) ** 3
        density = np.bincount(i, f, n)
        dipole = [np.bincount(i, f * unit[:, a], n) for a in range(3)]
        squares = [np.bincount(i, f * unit[:, a] * unit[:, b], n) ** 2 for a in range(3) for b in range(3)]
        quadrupole = np.sum(squares, axis=0) - density**2 / 3
        for part in (density, density**2, np.sum(np.square(dipole), axis=0), quadrupole):
            found.append(float(np.mean(weight * part)))  # noqa: PERF401  (two loops are easier to read)
    return np.array(found)


def _neighbours(atoms: Atoms) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray]:
    """All directed pairs within the cutoff: both atoms, distance in Å, unit vector.

    ASE's neighbour list gives the same in ten times the time.
    """
    import numpy as np
    from scipy.spatial import cKDTree

    cell = atoms.cell.complete().array
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = np.where(atoms.pbc, np.ceil(CUTOFF_ANG / heights), 0).astype(int)
    images = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in reach), indexing="ij"), -1).reshape(-1, 3)
    fractional = np.linalg.solve(cell.T, atoms.positions.T).T
    positions = atoms.positions - np.where(atoms.pbc, np.floor(fractional), 0) @ cell
    everywhere = (positions[None] + (images @ cell)[:, None]).reshape(-1, 3)
    near = cKDTree(positions).sparse_distance_matrix(cKDTree(everywhere), CUTOFF_ANG, output_type="ndarray")
    near = near[near["v"] > 0]
    vectors = everywhere[near["j"]] - positions[near["i"]]
    return near["i"], near["j"] % len(atoms), near["v"], vectors / near["v"][:, None]
