"""From a file of weights to Orb's torch module.  Importing this imports Orb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from orb_models.forcefield import pretrained
from orb_models.forcefield.atomic_system import SystemConfig

from mlpzoo.errors import ModelError
from mlpzoo.side_effects import default_dtype
from mlpzoo_orb.architectures import CUTOFF_ANG, Architecture

if TYPE_CHECKING:
    from pathlib import Path

OLD_NAMES = {"node_head.": "heads.forces.", "graph_head.": "heads.energy.", "stress_head.": "heads.stress."}
"""Of the second generation; Orb's own loader knows them, too."""


def empty(architecture: Architecture, dtype: torch.dtype) -> torch.nn.Module:
    """A model without weights, on the CPU."""
    config = SystemConfig(radius=CUTOFF_ANG, max_num_neighbors=architecture.neighbours)
    make = {
        (2, False): pretrained.orb_v2_architecture,
        (3, False): pretrained.orb_v3_direct_architecture,
        (3, True): pretrained.orb_v3_conservative_architecture,
    }[architecture.generation, architecture.conservative]
    with default_dtype(dtype):  # its tables of radial functions are made in it
        return make(device="cpu", system_config=config, **architecture.sizes).to(dtype)


def load(path: Path, architecture: Architecture, *, dtype: torch.dtype, device: str) -> torch.nn.Module:
    """A model with the weights of a file.

    Orb's loader takes a file of another model as long as layers fit; heads that are not in it stay random.

    Raises:
        ModelError: It is no file of weights, or not of this architecture.
    """
    model = empty(architecture, dtype)
    hint = "name the file after the model that it was tuned from, e.g. my-orb-v3-conservative-inf-omat.ckpt"
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = _heads(model.state_dict()) - _heads(state)
        if missing:
            raise ModelError(f"{path} lacks {min(missing)}: it is of another kind of model", hint=hint)
        model.load_state_dict(state, strict=True)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"orb-models cannot load {path}: {type(error).__name__}: {str(error)[:300]}", hint=hint
        ) from error
    return model.to(device).eval().requires_grad_(requires_grad=False)


def _heads(state: dict[str, Any]) -> set[str]:
    """Names of the weights of what is predicted, but for Orb's estimate of its own error."""
    names = set()
    for key in state:
        old = next((prefix for prefix in OLD_NAMES if key.startswith(prefix)), "")
        name = OLD_NAMES[old] + key[len(old) :] if old else key
        if name.startswith("heads.") and not name.startswith("heads.confidence"):
            names.add(name)
    return names
