"""From a file to a model of metatomic.  Importing this imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from metatomic.torch import check_atomistic_model, load_atomistic_model

if TYPE_CHECKING:
    from pathlib import Path

    from metatomic.torch import AtomisticModel

FUSION: Final = [("DYNAMIC", 10)]
"""What upet sets for TorchScript on import: kernels for one shape break with another number of bonds."""


def load(path: Path) -> AtomisticModel:
    """A checkpoint of metatrain, or an exported model.

    A checkpoint is not compiled to TorchScript, which upet's own calculator does at each start.

    Raises:
        Exception: Whatever metatrain and torch say of a file that is neither.
        ValueError: It has no energy, or wants more than atoms and a cell.
    """
    torch.jit.set_fusion_strategy(FUSION)
    try:
        check_atomistic_model(str(path))
    except ValueError:
        from metatrain.utils.io import load_model

        model = load_model(path).export()
    else:
        model = load_atomistic_model(path)
    capabilities = model.capabilities()
    if "energy" not in capabilities.outputs:
        raise ValueError(f"its outputs are {', '.join(sorted(capabilities.outputs))}, no energy")
    wanted = model.requested_inputs(use_new_names=True)
    if wanted:
        raise ValueError(f"it wants {', '.join(sorted(wanted))} of each structure, which is not offered")
    return model.eval().requires_grad_(requires_grad=False)
