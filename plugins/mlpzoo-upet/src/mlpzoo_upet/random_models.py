"""A tiny PET with random weights, for the conformance kit.  Importing this imports metatrain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import metatensor.torch as mts
import torch
from ase.data import atomic_numbers
from metatrain.pet import __model__ as PET  # noqa: N812  (a class)
from metatrain.utils.architectures import get_default_hypers
from metatrain.utils.data import DatasetInfo
from metatrain.utils.data.target_info import get_energy_target_info

if TYPE_CHECKING:
    from pathlib import Path

REFERENCES_EV: Final = {"O": -3.0, "Al": -1.0, "Si": -4.0, "Cu": -2.0}
"""By atomic number, as metatrain keeps them."""
SIZES: Final = {
    "cutoff": 4.5,
    "num_neighbors_adaptive": 12,
    "d_pet": 8,
    "d_head": 8,
    "d_node": 16,
    "d_feedforward": 16,
    "num_heads": 2,
    "num_attention_layers": 1,
    "num_gnn_layers": 2,
}
"""Of the kind of the published models, whose cutoff adapts to the number of neighbours."""
SCALE: Final = 2.0
"""Of the last layers, so that forces are eV/Å."""
SEED: Final = 7


def write(kind: str, directory: Path) -> Path:
    """Save a model of a few thousand weights.

    Args:
        kind: ``pet``, a checkpoint as metatrain saves it, or ``exported``, the same one as TorchScript.
        directory: Where to.

    Returns:
        The file.
    """
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(SEED)
    energy = get_energy_target_info("energy", {"quantity": "energy", "unit": "eV"})
    model = PET(
        {**get_default_hypers("pet")["model"], **SIZES},
        DatasetInfo(
            length_unit="angstrom",
            atomic_types=[atomic_numbers[symbol] for symbol in REFERENCES_EV],
            targets={"energy": energy},
        ),
    )
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "last_layers" in name:
                weights.mul_(SCALE)
    of_elements = model.additive_models[0]
    references = of_elements.model.weights["energy"]
    references.block().values[:, 0] = torch.tensor(list(REFERENCES_EV.values()))
    of_elements.energy_composition_buffer = mts.save_buffer(references)
    if kind == "exported":
        path = directory / f"{kind}.pt"
        model.export().save(str(path))
    else:
        path = directory / f"{kind}.ckpt"
        torch.save(model.get_checkpoint(), path)
    return path
