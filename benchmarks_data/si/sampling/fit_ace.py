"""Fit the linear ACE that sampled the silicon rare-event sets, on the training structures of Zuo et al.

    OMP_NUM_THREADS=1 python fit_ace.py MLEARN_SI OUT_DIR

`MLEARN_SI` is the folder `data/Si` of github.com/materialsvirtuallab/mlearn; its `training.json` is checked against a
sha256. Needs `python-ace==0.4.0rc1` (imports as `pyace`), scikit-learn and ase. Writes `si_ace.yaml` (B-basis
coefficients), `si_ace.yace` (the same, evaluated recursively) and `si_ace.json` (settings and errors).
The fit is a linear least-squares problem with a fixed basis: no random number enters it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from pyace import ACEBBasisSet, create_multispecies_basis_config
from pyace.linearacefit import LinearACEDataset
from scipy.linalg import cho_factor, cho_solve

SHA256 = {
    "training.json": "ae6d4b0a65b00e0fcf7ba0a6fad366716710d2f0d21d70199203089c6866b500",
    "test.json": "d452b30a89f23bff76f7cc529b7b6c2d159ea81ccd5a4599fb1a18207654fa91",
}
ENERGY_WEIGHT = 50.0  # on the energy per atom (eV), against 1 on a force component (eV/Å)
RIDGE = 1e-6  # times the mean diagonal of the normal matrix
BASIS: dict[str, Any] = {
    "deltaSplineBins": 0.001,
    "elements": ["Si"],
    "embeddings": {"ALL": {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}},
    "bonds": {
        "ALL": {
            "radbase": "SBessel",
            "radparameters": [5.25],
            "rcut": 5.0,
            "dcut": 0.01,
        }
    },
    "functions": {
        "number_of_functions_per_element": 300,
        "ALL": {"nradmax_by_orders": [15, 6, 4, 3, 2], "lmax_by_orders": [0, 4, 3, 2, 1]},
    },
}


def read_mlearn(path: Path) -> pd.DataFrame:
    """Read one mlearn file into the columns that pyace wants: `ase_atoms`, `energy` (eV), `forces` (eV/Å).

    Raises:
        ValueError: the file is not the one that the model was fitted to.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256[path.name]:
        message = f"{path.name} has another sha256 than {SHA256[path.name]}"
        raise ValueError(message)
    rows = []
    for entry in json.loads(content):
        structure, outputs = entry["structure"], entry["outputs"]
        atoms = Atoms(
            [site["species"][0]["element"] for site in structure["sites"]],
            positions=[site["xyz"] for site in structure["sites"]],
            cell=structure["lattice"]["matrix"],
            pbc=True,
        )
        rows.append({"ase_atoms": atoms, "energy": outputs["energy"], "forces": np.array(outputs["forces"])})
    return pd.DataFrame(rows)


def fit(data: pd.DataFrame, basis: ACEBBasisSet, e0_ev: float) -> ACEBBasisSet:
    """Solve the weighted, ridge-regularised normal equations; the energies are those above `e0_ev` an atom."""
    shifted = data.assign(energy=[e - e0_ev * len(a) for e, a in zip(data["energy"], data["ase_atoms"], strict=True)])
    dataset = LinearACEDataset(basis, shifted)
    design = np.array(dataset.get_design_matrix(max_workers=1))
    target = np.array(dataset.get_target_vector(), dtype=float)
    weights = np.ones(len(target))
    weights[: len(data)] = ENERGY_WEIGHT
    normal = (design * weights[:, None] ** 2).T @ design
    normal[np.diag_indices_from(normal)] += RIDGE * np.mean(np.diag(normal))
    basis.basis_coeffs = cho_solve(cho_factor(normal), design.T @ (weights**2 * target))
    return basis


def errors(path: Path, data: pd.DataFrame, e0_ev: float) -> dict[str, float]:
    """Root-mean-square errors: meV/atom and eV/Å (components)."""
    from pyace import PyACECalculator

    calculator = PyACECalculator(str(path), recursive_evaluator=True, recursive=True)
    energy, force = [], []
    for atoms, e_ref, f_ref in zip(data["ase_atoms"], data["energy"], data["forces"], strict=True):
        copy = atoms.copy()
        copy.calc = calculator
        energy.append(1e3 * ((copy.get_potential_energy() - e_ref) / len(copy) + e0_ev))
        force.append((copy.get_forces() - f_ref).ravel())
    return {
        "energy_rmse_mev_per_atom": float(np.sqrt(np.mean(np.square(energy)))),
        "force_rmse_ev_per_ang": float(np.sqrt(np.mean(np.concatenate(force) ** 2))),
    }


def main() -> None:
    """Read, fit, save, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mlearn_si", type=Path)
    parser.add_argument("out_dir", type=Path)
    arguments = parser.parse_args()
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    training, test = (read_mlearn(arguments.mlearn_si / name) for name in SHA256)
    e0_ev = float(np.mean([e / len(a) for e, a in zip(training["energy"], training["ase_atoms"], strict=True)]))
    start = time.perf_counter()
    basis = fit(training, ACEBBasisSet(create_multispecies_basis_config(BASIS)), e0_ev)
    elapsed = time.perf_counter() - start
    basis.save(str(arguments.out_dir / "si_ace.yaml"))
    basis.to_ACECTildeBasisSet().save_yaml(str(arguments.out_dir / "si_ace.yace"))
    model = arguments.out_dir / "si_ace.yace"
    report = {
        "e0_ev_per_atom": e0_ev,
        "basis": BASIS,
        "energy_weight": ENERGY_WEIGHT,
        "ridge": RIDGE,
        "n_functions": len(basis.basis_coeffs),
        "fit_time_s": round(elapsed),
        "data_sha256": SHA256,
        "versions": {name: version(name) for name in ("python-ace", "numpy", "scipy", "ase")},
        "train": errors(model, training, e0_ev),
        "test": errors(model, test, e0_ev),
        "yace_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    (arguments.out_dir / "si_ace.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
