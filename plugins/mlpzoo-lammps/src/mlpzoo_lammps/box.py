"""From a cell of ASE's to a box of LAMMPS's.

LAMMPS wants the first lattice vector along x and the second in the xy plane, a right-handed cell, and tilts
of at most half a box.  Any lattice has such a cell; forces and stress are turned back.  Directions that are
not periodic get vectors of our own, normal to the periodic ones and long enough for the atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.geometry.minkowski_reduction import minkowski_reduce

from mlpzoo.errors import CalculationError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

MARGIN_ANG: Final = 5.0
"""Between the atoms and the walls of a box that is not periodic: room to move before it is made anew."""
MIN_VOLUME: Final = 1e-9
"""Of a cell, relative to a box with edges of the same lengths."""
MAX_TILT: Final = 0.5 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A LAMMPS box and how to get there.

    Attributes:
        cell: Lattice vectors as rows in LAMMPS's frame, lower triangular, Å, shape (3, 3).
        origin: Lower corner of the box in ASE's frame, Å, shape (3,).
        rotation: Shape (3, 3); ``(x_ase - origin) @ rotation`` is in LAMMPS's frame.
        pbc: Which of the three directions are periodic.
    """

    cell: FloatArray
    origin: FloatArray
    rotation: FloatArray
    pbc: tuple[bool, bool, bool]

    @property
    def boundary(self) -> str:
        """As LAMMPS's command ``boundary`` has it."""
        return " ".join("p" if periodic else "f" for periodic in self.pbc)

    @property
    def volume(self) -> float:
        """Å³."""
        return float(np.prod(np.diag(self.cell)))

    def inside(self, positions: FloatArray) -> FloatArray:
        """Positions in ASE's frame to those in LAMMPS's, unwrapped; shape (n, 3)."""
        turned: FloatArray = (positions - self.origin) @ self.rotation
        return turned

    def wrapped(self, inside: FloatArray) -> FloatArray:
        """Positions in LAMMPS's frame, moved by lattice vectors into the box."""
        fractional = np.linalg.solve(self.cell.T, inside.T).T
        shifts = np.floor(fractional) * np.asarray(self.pbc)
        moved: FloatArray = inside - shifts @ self.cell
        return moved

    def is_within_walls(self, inside: FloatArray) -> bool:
        """Whether no atom has left the box in a direction that is not periodic."""
        fixed = [axis for axis in range(3) if not self.pbc[axis]]
        if not fixed:
            return True
        # vectors of directions that are not periodic are along the axes: no tilt
        along = inside[:, fixed]
        return bool((along > 0).all() and (along < np.diag(self.cell)[fixed]).all())


def box_of(atoms: Atoms) -> Box:
    """The box for a structure.

    Raises:
        CalculationError: A position is not finite, the cell has no volume, or there are no atoms.
    """
    if not len(atoms):
        raise CalculationError("a structure without atoms", hint="give it one")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise CalculationError("a position or the cell is not finite", hint="look at the structure")
    given: FloatArray = np.asarray(atoms.cell.array, dtype=float)
    pbc = np.asarray(atoms.pbc, dtype=bool) & given.any(axis=1)
    cell = _completed(given, pbc)
    volume = float(np.linalg.det(cell))
    if abs(volume) <= MIN_VOLUME * float(np.linalg.norm(cell, axis=1).prod()):
        raise CalculationError("the lattice vectors lie in one plane", hint="look at the cell")
    if volume < 0:
        cell[2] *= -1  # the same lattice, right-handed
    lower, rotation = _turned(cell)
    if _is_skew(lower) and pbc.all():
        cell, _ = minkowski_reduce(cell)
        if np.linalg.det(cell) < 0:
            cell[2] *= -1
        lower, rotation = _turned(cell)
    lower = _tilted_less(lower, pbc)
    origin = np.zeros(3)
    inside = np.asarray(atoms.positions, dtype=float) @ rotation
    for axis in np.flatnonzero(~pbc):
        low, high = float(inside[:, axis].min()), float(inside[:, axis].max())
        lower[axis, axis] = high - low + 2 * MARGIN_ANG
        origin += (low - MARGIN_ANG) * rotation[:, axis]
    first, second, third = (bool(periodic) for periodic in pbc)
    return Box(cell=lower, origin=origin, rotation=rotation, pbc=(first, second, third))


def _completed(given: FloatArray, pbc: NDArray[np.bool_]) -> FloatArray:
    """The cell with unit vectors, normal to the periodic ones, for directions that are not periodic."""
    cell = np.where(pbc[:, None], given, 0.0)
    n_periodic = int(pbc.sum())
    if n_periodic == 0:
        return np.eye(3)
    if n_periodic == 1:
        axis = int(np.argmax(pbc))
        along = cell[axis] / np.linalg.norm(cell[axis])
        helper = np.eye(3)[int(np.argmin(np.abs(along)))]
        normal = np.cross(along, helper)
        cell[(axis + 1) % 3] = normal / np.linalg.norm(normal)
        cell[(axis + 2) % 3] = np.cross(along, cell[(axis + 1) % 3])
    elif n_periodic == 2:  # noqa: PLR2004
        axis = int(np.argmin(pbc))
        normal = np.cross(cell[(axis + 1) % 3], cell[(axis + 2) % 3])
        length = float(np.linalg.norm(normal))
        cell[axis] = normal / length if length else 0.0
    return cell


def _turned(cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower triangular cell with a positive diagonal, and the rotation: ``cell @ rotation = lower``."""
    q, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    rotation = q * signs
    return np.tril(cell @ rotation), rotation


def _is_skew(lower: FloatArray) -> bool:
    ratios = (lower[1, 0] / lower[0, 0], lower[2, 0] / lower[0, 0], lower[2, 1] / lower[1, 1])
    return any(abs(ratio) > MAX_TILT for ratio in ratios)


def _tilted_less(lower: FloatArray, pbc: NDArray[np.bool_]) -> FloatArray:
    """The same lattice with tilts of at most half a box length."""
    result: FloatArray = lower.copy()
    for row, column in ((2, 1), (2, 0), (1, 0)):
        if pbc[row] and pbc[column]:
            result[row] -= np.round(result[row, column] / result[column, column]) * result[column]
    return result


def stress_of(pressure: Any, box: Box, volume: float) -> FloatArray:
    """ASE's stress from LAMMPS's virial pressure.

    Args:
        pressure: xx, yy, zz, xy, xz, yz in eV/Å³ and in LAMMPS's frame, shape (6,).
        box: The box that it is of.
        volume: Of ASE's cell, Å³.

    Returns:
        eV/Å³, ASE's sign, Voigt order xx, yy, zz, yz, xz, xy; shape (6,).
    """
    xx, yy, zz, xy, xz, yz = (float(value) for value in pressure)
    tensor = -np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) * (box.volume / volume)
    turned = box.rotation @ tensor @ box.rotation.T
    voigt: FloatArray = turned[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return voigt
