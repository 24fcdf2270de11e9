"""Harmonic phonons by finite displacements, with phonopy.

Togo and Tanaka, Scr. Mater. 108, 1 (2015), doi 10.1016/j.scriptamat.2015.07.021. Frequencies are in THz (not
angular); a negative one stands for an imaginary frequency, as is usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.physics.evaluate import Progress, evaluate_many, nothing

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.physics.crystals import Crystal

DISPLACEMENT_ANG: Final = 0.01
AT_ONCE: Final = 8  # structures that are evaluated together, between two checkpoints
IMAGINARY_THZ: Final = -0.05  # numerical noise of acoustic modes is smaller
MESH: Final = (12, 12, 12)

_PRIMITIVE: Final[dict[str, Any]] = {"diamond": "F", "fcc": "F", "bcc": "I"}
_FCC_POINTS: Final = {"gamma": (0.0, 0.0, 0.0), "x": (0.5, 0.0, 0.5), "l": (0.5, 0.5, 0.5)}
_POINTS: Final[dict[str, dict[str, tuple[float, float, float]]]] = {
    "diamond": _FCC_POINTS,
    "fcc": _FCC_POINTS,
    "bcc": {"gamma": (0.0, 0.0, 0.0), "h": (0.5, -0.5, 0.5), "n": (0.0, 0.0, 0.5)},
}
"""In reciprocal vectors of the primitive cell."""

_BRANCHES: Final[dict[str, dict[str, tuple[str, int]]]] = {
    "diamond": {
        "gamma_to": ("gamma", 5),
        "x_ta": ("x", 0),
        "x_la": ("x", 2),
        "x_to": ("x", 4),
        "l_ta": ("l", 0),
        "l_la": ("l", 2),
        "l_lo": ("l", 3),
        "l_to": ("l", 4),
    },
    "fcc": {"x_ta": ("x", 0), "x_la": ("x", 2), "l_ta": ("l", 0), "l_la": ("l", 2)},
    "bcc": {"h_la": ("h", 0), "n_ta1": ("n", 0), "n_ta2": ("n", 1), "n_la": ("n", 2)},
}
"""Name of a mode to its point and its place among the point's frequencies, sorted: in silicon, germanium and
the fcc and bcc metals the order of the branches; a model with another order is wrong there anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalPhonons:
    """Phonons of a perfect crystal.

    Attributes:
        modes_thz: Frequencies of named modes: ``gamma_to``, ``x_ta``, ...
        mean_thz: Mean over the Brillouin zone, imaginary modes left out.
        highest_thz: Highest frequency on the mesh.
        n_imaginary: Modes on the mesh with an imaginary frequency.
        mesh_thz: All frequencies of the irreducible mesh, shape (n_q, n_modes).
        weights: Of the mesh's points, shape (n_q,).
        n_displacements: Structures whose forces were needed.
    """

    modes_thz: dict[str, float]
    mean_thz: float
    highest_thz: float
    n_imaginary: int
    mesh_thz: NDArray[np.float64]
    weights: NDArray[np.int64]
    n_displacements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPhonons:
    """Phonons at Γ of one cell, the three translations left out.

    Attributes:
        frequencies_thz: Sorted, shape (3 n_atoms - 3,).
        n_displacements: Structures whose forces were needed.
    """

    frequencies_thz: NDArray[np.float64]
    n_displacements: int

    @property
    def n_imaginary(self) -> int:
        """Modes with an imaginary frequency."""
        return int((self.frequencies_thz < IMAGINARY_THZ).sum())

    @property
    def mean_thz(self) -> float:
        """Mean of the real frequencies."""
        return float(self.frequencies_thz[self.frequencies_thz > 0].mean())


def mode_names(structure: str) -> tuple[str, ...]:
    """The modes that `crystal_phonons` names for this structure."""
    return tuple(_BRANCHES[structure])


def crystal_phonons(
    crystal: Crystal,
    calculator: Calculator,
    *,
    repeat: int,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> CrystalPhonons:
    """Phonons of a crystal from a supercell of ``repeat`` cubic cells in each direction.

    Its lattice constant should be the calculator's own.  The named modes are exact if ``repeat`` is even: all
    their waves fit into the supercell, however far the forces reach.  An odd one interpolates L and N.
    """
    phonons = Phonopy(
        _to_phonopy(crystal.cubic()),
        supercell_matrix=np.eye(3, dtype=int) * repeat,
        primitive_matrix=_PRIMITIVE[crystal.structure],
        log_level=0,
    )
    n_displacements = _add_forces(phonons, calculator, progress, checkpoint or Checkpoint(), "phonons")
    points = _POINTS[crystal.structure]
    phonons.run_qpoints(list(points.values()))
    at = dict(zip(points, np.sort(_at_points(phonons), axis=1), strict=True))
    phonons.run_mesh(MESH, is_gamma_center=True)
    found: Any = phonons.mesh
    mesh, weights = np.asarray(found.frequencies), np.asarray(found.weights)
    each = np.broadcast_to(weights[:, None], mesh.shape)
    real = mesh > 0
    return CrystalPhonons(
        modes_thz={name: float(at[q][i]) for name, (q, i) in _BRANCHES[crystal.structure].items()},
        mean_thz=float((mesh * each)[real].sum() / each[real].sum()),
        highest_thz=float(mesh.max()),
        n_imaginary=int(each[mesh < IMAGINARY_THZ].sum()),
        mesh_thz=mesh,
        weights=weights,
        n_displacements=n_displacements,
    )


def cell_phonons(
    atoms: Atoms,
    calculator: Calculator,
    *,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
    what: str = "phonons of the cell",
) -> CellPhonons:
    """Phonons at Γ of a relaxed periodic cell, such as a supercell with a defect.

    Symmetry is used: 23 force calls for a vacancy in 64 atoms of silicon; at most 6 times the number of
    atoms.  Forces that a relaxation left cancel, because each displacement has its opposite, by symmetry
    or in fact; what is left of their effect is that of the small distance to the minimum.
    """
    phonons = Phonopy(
        _to_phonopy(atoms), supercell_matrix=np.eye(3, dtype=int), primitive_matrix=np.eye(3), log_level=0
    )
    n_displacements = _add_forces(phonons, calculator, progress, checkpoint or Checkpoint(), what)
    phonons.run_qpoints([(0.0, 0.0, 0.0)])
    frequencies = _at_points(phonons)[0]
    translations = np.argsort(np.abs(frequencies))[:3]
    return CellPhonons(
        frequencies_thz=np.sort(np.delete(frequencies, translations)), n_displacements=n_displacements
    )


def _add_forces(
    phonons: Phonopy, calculator: Calculator, progress: Progress, checkpoint: Checkpoint, what: str
) -> int:
    """Displace, compute (from where a checkpoint is), make the force constants; how many structures."""
    phonons.generate_displacements(distance=DISPLACEMENT_ANG)
    frames = [_from_phonopy(cell) for cell in phonons.supercells_with_displacements or ()]
    stored = checkpoint.load()
    start = np.array([atoms.positions for atoms in frames])
    forces: list[NDArray[np.float64]] = []
    if stored is not None and np.array_equal(stored.get("displaced_positions", np.nan), start):
        forces = list(stored["forces"])
    while len(forces) < len(frames):
        progress(len(forces), len(frames), what)
        batch = frames[len(forces) : len(forces) + AT_ONCE]
        forces += [one.forces_ev_per_ang for one in evaluate_many(calculator, batch)]
        checkpoint.save(displaced_positions=start, forces=np.array(forces))
    progress(len(frames), len(frames), what)
    phonons.forces = np.array(forces)
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    return len(frames)


def _at_points(phonons: Phonopy) -> NDArray[np.float64]:
    """Frequencies at the points that were run, shape (n_points, n_modes)."""
    found: Any = phonons.qpoints
    return np.asarray(found.frequencies)


def _to_phonopy(atoms: Atoms) -> PhonopyAtoms:
    return PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, positions=atoms.get_positions()
    )


def _from_phonopy(cell: Any) -> Atoms:
    return Atoms(symbols=cell.symbols, cell=cell.cell, positions=cell.positions, pbc=True)
