"""motep's engine behind an ASE calculator that depends on nothing but the structure.

Importing this imports motep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from motep.potentials.mtp.cext.engine import CExtMTPEngine

from mlpzoo.backends.pairs import pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from motep.potentials.mtp.data import MTPData
    from numpy.typing import NDArray

MANY_ATOMS: Final = 300
"""From here on ASE's linear list of neighbours is the faster one."""


class Engine(CExtMTPEngine):  # type: ignore[misc]  # motep is not typed
    """motep's compiled engine with neighbours of its own for every structure.

    motep's list knows the structure before, so that the last digits depend on it; it is written in Python;
    in training mode it keeps the first structure; and distances below ``min_dist`` are logged at every call.
    """

    def update_neighbor_list(self, atoms: Atoms) -> bool:
        """Find all neighbours anew; always true: everything changed."""
        cutoff = float(self.mtp_data.radial_basis.max)
        first, second, vectors = _pairs(atoms, cutoff)
        order = np.argsort(first, kind="stable")
        first, second, vectors = first[order], second[order], vectors[order]
        counts = np.bincount(first, minlength=len(atoms))
        widest = max(1, int(counts.max(initial=0)))
        place = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._neighbors = np.full((len(atoms), widest), -1, dtype=np.int32)  # -1: no neighbour
        self._neighbors[first, place] = second
        self._vectors = np.full((len(atoms), widest, 3), cutoff)  # out of reach
        self._vectors[first, place] = vectors
        return True

    def _get_interatomic_vectors(self, atoms: Atoms) -> NDArray[np.float64]:
        del atoms
        return self._vectors


class MtpCalculator(Calculator):
    """A moment tensor potential; eV, eV/Å, eV/Å³.

    Args:
        data: A potential with its coefficients and the atomic numbers of its types.
    """

    implemented_properties: list[str] = ["energy", "forces", "stress"]  # noqa: RUF012  (ASE's declaration)

    def __init__(self, data: MTPData) -> None:
        super().__init__()
        self._engine = Engine(data, mode="run")

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy, forces and, of structures with a full cell, the stress."""
        super().calculate(atoms, properties, system_changes)
        found: dict[str, Any] = self._engine.calculate(self.atoms)
        self.results = {"energy": float(found["energy"]), "forces": found["forces"]}
        if self.atoms.cell.rank == 3:  # noqa: PLR2004
            self.results["stress"] = found["stress"]


def _pairs(
    atoms: Atoms, cutoff_ang: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All pairs (i, j) and the vectors between them, Å, shape (n, 3)."""
    if len(atoms) < MANY_ATOMS:
        return pairs(atoms, cutoff_ang)[:3]
    i, j, vectors = neighbor_list("ijD", atoms, cutoff_ang)
    return i, j, vectors
