"""ASE's EMT without a memory.

ASE's keeps its list of neighbours until an atom has moved 0.3 Å, and sums in the list's order, so that the
last digits depend on where the atoms were before.  A run that was interrupted and goes on has another past;
in molecular dynamics it would soon have another future, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.emt import EMT

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EmtCalculator(EMT):
    """Energy, forces and stress depend on the structure alone, to the last bit."""

    def _get_neighbors(self, a1: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Neighbours of an atom within the cutoff, by index and cell, with vectors and distances in Å."""
        calculator: Any = self
        neighbours, offsets = calculator.nl.get_neighbors(a1)
        order = np.lexsort((offsets[:, 2], offsets[:, 1], offsets[:, 0], neighbours))
        neighbours, offsets = neighbours[order], offsets[order]
        positions = calculator.atoms.positions
        vectors = positions[neighbours] + offsets @ calculator.atoms.cell.array - positions[a1]
        distances = np.sqrt(np.add.reduce(vectors**2, axis=1))
        near = distances < calculator.rc_list
        return neighbours[near], vectors[near], distances[near]
