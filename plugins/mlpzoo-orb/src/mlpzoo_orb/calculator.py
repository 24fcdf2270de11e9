"""Orb as an ASE calculator in both precisions.  Importing this imports Orb.

Orb's own calculator refuses structures that are periodic in one or two directions, reads what lies in
``atoms.info``, and computes in the precision that torch has by default at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.geometry import minkowski_reduce
from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
from orb_models.forcefield.base import batch_graphs

from mlpzoo.physics.cells import cell_without_images
from mlpzoo.physics.evaluate import Evaluated, taken_apart
from mlpzoo.side_effects import default_dtype
from mlpzoo_orb.architectures import CUTOFF_ANG

if TYPE_CHECKING:
    from collections.abc import Sequence


class OrbCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of an Orb model.

    Args:
        model: One of Orb's regressors.
        conservative: Whether it has forces and stresses from its energy.
        device: Where it is.
        dtype: In which precision it is.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(
        self, model: torch.nn.Module, *, conservative: bool, device: str, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.model = model
        self.conservative = conservative
        self.device = torch.device(device)
        self.dtype = dtype

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy", "forces"),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All of them; no stress without three lattice vectors."""
        super().calculate(atoms, properties, system_changes)
        found = self._predict([atoms])
        self.results = {"energy": float(found["energy"][0]), "forces": found["forces"]}
        if atoms.cell.rank == 3:  # noqa: PLR2004
            stress = found["stress"].reshape(6)
            if self.conservative:  # it is per volume of the box
                stress *= self._boxed(atoms).get_volume() / atoms.get_volume()
            self.results["stress"] = stress

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        found = self._predict(frames)
        return taken_apart(found["energy"], found["forces"], [len(atoms) for atoms in frames])

    def _predict(self, frames: Sequence[Atoms]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
        """Energies, forces of all atoms, stresses."""
        with default_dtype(self.dtype), torch.set_grad_enabled(self.conservative):
            graphs = [
                ase_atoms_to_atom_graphs(
                    self._boxed(atoms), self.model.system_config, edge_method="knn_scipy", device=self.device
                )
                for atoms in frames
            ]
            found = self.model.predict(batch_graphs(graphs).to(self.device))
        prefix = "grad_" if self.conservative else ""
        keys = {"energy": "energy", "forces": f"{prefix}forces", "stress": f"{prefix}stress"}
        return {name: found[key].detach().cpu().numpy().astype(float) for name, key in keys.items()}

    def _boxed(self, atoms: Atoms) -> Atoms:
        """The same atoms, periodic in all directions with images out of reach, and nothing else on them.

        Networks of direct forces take the net torque from molecules: to them a molecule stays one.
        """
        bare = Atoms(atoms.numbers, positions=atoms.positions)
        if atoms.pbc.any() or self.conservative:
            # Orb looks four lattice vectors far, which is not enough if they are long and close together
            short, _ = minkowski_reduce(cell_without_images(atoms, CUTOFF_ANG + 1.0))
            bare.set_cell(short)
            bare.pbc = True
        return bare
