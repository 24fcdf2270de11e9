"""Train `nequip/si-small` on the public silicon set of Zuo et al. (doi:10.1021/acs.jpca.9b08723).

    OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 python si_small.py DATA_FOLDER WORK_FOLDER

DATA_FOLDER holds `training.json` and `test.json`: data/Si of the mlearn repository at commit 10c427a. It runs
in the family's environment; every setting is in `si_small.yaml`. A run that was interrupted goes on from its
last epoch when the same command is given again. The model ends up as WORK_FOLDER/si-small.ckpt, and the last
thing printed is a JSON object: errors, hashes, time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.units import GPa
from nequip.integrations.ase import NequIPCalculator
from nequip.model import ModelFromCheckpoint
from nequip.utils.global_state import set_global_state

DATA_SHA256 = {
    "training.json": "ae6d4b0a65b00e0fcf7ba0a6fad366716710d2f0d21d70199203089c6866b500",
    "test.json": "d452b30a89f23bff76f7cc529b7b6c2d159ea81ccd5a4599fb1a18207654fa91",
}
CONFIG = Path(__file__).with_name("si_small.yaml")


def main() -> None:
    """Prepare, train, export, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    work: Path = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    training, test = (read_mlearn(arguments.data / name) for name in DATA_SHA256)

    started = time.monotonic()
    train(training, work)
    seconds = time.monotonic() - started

    model = work / "si-small.ckpt"
    export(work / "last.ckpt", model)
    report = {
        "test": errors(model, test),
        "training": errors(model, training),
        "data_sha256": DATA_SHA256,
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "model_size_bytes": model.stat().st_size,
        "training_seconds": round(seconds),
    }
    print(json.dumps(report, indent=2))


def read_mlearn(path: Path) -> list[Atoms]:
    """Read one JSON list of the mlearn repository, after a check of its sha256.

    `virial_stress` is VASP's "in kB" line: kbar, positive under compression. Its shear components come in the
    order xy yz zx in the group Elastic (see the sheared lattice vector) and xy zx yz in the other groups
    (only so are the slabs free of traction). It becomes ASE's: eV/Å³, positive under tension, xx yy zz yz
    zx xy.

    Raises:
        SystemExit: The file is not the one that the model was trained on.
    """
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != DATA_SHA256[path.name]:
        raise SystemExit(f"{path} is not the expected file: its sha256 differs")
    frames = []
    for entry in json.loads(raw):
        structure, outputs = entry["structure"], entry["outputs"]
        atoms = Atoms(
            symbols=[site["species"][0]["element"] for site in structure["sites"]],
            scaled_positions=[site["abc"] for site in structure["sites"]],
            cell=structure["lattice"]["matrix"],
            pbc=True,
            info={"group": entry["group"]},
        )
        order = [0, 1, 2, 4, 5, 3] if entry["group"] == "Elastic" else [0, 1, 2, 5, 4, 3]
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=outputs["energy"],
            forces=np.array(outputs["forces"]),
            stress=-0.1 * GPa * np.array(outputs["virial_stress"])[order],
        )
        frames.append(atoms)
    return frames


def train(frames: list[Atoms], work: Path) -> None:
    """Run `nequip-train` in `work`, or go on with the run that was interrupted there.

    The run watches a tenth of the frames it trains on: that shows progress and selects nothing. The model is
    the one after the last epoch.
    """
    write(work / "train.xyz", frames)
    write(work / "monitor.xyz", frames[::10])
    shutil.copy(CONFIG, work)
    command = [str(Path(sys.executable).with_name("nequip-train")), "-cp", str(work), "-cn", CONFIG.stem]
    if (work / "last.ckpt").exists():
        command.append("++ckpt_path=last.ckpt")
    subprocess.run(command, cwd=work, check=True)


def export(trained: Path, target: Path) -> None:
    """Write the averaged weights of a checkpoint as a plain, small checkpoint.

    What is left are tensors, numbers and strings: no optimiser state, no path of the machine that trained it,
    and no class to unpickle, so that `torch.load(weights_only=True)` takes it. NequIP loads it as any other.
    """
    checkpoint = torch.load(trained, map_location="cpu", weights_only=False)
    settings = checkpoint["hyper_parameters"]
    set_global_state(allow_tf32=False)
    averaged = ModelFromCheckpoint(str(trained)).state_dict()
    weights = {f"model.{name}": value for name, value in averaged.items()}
    kept = {
        "model": settings["model"],
        "num_datasets": {"train": 1, "val": 0, "test": 0, "predict": 0},
        "info_dict": {
            "versions": settings["info_dict"]["versions"],
            "training_module": {"_target_": "nequip.train.NequIPLightningModule"},
            "data": example_data(settings["model"]),
        },
    }
    plain = {
        "state_dict": {**weights, "run_stage": torch.zeros(1, dtype=torch.long)},
        "hyper_parameters": json.loads(json.dumps(kept)),
        "pytorch-lightning_version": checkpoint["pytorch-lightning_version"],
        "epoch": checkpoint["epoch"],
        "global_step": checkpoint["global_step"],
    }
    torch.save(plain, target)


def example_data(model: dict[str, Any]) -> dict[str, Any]:
    """Settings of a data set that needs no file.

    `nequip-compile` and `nequip-package` trace a model on one structure of its training set. This takes that
    place: a rattled aluminium crystal, whose atoms are handed to the model as silicon.
    """
    (species,) = model["type_names"]
    mapper = {
        "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
        "model_type_names": [species],
        "chemical_species_to_atom_type_map": {"Al": species},
    }
    neighbours = {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": model["r_max"]}
    crystal = {
        "_target_": "nequip.data.dataset.EMTTestDataset",
        "element": "Al",
        "supercell": [2, 2, 2],
        "num_frames": 1,
        "transforms": [mapper, neighbours],
    }
    loader = {"_target_": "torch.utils.data.DataLoader", "batch_size": 1}
    return {
        "_target_": "nequip.data.datamodule.NequIPDataModule",
        "seed": 0,
        "train_dataset": [crystal],
        "val_dataset": [crystal],
        "train_dataloader": loader,
        "val_dataloader": loader,
    }


def errors(model: Path, frames: list[Atoms]) -> dict[str, float]:
    """RMSE over all frames (energy per atom) and over all components (forces, stress), by NequIP."""
    calculator = NequIPCalculator._from_saved_model(  # noqa: SLF001  (no public way to load a checkpoint)
        model, chemical_species_to_atom_type_map=True
    )
    energy, forces, stress = [], [], []
    for labelled in frames:
        atoms = labelled.copy()
        atoms.calc = calculator
        energy.append((atoms.get_potential_energy() - labelled.get_potential_energy()) / len(atoms))
        forces.append((atoms.get_forces() - labelled.get_forces()).ravel())
        stress.append(atoms.get_stress() - labelled.get_stress())

    def rmse(differences: list[Any]) -> float:
        return float(np.sqrt(np.mean(np.hstack(differences) ** 2)))

    return {
        "energy_rmse_mev_per_atom": round(1000 * rmse(energy), 3),
        "force_rmse_ev_per_ang": round(rmse(forces), 5),
        "stress_rmse_gpa": round(rmse(stress) / GPa, 4),
    }


if __name__ == "__main__":
    main()
