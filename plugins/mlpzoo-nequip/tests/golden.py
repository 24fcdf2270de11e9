"""Compute the golden numbers again, in the family's environment: `python golden.py > golden.json`.

The model is built by NequIP's own loader, from a copy of the weights whose settings say float64.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from nequip.integrations.ase import NequIPCalculator

WEIGHTS = Path(__file__).parents[1] / "src" / "mlpzoo_nequip" / "models" / "si-small.ckpt"


def structures() -> list[Atoms]:
    """A distorted and sheared crystal, a vacancy, a free cluster."""
    crystal = bulk("Si", "diamond", a=5.47, cubic=True)
    crystal.set_cell(crystal.cell @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True)
    crystal.rattle(0.1, seed=1)
    vacancy = bulk("Si", "diamond", a=5.47).repeat(2)
    del vacancy[3]
    vacancy.rattle(0.05, seed=2)
    cluster = bulk("Si", "diamond", a=5.47, cubic=True)
    cluster.set_pbc(False)
    cluster.center(vacuum=5.0)
    return [crystal, vacancy, cluster]


def float64_calculator(folder: Path) -> NequIPCalculator:
    """NequIP's own calculator of the shipped weights, in float64."""
    checkpoint = torch.load(WEIGHTS, weights_only=True)
    checkpoint["hyper_parameters"]["model"]["model_dtype"] = "float64"
    torch.save(checkpoint, folder / "float64.ckpt")
    return NequIPCalculator._from_saved_model(folder / "float64.ckpt", chemical_species_to_atom_type_map=True)


def frame(atoms: Atoms, calculator: NequIPCalculator) -> dict[str, Any]:
    """Structure and results, as JSON holds them without loss."""
    calculator.calculate(atoms)
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.tolist(),
        "pbc": atoms.pbc.tolist(),
        "energy": float(calculator.results["energy"]),
        "forces": calculator.results["forces"].tolist(),
        "stress": calculator.results["stress"].tolist(),
    }


def main() -> None:
    """Print the JSON, one frame a line."""
    with tempfile.TemporaryDirectory() as folder:
        calculator = float64_calculator(Path(folder))
    frames = ",\n".join(json.dumps(frame(atoms, calculator)) for atoms in structures())
    print(f'{{"command": "python golden.py > golden.json", "frames": [\n{frames}\n]}}')


if __name__ == "__main__":
    main()
