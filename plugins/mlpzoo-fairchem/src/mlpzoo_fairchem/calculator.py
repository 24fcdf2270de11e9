"""One task of a UMA model as an ASE calculator.  Importing this imports fairchem.

fairchem's own calculator writes charge and spin into the atoms that it is given, wants a cell for slabs, and
rounds to single precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from fairchem.core.datasets.atomic_data import AtomicData

from mlpzoo.physics.cells import cell_without_images
from mlpzoo_fairchem.process import process_kept_as_it_was

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairchem.core.units.mlip_unit.predict import MLIPPredictUnit

SINGLET: Final = {"omol": 1}
"""Spin multiplicity of the tasks that know one; to the others fairchem gives 0."""


class FairchemCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of neutral structures.

    Args:
        unit: fairchem's predictor, in the precision that was asked for.
        task: Name of one of its tasks.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, unit: MLIPPredictUnit, *, task: str) -> None:
        super().__init__()
        self.unit = unit
        self.task = task
        self._cutoff = float(unit.model.module.backbone.cutoff)

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy", "forces"),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All of them in one call; no stress without three lattice vectors."""
        super().calculate(atoms, properties, system_changes)
        box = cell_without_images(atoms, self._cutoff + 1.0)
        periodic = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=box, pbc=True)
        periodic.info.update(charge=0, spin=SINGLET.get(self.task, 0))
        with process_kept_as_it_was():
            data = AtomicData.from_ase(
                periodic,
                task_name=self.task,
                r_data_keys=["spin", "charge"],
                target_dtype=self.unit.inference_settings.base_precision_dtype,
            )
            found = {
                name: value.detach().cpu().numpy().astype(float)
                for name, value in self.unit.predict(data).items()
            }
        self.results = {"energy": float(found["energy"].item()), "forces": found["forces"]}
        if atoms.cell.rank == 3 and "stress" in found:  # noqa: PLR2004  (it is per volume)
            per_volume = abs(np.linalg.det(box)) / atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(found["stress"].reshape(3, 3)) * per_volume
