"""The ASE calculator.  Importing this imports JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlpzoo.physics.evaluate import Evaluated
from mlpzoo_deepmd.neighbours import surroundings
from mlpzoo_deepmd.process import deepmd_in_jax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from mlpzoo_deepmd.potential import Found, Potential


class DeepPotentialCalculator(Calculator):
    """A Deep Potential; eV and Å.

    DeePMD-kit's own calculator takes the cell of a molecule, or of a slab with vacuum, for periodic in all
    directions if it is in one, drops neighbours beyond ``sel`` and is compiled anew whenever the number of
    periodic images changes, in MD at almost every step.

    Args:
        potential: The model.
        device: Where it runs.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(self, potential: Potential, device: str = "cpu") -> None:
        super().__init__()
        self.potential = potential
        self._device = device
        self._type_of = {symbol: number for number, symbol in enumerate(potential.elements)}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All properties at once; eV, eV/Å, eV/Å³.

        Raises:
            CalculationError: An atom has more neighbours than the model has places for.
        """
        super().calculate(atoms, properties, system_changes)
        structure: Any = self.atoms
        n = len(structure)
        found = self._found([structure])
        energies = found.energies[:n]
        energy = float(energies.sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": energies,
            "forces": found.forces[:n],
        }
        if structure.cell.rank == 3:  # noqa: PLR2004
            self.results["stress"] = full_3x3_to_voigt_6_stress(found.virials[0]) / structure.cell.volume

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, from one call of the model."""
        found = self._found(frames)
        results, first = [], 0
        for atoms in frames:
            here = slice(first, first + len(atoms))
            first += len(atoms)
            energy = float(found.energies[here].sum())
            results.append(Evaluated(energy_ev=energy, forces_ev_per_ang=found.forces[here]))
        return results

    def _found(self, frames: Sequence[Atoms]) -> Found:
        parts = [surroundings(atoms, self._type_of, self.potential.layout) for atoms in frames]
        with deepmd_in_jax(self._device):
            return self.potential.evaluate(parts)
