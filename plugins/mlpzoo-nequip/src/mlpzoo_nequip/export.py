"""Small plain checkpoints of what NequIP trained.  Importing this imports NequIP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from nequip.model import ModelFromCheckpoint
from nequip.utils.global_state import set_global_state

if TYPE_CHECKING:
    from pathlib import Path


def export(trained: Path, target: Path) -> int:
    """Write the averaged weights of a checkpoint as a plain, small checkpoint; returns how many there are.

    What is left are tensors, numbers and strings: no optimiser state, no path of the machine that trained it,
    and no class to unpickle, so that `torch.load(weights_only=True)` takes it. NequIP loads it as any other.
    """
    checkpoint = torch.load(trained, map_location="cpu", weights_only=False)
    settings = checkpoint["hyper_parameters"]
    set_global_state(allow_tf32=False)
    model = ModelFromCheckpoint(str(trained))
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
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
    temporary = target.with_name(f"{target.name}.part")
    torch.save(plain, temporary)
    temporary.replace(target)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def example_data(model: dict[str, Any]) -> dict[str, Any]:
    """Settings of a data set that needs no file.

    `nequip-compile` and `nequip-package` trace a model on one structure of its training set. This takes that
    place: a rattled aluminium crystal, whose atoms are handed to the model as its first species.
    """
    mapper = {
        "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
        "model_type_names": list(model["type_names"]),
        "chemical_species_to_atom_type_map": {"Al": model["type_names"][0]},
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
