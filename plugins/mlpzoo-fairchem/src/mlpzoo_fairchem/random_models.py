"""A tiny UMA with random weights, for the conformance kit.  Importing this imports fairchem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import hydra
import torch
from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

SEED: Final = 7
SCALE_EV: Final = 100.0
"""What makes forces eV/Å."""
TASKS: Final = ("omat", "omol")

UMA: Final = "fairchem.core.models.uma"
UNIT: Final = "fairchem.core.units.mlip_unit.mlip_unit"
BACKBONE: Final[dict[str, Any]] = {
    "model": f"{UMA}.escn_moe.eSCNMDMoeBackbone",
    "max_num_elements": 100,
    "sphere_channels": 8,
    "hidden_channels": 8,
    "edge_channels": 8,
    "num_distance_basis": 16,
    "lmax": 2,
    "mmax": 2,
    "num_layers": 2,
    "cutoff": 4.5,
    "max_neighbors": 300,
    "otf_graph": True,
    "direct_forces": False,
    "regress_forces": True,
    "regress_stress": True,
    "norm_type": "rms_norm_sh",
    "act_type": "gate",
    "ff_type": "spectral",
    "chg_spin_emb_type": "rand_emb",
    "dataset_mapping": {task: task for task in TASKS},
    "num_experts": 4,
    "use_composition_embedding": True,
}
HEAD: Final[dict[str, Any]] = {
    "module": f"{UMA}.escn_moe.DatasetSpecificSingleHeadWrapper",
    "dataset_names": list(TASKS),
    "head_cls": f"{UMA}.escn_md.MLP_EFS_Head",
    "head_kwargs": {"wrap_property": False},
}
PROPERTIES: Final = (("energy", "system", [1]), ("forces", "atom", [3]), ("stress", "system", [1, 9]))


def write(kind: str, directory: Path) -> Path:
    """Save a checkpoint of two tasks.

    Args:
        kind: The task that the name of the file asks for.
        directory: Where to.

    Returns:
        The checkpoint.
    """
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(SEED)
    config = {
        "_target_": "fairchem.core.models.base.HydraModel",
        "model_id": "random",
        "pass_through_head_outputs": True,
        "supports_single_atoms": True,
        "backbone": BACKBONE,
        "heads": {"energyandforcehead": HEAD},
    }
    model = hydra.utils.instantiate(config)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    path = directory / f"tiny-{kind}.pt"
    torch.save(
        MLIPInferenceCheckpoint(
            model_config=config,
            model_state_dict=model.state_dict(),
            ema_state_dict=averaged.state_dict(),
            tasks_config=[_task(task, *property_) for task in TASKS for property_ in PROPERTIES],
        ),
        path,
    )
    return path


def _task(task: str, name: str, level: str, shape: list[int]) -> dict[str, Any]:
    return {
        "_target_": f"{UNIT}.Task",
        "name": f"{task}_{name}",
        "level": level,
        "property": name,
        "out_spec": {"_target_": f"{UNIT}.OutputSpec", "dim": shape, "dtype": "float32"},
        "normalizer": {
            "_target_": "fairchem.core.modules.normalization.normalizer.Normalizer",
            "mean": 0.0,
            "rmsd": SCALE_EV,
        },
        "datasets": [task],
    }
