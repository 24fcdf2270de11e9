"""Labelled structures as arrays of few different shapes, for training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress

from mlpzoo_deepmd.batch import Shape, needed, packed, rounded
from mlpzoo_deepmd.neighbours import surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from mlpzoo_deepmd.batch import Batch
    from mlpzoo_deepmd.neighbours import Layout, Surroundings


class Labels(NamedTuple):
    """What a batch is to be like.

    Attributes:
        energies: eV, shape (structures,).
        forces: eV/Å, shape (atoms, 3); zero for empty places.
        virials: Derivative of the energy by a strain, eV, shape (structures, 3, 3); zero if not known.
        sizes: Numbers of atoms, shape (structures,).
        real: 1 for structures, 0 for empty places, shape (structures,).
    """

    energies: Any
    forces: Any
    virials: Any
    sizes: Any
    real: Any


class LabelledFrames:
    """Structures to learn from.

    Args:
        frames: With energy, forces and perhaps stress.
        type_of: Number of each element.
        layout: Of the model.
    """

    def __init__(self, frames: Sequence[Atoms], type_of: Mapping[str, int], layout: Layout) -> None:
        self._frames = frames
        self._parts = [surroundings(atoms, type_of, layout) for atoms in frames]
        self._ghosts: dict[int, int] = {}  # the most that structures of about as many atoms have
        for part in self._parts:
            shape = rounded(needed([part]))
            self._ghosts[shape.atoms] = max(self._ghosts.get(shape.atoms, 0), shape.ghosts)

    def __len__(self) -> int:
        return len(self._frames)

    def batch(self, numbers: Sequence[int]) -> tuple[Batch, Labels]:
        """Some of them beside each other, in numpy arrays."""
        parts = [self._parts[number] for number in numbers]
        shape = self._shape(parts)
        labels = Labels(
            energies=np.zeros(shape.structures),
            forces=np.zeros((shape.atoms, 3)),
            virials=np.zeros((shape.structures, 3, 3)),
            sizes=np.ones(shape.structures),
            real=np.zeros(shape.structures),
        )
        first = 0
        for place, number in enumerate(numbers):
            atoms = self._frames[number]
            results, n = atoms.calc.results, len(atoms)
            labels.energies[place], labels.sizes[place], labels.real[place] = results["energy"], n, 1.0
            labels.forces[first : first + n] = results["forces"]
            if "stress" in results:
                labels.virials[place] = voigt_6_to_full_3x3_stress(results["stress"]) * atoms.get_volume()
            first += n
        return packed(parts, shape), labels

    def _shape(self, parts: Sequence[Surroundings]) -> Shape:
        """The same for all batches of about as many atoms, whatever came before."""
        ghosts = sum(self._ghosts[rounded(needed([part])).atoms] for part in parts)
        return rounded(needed(parts))._replace(ghosts=ghosts)
