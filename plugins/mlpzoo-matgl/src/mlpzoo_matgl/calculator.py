"""MatGL's potentials as an ASE calculator in both precisions.  Importing this imports MatGL.

MatGL's own calculator gives stresses in GPa as a matrix if not told otherwise, takes a structure that is
periodic in one or two directions for a molecule, and rounds positions to single precision.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import matgl
import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from matgl.utils.constants import EV_PER_ANG3_TO_GPA
from pymatgen.optimization.neighbors import find_points_in_spheres
from torch_geometric.data import Batch, Data

from mlpzoo.physics.cells import cell_without_images
from mlpzoo.physics.evaluate import Evaluated, taken_apart
from mlpzoo.side_effects import default_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms
    from matgl.apps.pes import Potential

SAME_PLACE_ANG = 1e-8
"""An atom this far from itself is itself, no image."""


class MatglCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of a potential.

    Args:
        potential: On any device, in any precision; it is changed to the ones asked for.
        device: ``cpu``, ``cuda``, ...
        dtype: ``float32``, in which the published models were trained, or ``float64``.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, potential: Potential, *, device: str, dtype: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, dtype)
        self.potential = potential.to(device, self.dtype).requires_grad_(requires_grad=False)
        self._index = {symbol: i for i, symbol in enumerate(potential.model.element_types)}
        self._reach = float(potential.model.cutoff)

    def calculate(
        self,
        atoms: Atoms,
        properties: Sequence[str] = ("energy", "forces"),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy and forces, and the stress if it is asked for.

        Raises:
            KeyError: A species is not one of the model's.
        """
        super().calculate(atoms, properties, system_changes)
        with_stress = "stress" in properties
        energies, forces, stress = self._evaluate([atoms], with_stress=with_stress)
        self.results = {"energy": float(energies[0]), "forces": forces}
        if with_stress:
            # MatGL divides by the volume of the cell that it was given
            box = abs(float(np.linalg.det(self._box(atoms))))
            per_volume = box / (atoms.get_volume() * EV_PER_ANG3_TO_GPA)
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress * per_volume)

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        energies, forces, _ = self._evaluate(frames, with_stress=False)
        return taken_apart(energies, forces, [len(atoms) for atoms in frames])

    def _evaluate(
        self, frames: Sequence[Atoms], *, with_stress: bool
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Energies in eV, forces of all atoms in eV/Å, stresses in GPa."""
        device = self.potential.data_mean.device
        graphs = [self._graph(atoms) for atoms in frames]
        boxes = torch.tensor(np.stack([self._box(atoms) for atoms in frames]), dtype=self.dtype)
        state = torch.zeros(2, dtype=self.dtype, device=device)
        graph = Batch.from_data_list(graphs) if len(graphs) > 1 else graphs[0]
        self.potential.calc_stresses = with_stress
        with _in_precision(self.dtype):
            found = self.potential(graph.to(device), boxes.to(device), state)
        energies, forces, stresses = (part.detach().cpu().numpy().astype(float) for part in found[:3])
        return np.atleast_1d(energies), forces, stresses

    def _graph(self, atoms: Atoms) -> Data:
        """Atoms and bonds; positions are fractions of the box."""
        box = self._box(atoms)
        positions = np.ascontiguousarray(atoms.positions, dtype=float)
        first, second, images, distances = find_points_in_spheres(
            positions,
            positions,
            r=self._reach,
            pbc=np.ones(3, dtype=np.int64),
            lattice=np.ascontiguousarray(box),
            tol=SAME_PLACE_ANG,
        )
        bonds = (first != second) | (distances > SAME_PLACE_ANG)
        species = [self._index[symbol] for symbol in atoms.get_chemical_symbols()]
        return Data(
            num_nodes=len(atoms),
            edge_index=torch.tensor(np.stack([first[bonds], second[bonds]]), dtype=matgl.int_th),
            pbc_offset=torch.tensor(images[bonds], dtype=self.dtype),
            node_type=torch.tensor(species, dtype=torch.long),
            frac_coords=torch.tensor(np.linalg.solve(box.T, positions.T).T, dtype=self.dtype),
        )

    def _box(self, atoms: Atoms) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A cell with periodic images out of reach in directions that are not periodic."""
        return cell_without_images(atoms, self._reach + 1.0)


@contextmanager
def _in_precision(dtype: torch.dtype) -> Iterator[None]:
    """Make MatGL, and torch, create numbers of this precision for a while."""
    with default_dtype(dtype), patch.object(matgl, "float_th", dtype):
        yield
