"""NequIP's calculator, in the right precision and for several structures.  Importing this imports NequIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from nequip.data import AtomicDataDict
from nequip.integrations.ase import NequIPCalculator

from mlpzoo.physics.evaluate import Evaluated, taken_apart
from mlpzoo.side_effects import default_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


class Float64Calculator(NequIPCalculator):  # type: ignore[misc]  # nequip is not typed
    """NequIP prepares its input in torch's default precision, and counts on float64."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        """As NequIP's."""
        with default_dtype(torch.float64):
            super().calculate(*args, **kwargs)


class BatchingCalculator(Float64Calculator):
    """For models that take several structures at once; in eV and Å."""

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model if all have a cell or none has."""
        with default_dtype(torch.float64):
            graphs = [self.atoms_to_data(atoms) for atoms in frames]
            if len({frozenset(graph) for graph in graphs}) > 1:
                return [self._of([graph])[0] for graph in graphs]
            return self._of(graphs)

    def _of(self, graphs: list[AtomicDataDict.Type]) -> list[Evaluated]:
        found = self.call_model(AtomicDataDict.batched_from_list(graphs))
        energies = found[AtomicDataDict.TOTAL_ENERGY_KEY].detach().cpu().numpy()
        forces = found[AtomicDataDict.FORCE_KEY].detach().cpu().numpy()
        return taken_apart(energies, forces, [AtomicDataDict.num_nodes(graph) for graph in graphs])
