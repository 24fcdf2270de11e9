"""SevenNet as an ASE calculator in both precisions.  Importing this imports SevenNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sevenn._keys as keys
import torch
from ase.calculators.calculator import Calculator, all_changes
from sevenn.atom_graph_data import AtomGraphData
from sevenn.calculator import SevenNetCalculator
from sevenn.nn.node_embedding import OnehotEmbedding
from sevenn.train.dataload import unlabeled_atoms_to_graph
from sevenn.util import dtype_correct

from mlpzoo.side_effects import default_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from sevenn.nn.sequential import AtomGraphSequential


class SevennCalculator(SevenNetCalculator):  # type: ignore[misc]  # sevenn is not typed
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt).  SevenNet's own rounds its input to float32.

    Args:
        model: On any device, in any precision; it is changed to the ones asked for.
        device: ``cpu``, ``cuda``, ...
        dtype: ``float32``, in which the published models were trained, or ``float64``.
        modal: Level of theory, for weights that know several.
    """

    def __init__(self, model: AtomGraphSequential, *, device: str, dtype: str, modal: str | None) -> None:
        self.dtype = getattr(torch, dtype)
        for module in model.modules():
            if isinstance(module, OnehotEmbedding):
                module.register_forward_hook(self._embedding_in_precision)
        super().__init__(model.to(self.dtype), file_type="model_instance", device=device, modal=modal)

    def _embedding_in_precision(self, module: OnehotEmbedding, _: Any, data: AtomGraphData) -> None:
        """Change what SevenNet makes single precision in any case: which element an atom is."""
        for name in (module.key_output, module.key_additional_output):
            if name is not None:
                data[name] = data[name].to(self.dtype)

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy", "forces"),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Everything at once."""
        Calculator.calculate(self, atoms, properties, system_changes)
        with default_dtype(self.dtype):
            graph: dict[str, Any] = unlabeled_atoms_to_graph(atoms, self.cutoff)
            data = AtomGraphData(**{name: dtype_correct(value, self.dtype) for name, value in graph.items()})
            if self.modal:
                data[keys.DATA_MODALITY] = self.modal
            self.results = self.output_to_results(self.model(data.to(self.device)))
