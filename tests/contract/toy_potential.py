"""A correct potential that is easy to break: Lennard-Jones for three metals, brute force over images."""

from __future__ import annotations

from itertools import product
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import kcal, mol
from zoo_trainable import PairsBackend

from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.physics.evaluate import Evaluated

PARAMETERS = {29: (4.72, 2.616), 47: (4.56, 2.955), 79: (5.29, 2.951)}  # doi 10.1021/jp801931d
ONSET, CUTOFF = 4.5, 5.5  # Å


class Toy(Calculator):
    """Honest: every promise of the kit holds.  The methods are the places where bugs go."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, dtype: str = "float64") -> None:
        super().__init__()
        self.dtype = dtype

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results = self.compute(self.atoms)

    def evaluate_many(self, frames) -> list[Evaluated]:
        """Of each structure."""
        found = [self.compute(atoms) for atoms in frames]
        return [Evaluated(energy_ev=one["energy"], forces_ev_per_ang=one["forces"]) for one in found]

    def compute(self, atoms) -> dict[str, Any]:
        """All results; a pure function of the atoms."""
        numbers = self.species(atoms)
        i, j, vectors = self.bonds(atoms)
        energies, gradients = self.pair(vectors, numbers[i], numbers[j])
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, 0.5 * gradients)
        np.add.at(forces, j, -0.5 * gradients)
        results = {"energy": 0.5 * float(np.sum(energies)), "forces": forces}
        if atoms.cell.rank == 3 and atoms.pbc.all():
            virial = 0.5 * vectors.T @ gradients / atoms.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(0.5 * (virial + virial.T))
        if self.dtype == "float32":
            results = {k: np.float32(v).astype(float) for k, v in results.items()}
        return results

    def species(self, atoms):
        unknown = set(atoms.numbers) - set(PARAMETERS)
        if unknown:
            raise KeyError(f"no parameters for {unknown}")
        return atoms.numbers

    def periodic(self, atoms):
        """Directions with images, and a cell without holes."""
        return atoms.pbc & (atoms.cell.lengths() > 0), atoms.cell.complete().array

    def bonds(self, atoms):
        """All directed pairs within the cutoff."""
        pbc, cell = self.periodic(atoms)
        positions = self.wrapped(atoms.positions, cell, pbc)
        ranges = [range(-n, n + 1) for n in np.where(pbc, self.n_images(cell), 0)]
        shifts = np.array(list(product(*ranges))) @ cell
        vectors = positions[None, :, None] - positions[:, None, None] + shifts[None, None]
        distances = np.linalg.norm(vectors, axis=-1)
        i, j, _ = found = np.nonzero((distances < CUTOFF) & (distances > 1e-6))
        return i, j, vectors[found]

    def wrapped(self, positions, cell, pbc):
        fractional = np.linalg.solve(cell.T, positions.T).T
        return positions - np.where(pbc, np.floor(fractional), 0) @ cell

    def n_images(self, cell):
        heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        return np.floor(CUTOFF / heights + 1).astype(int)

    def pair(self, vectors, a, b):
        """Pair energies and their derivatives with respect to the vectors."""
        epsilon, r0 = (np.array([[PARAMETERS[z][x] for z in s] for s in (a, b)]) for x in (0, 1))
        epsilon = np.sqrt(epsilon[0] * epsilon[1]) * kcal / mol
        r = np.linalg.norm(vectors, axis=1)
        x = (0.5 * (r0[0] + r0[1]) / r) ** 6
        energies, slopes = epsilon * (x * x - 2 * x), -12 * epsilon * (x * x - x) / r
        switch, switch_slope = self.switch(r)
        slopes = slopes * switch + energies * switch_slope
        return energies * switch, (slopes / r)[:, None] * vectors

    def switch(self, r):
        t = np.clip((r - ONSET) / (CUTOFF - ONSET), 0, 1)
        slope = -30 * t**2 * (1 - t) ** 2 / (CUTOFF - ONSET)
        return 1 - t**3 * (10 - 15 * t + 6 * t**2), slope


CARD = ModelCard(
    name="toy/toy",
    family="toy",
    title="Toy",
    elements=("Cu", "Ag", "Au"),
    properties=("energy", "forces", "stress"),
    cutoff_ang=CUTOFF,
    level_of_theory="empirical",
    licence="MIT",
    citation="10.1021/jp801931d",
)


class ToyBackend(PairsBackend):
    """Serves any calculator class under one card; what it trains are pair potentials."""

    family = "toy"

    def __init__(self, make=Toy, card: ModelCard = CARD) -> None:
        self.make, self.card = make, card

    def cards(self) -> tuple[ModelCard, ...]:
        return (self.card,)

    def calculator(self, spec: ModelSpec) -> Calculator:
        return super().calculator(spec) if spec.path else self.make(spec.dtype)
