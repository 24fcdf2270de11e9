"""MACE's calculator, with several structures in one call of the model.  Importing this imports MACE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mace import data
from mace.calculators import MACECalculator
from mace.tools import torch_geometric, torch_tools

from mlpzoo.physics.evaluate import Evaluated, taken_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


class BatchingCalculator(MACECalculator):  # type: ignore[misc]  # mace is not typed
    """A calculator of one model, in eV and Å."""

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        (model,) = self.models
        keys = data.KeySpecification(info_keys=self.info_keys, arrays_keys=self.arrays_keys)
        with torch_tools.default_dtype(self.default_dtype):
            graphs = [
                data.AtomicData.from_config(
                    data.config_from_atoms(atoms, key_specification=keys, head_name=self.head),
                    z_table=self.z_table,
                    cutoff=self.r_max,
                    heads=self.available_heads,
                )
                for atoms in frames
            ]
        batch = torch_geometric.Batch.from_data_list(graphs).to(self.device)
        found = model(batch.to_dict(), compute_stress=False)
        energies = found["energy"].detach().cpu().numpy()
        forces = found["forces"].detach().cpu().numpy()
        return taken_apart(energies, forces, [len(atoms) for atoms in frames])
