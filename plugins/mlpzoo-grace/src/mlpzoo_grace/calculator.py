"""GRACE as an ASE calculator.  Importing this imports TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from ase.calculators.calculator import Calculator, all_changes

from mlpzoo_grace.bonds import bonds_of, inputs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from mlpzoo_grace.loading import Loaded

VOIGT = (0, 1, 2, 5, 4, 3)
"""ASE's order of GRACE's xx yy zz xy xz yz."""


class GraceCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of a saved GRACE model.

    Args:
        loaded: The model.
        device: TensorFlow's name of it, ``/CPU:0``.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, loaded: Loaded, *, device: str = "/CPU:0") -> None:
        super().__init__()
        self.loaded = loaded
        self.device = device
        self._index = {symbol: i for i, symbol in enumerate(loaded.metadata.symbols)}

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy", "forces"),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All of them in one call; no stress without three lattice vectors.

        Raises:
            KeyError: A species is not one of the model's.
        """
        super().calculate(atoms, properties, system_changes)
        species = np.array([self._index[s] for s in atoms.get_chemical_symbols()], dtype=np.int32)
        inputs = inputs_of(species, bonds_of(atoms, self.loaded.metadata))
        with tf.device(self.device):
            found = self.loaded.module.compute({k: tf.constant(inputs[k]) for k in self.loaded.inputs})
        self.results = {
            "energy": float(found["total_energy"].numpy().item()),
            "forces": found["total_f"].numpy()[: len(atoms)].astype(float),
        }
        if atoms.cell.rank == 3:  # noqa: PLR2004  (it is per volume)
            virial = found["virial"].numpy().reshape(6).astype(float)
            self.results["stress"] = -virial[list(VOIGT)] / atoms.get_volume()
