"""Labelled structures as plain arrays: what travels to a worker that trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mlpzoo.benchmark import Array
from mlpzoo.results import pack, unpack

if TYPE_CHECKING:
    from ase import Atoms


class LabelledSet(msgspec.Struct, kw_only=True):
    """Structures with energies and forces, and stresses if all of them have one.

    Attributes:
        sizes: Atoms of each structure, shape (n,).
        numbers: Atomic numbers of all structures, one after the other, shape (sum of sizes,).
        positions: Å, shape (sum of sizes, 3).
        cells: Å, shape (n, 3, 3).
        pbc: Shape (n, 3).
        energies: eV, shape (n,).
        forces: eV/Å, shape (sum of sizes, 3).
        stresses: eV/Å³, ASE's sign and Voigt order, shape (n, 6); None if one is missing.
    """

    sizes: Array
    numbers: Array
    positions: Array
    cells: Array
    pbc: Array
    energies: Array
    forces: Array
    stresses: Array | None = None


def packed(frames: Sequence[Atoms]) -> LabelledSet:
    """Structures whose calculators hold ``energy``, ``forces`` and perhaps ``stress``."""
    import numpy as np

    def joined(arrays: list[Any], *shape: int) -> Array:
        return pack(np.concatenate(arrays) if arrays else np.zeros((0, *shape)))

    results = [atoms.calc.results for atoms in frames]
    has_stress = bool(frames) and all("stress" in r for r in results)
    return LabelledSet(
        sizes=pack(np.array([len(atoms) for atoms in frames], dtype=int)),
        numbers=joined([atoms.numbers for atoms in frames]),
        positions=joined([atoms.positions for atoms in frames], 3),
        cells=pack(np.array([atoms.cell.array for atoms in frames]).reshape(-1, 3, 3)),
        pbc=pack(np.array([atoms.pbc for atoms in frames], dtype=bool).reshape(-1, 3)),
        energies=pack(np.array([r["energy"] for r in results], dtype=float)),
        forces=joined([r["forces"] for r in results], 3),
        stresses=pack(np.array([r["stress"] for r in results], dtype=float)) if has_stress else None,
    )


def unpacked(data: LabelledSet) -> list[Atoms]:
    """The structures, each with a ``SinglePointCalculator``."""
    import numpy as np
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    ends = np.cumsum(unpack(data.sizes))[:-1]
    numbers, positions, forces = (
        np.split(unpack(a), ends) for a in (data.numbers, data.positions, data.forces)
    )
    cells, pbc, energies = unpack(data.cells), unpack(data.pbc), unpack(data.energies)
    stresses = unpack(data.stresses) if data.stresses is not None else None
    frames = []
    for k in range(len(energies)):
        atoms = Atoms(numbers=numbers[k], positions=positions[k], cell=cells[k], pbc=pbc[k])
        labels = {"energy": float(energies[k]), "forces": forces[k].copy()}
        if stresses is not None:
            labels["stress"] = stresses[k].copy()
        atoms.calc = SinglePointCalculator(atoms, **labels)
        frames.append(atoms)
    return frames
