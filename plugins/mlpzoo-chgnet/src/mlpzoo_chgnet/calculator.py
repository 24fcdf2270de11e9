"""CHGNet as an ASE calculator in both precisions.  Importing this imports CHGNet.

CHGNet's own calculator returns the stress as a matrix, takes every structure as periodic, and computes in
single precision only.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import chgnet.graph.converter
import chgnet.model.model
import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa
from pymatgen.core import Lattice, Structure

from mlpzoo.physics.cells import cell_without_images
from mlpzoo.physics.evaluate import Evaluated
from mlpzoo.side_effects import default_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms
    from chgnet.graph.crystalgraph import CrystalGraph


class ChgnetCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of a CHGNet model.

    Args:
        model: On any device, in any precision; it is changed to the ones asked for.
        device: ``cpu``, ``cuda``, ...
        dtype: ``float32``, in which the published models were trained, or ``float64``.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, model: chgnet.model.model.CHGNet, *, device: str, dtype: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, dtype)
        self.model = model.to(device, self.dtype)
        self.model.graph_converter.set_isolated_atom_response("ignore")
        if self.model.composition_model is not None:
            self.model.composition_model._assemble_graphs = self._composition  # noqa: SLF001

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy", "forces"),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy and forces, and the stress if it is asked for."""
        super().calculate(atoms, properties, system_changes)
        with_stress = "stress" in properties
        (found,) = self._predict([atoms], task="efs" if with_stress else "ef")
        self.results = {"energy": float(found["e"]) * len(atoms), "forces": found["f"]}
        if with_stress:
            cell = self._box(atoms)
            # CHGNet divides by the signed volume of the cell that it was given
            per_volume = float(np.linalg.det(cell)) / atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(found["s"]) * GPa * per_volume

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        return [
            Evaluated(energy_ev=float(found["e"]) * len(atoms), forces_ev_per_ang=found["f"].astype(float))
            for atoms, found in zip(frames, self._predict(frames, task="ef"), strict=True)
        ]

    def _predict(self, frames: Sequence[Atoms], *, task: str) -> list[dict[str, Any]]:
        """What CHGNet says: energies in eV an atom, stresses in GPa."""
        with _in_precision(self.dtype):
            graphs = [self.model.graph_converter(self._structure(atoms)) for atoms in frames]
            found = self.model.predict_graph(graphs, task=task, batch_size=len(graphs))
        return [found] if isinstance(found, dict) else found

    def _structure(self, atoms: Atoms) -> Structure:
        lattice = Lattice(self._box(atoms))
        return Structure(lattice, atoms.numbers, atoms.positions, coords_are_cartesian=True)

    def _box(self, atoms: Atoms) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A cell with periodic images out of reach in directions that are not periodic."""
        return cell_without_images(atoms, self.model.graph_converter.atom_graph_cutoff + 1.0)

    def _composition(self, graphs: Sequence[CrystalGraph]) -> torch.Tensor:
        """Share of each element in each structure; CHGNet's own rounds it to single precision."""
        composition = self.model.composition_model
        rows = []
        for graph in graphs:
            counts = torch.bincount(graph.atomic_number - 1, minlength=composition.max_num_elements)
            total = len(graph.atomic_number) if composition.is_intensive else 1
            rows.append(counts.to(self.dtype) / total)
        return torch.stack(rows)


@contextmanager
def _in_precision(dtype: torch.dtype) -> Iterator[None]:
    """Make CHGNet, and torch, create numbers of this precision for a while."""
    with (
        default_dtype(dtype),
        patch.object(chgnet.graph.converter, "TORCH_DTYPE", dtype),
        patch.object(chgnet.model.model, "TORCH_DTYPE", dtype),
    ):
        yield
