"""MatterSim's models as an ASE calculator in both precisions.  Importing this imports MatterSim.

MatterSim's own calculator rounds positions and cells to single precision, turns the sign of the stress of a
left-handed cell, and gives a molecule a cell that depends on its orientation.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers, chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa
from mattersim.datasets.utils.convertor import compute_threebody_indices
from mattersim.forcefield.potential import batch_to_dict
from pymatgen.optimization.neighbors import find_points_in_spheres
from torch_geometric.data import Batch, Data

from mlpzoo.physics.cells import cell_without_images
from mlpzoo.physics.evaluate import Evaluated, taken_apart
from mlpzoo.side_effects import default_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    from mattersim.forcefield.potential import Potential
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SAME_PLACE_ANG = 1e-8
"""An atom this far from itself is itself, no image."""


class MatterSimCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of a MatterSim model.

    Args:
        potential: On the CPU, in any precision; it is changed to what is asked for.
        device: ``cpu``, ``cuda``, ...
        dtype: ``float32``, in which the published models were trained, or ``float64``.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, potential: Potential, *, device: str, dtype: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, dtype)
        self.potential = potential.to(device, self.dtype).requires_grad_(requires_grad=False)
        self.potential.device = device
        self._device = device
        self._known = frozenset(atomic_numbers[symbol] for symbol in elements_of(potential.model))
        arguments = potential.model.model_args
        self._reach, self._reach_of_angles = float(arguments["cutoff"]), float(arguments["threebody_cutoff"])

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
        energies, forces, stresses = self._evaluate([atoms], with_stress=with_stress)
        self.results = {"energy": float(energies[0]), "forces": forces}
        if with_stress:
            # MatterSim divides by the determinant of the cell, which is negative if that is left-handed
            box = float(np.linalg.det(self._box(atoms)))
            stress = stresses[0] * (GPa * box / atoms.get_volume())
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        energies, forces, _ = self._evaluate(frames, with_stress=False)
        return taken_apart(energies, forces, [len(atoms) for atoms in frames])

    def _evaluate(self, frames: Sequence[Atoms], *, with_stress: bool) -> tuple[Array, Array, Array]:
        """Energies in eV, forces of all atoms in eV/Å, stresses in GPa, shape (n, 3, 3)."""
        unknown = set(np.concatenate([atoms.numbers for atoms in frames]).tolist()) - self._known
        if unknown:
            raise KeyError(", ".join(chemical_symbols[number] for number in sorted(unknown)))
        batch = Batch.from_data_list([self._graph(atoms) for atoms in frames])
        with _in_precision(self.dtype):
            found = self.potential(
                batch_to_dict(batch, device=self._device), include_forces=True, include_stresses=with_stress
            )
        energies, forces = (_numbers(found[name]) for name in ("total_energy", "forces"))
        return energies, forces, _numbers(found["stresses"]) if with_stress else np.empty((0, 3, 3))

    def _graph(self, atoms: Atoms) -> Data:
        """Atoms, bonds, and pairs of bonds that meet in an atom."""
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
        ends = np.stack([first[bonds], second[bonds]]).astype(np.int64)
        angles, n_angles, _, _ = compute_threebody_indices(
            bond_atom_indices=ends.T,
            bond_length=distances[bonds],
            n_atoms=len(atoms),
            atomic_number=atoms.numbers,
            threebody_cutoff=self._reach_of_angles,
        )
        return Data(
            num_nodes=len(atoms),
            num_atoms=len(atoms),
            num_bonds=ends.shape[1],
            atom_attr=torch.tensor(atoms.numbers[:, None], dtype=self.dtype),
            atom_pos=torch.tensor(positions, dtype=self.dtype),
            cell=torch.tensor(box[None], dtype=self.dtype),
            edge_index=torch.tensor(ends),
            pbc_offsets=torch.tensor(images[bonds], dtype=self.dtype),
            three_body_indices=torch.tensor(angles, dtype=torch.long),
            num_three_body=len(angles),
            num_triple_ij=torch.tensor(n_angles[:, None], dtype=torch.long),
        )

    def _box(self, atoms: Atoms) -> Array:
        """A cell with periodic images out of reach in directions that are not periodic."""
        return cell_without_images(atoms, self._reach + 1.0)


def elements_of(model: M3Gnet) -> tuple[str, ...]:
    """The elements whose energy was learnt: that of others is exactly zero.  All, if it has no energies."""
    energies = model.normalizer.shift.tolist()
    learnt = [number for number, energy in enumerate(energies) if number and energy]
    return tuple(chemical_symbols[number] for number in learnt or range(1, len(energies)))


def _numbers(tensor: torch.Tensor) -> Array:
    return np.atleast_1d(tensor.detach().cpu().numpy().astype(float))


@contextmanager
def _in_precision(dtype: torch.dtype) -> Iterator[Any]:
    """Make MatterSim, and torch, create numbers of this precision for a while.

    Its model calls ``float()`` on what it makes on the way, which is single precision.
    """
    with default_dtype(dtype), patch.object(torch.Tensor, "float", lambda tensor: tensor.to(dtype)):
        yield
