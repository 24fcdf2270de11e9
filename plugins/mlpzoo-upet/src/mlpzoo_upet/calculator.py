"""Models of metatomic as an ASE calculator in both precisions.  Importing this imports metatomic.

metatomic's own calculator keeps a list of neighbours, longer by 2 Å, from call to call, so that their order,
and with it the last digits, can depend on what was computed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from metatomic.torch import ModelEvaluationOptions, ModelOutput, System
from vesin.metatomic import neighbor_lists_for_model

from mlpzoo.physics.evaluate import Evaluated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from metatomic.torch import AtomisticModel
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class UpetCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, Voigt) of a model of metatomic.

    Args:
        model: On the CPU, in any precision; it is changed to what is asked for.
        device: ``cpu``, ``cuda``, ...
        dtype: ``float32``, in which the published models were trained, or ``float64``.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, model: AtomisticModel, *, device: str, dtype: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, dtype)
        model.capabilities().dtype = dtype
        self.model = model.to(device=device, dtype=self.dtype)
        self._device = torch.device(device)
        self._known = frozenset(model.capabilities().atomic_types)
        self._neighbors = neighbor_lists_for_model("angstrom", self.model, skin=0.0)
        self._asked = ModelEvaluationOptions(
            length_unit="angstrom",
            outputs={"energy": ModelOutput(unit="eV", sample_kind="system")},
            selected_atoms=None,
        )

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
        energies, forces, virials = self._evaluate([atoms], with_stress=with_stress)
        self.results = {"energy": float(energies[0]), "forces": forces[0]}
        if with_stress:
            stress = (virials[0] + virials[0].T) / (2 * atoms.get_volume())
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        energies, forces, _ = self._evaluate(frames, with_stress=False)
        return [
            Evaluated(energy_ev=float(energy), forces_ev_per_ang=force)
            for energy, force in zip(energies, forces, strict=True)
        ]

    def _evaluate(
        self, frames: Sequence[Atoms], *, with_stress: bool
    ) -> tuple[Array, list[Array], list[Array]]:
        """Energies in eV, forces in eV/Å, derivatives with respect to strain in eV, shape (3, 3)."""
        unknown = set(np.concatenate([atoms.numbers for atoms in frames]).tolist()) - self._known
        if unknown:
            raise KeyError(", ".join(chemical_symbols[number] for number in sorted(unknown)))
        places = [self._tensor(atoms.positions).requires_grad_() for atoms in frames]
        strains = [self._tensor(np.eye(3)).requires_grad_(with_stress) for _ in frames]
        systems = [
            self._system(atoms, place, strain)
            for atoms, place, strain in zip(frames, places, strains, strict=True)
        ]
        for neighbors in self._neighbors:
            neighbors.add_neighbor_list(systems)
        found = self.model(systems, self._asked, check_consistency=False)["energy"].block().values
        variables = [*places, *(strains if with_stress else ())]
        gradients = [np.zeros(variable.shape) for variable in variables]
        if found.requires_grad:
            derivatives = torch.autograd.grad(found.sum(), variables, allow_unused=True)
            gradients = [
                zero if one is None else _numbers(one)
                for zero, one in zip(gradients, derivatives, strict=True)
            ]
        n = len(frames)
        return _numbers(found)[:, 0], [-gradient for gradient in gradients[:n]], gradients[n:]

    def _system(self, atoms: Atoms, place: torch.Tensor, strain: torch.Tensor) -> System:
        """In directions that are not periodic metatomic wants no lattice vector."""
        cell = np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)
        return System(
            torch.tensor(atoms.numbers, dtype=torch.int32, device=self._device),
            place @ strain,
            self._tensor(cell) @ strain,
            torch.tensor(atoms.pbc, device=self._device),
        )

    def _tensor(self, numbers: Array) -> torch.Tensor:
        return torch.tensor(np.asarray(numbers), dtype=self.dtype, device=self._device)


def elements_of(model: AtomisticModel) -> tuple[str, ...]:
    """The elements that a model knows, by atomic number."""
    return tuple(chemical_symbols[number] for number in sorted(model.capabilities().atomic_types))


def cutoff_of(model: AtomisticModel) -> float:
    """The largest distance of neighbours that a model asks for, in Å."""
    return max((one.engine_cutoff("angstrom") for one in model.requested_neighbor_lists()), default=0.0)


def _numbers(tensor: torch.Tensor) -> Array:
    found: Array = tensor.detach().cpu().numpy().astype(float)
    return found
