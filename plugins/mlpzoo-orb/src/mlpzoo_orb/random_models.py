"""Tiny Orb models with random weights, for the conformance kit.  Importing this imports Orb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from mlpzoo_orb.architectures import RANDOM
from mlpzoo_orb.building import empty

if TYPE_CHECKING:
    from pathlib import Path

SEED: Final = 7
SCALE: Final = 10.0
"""Of energies (eV) and direct forces (eV/Å), so that tolerances mean something."""


def write(kind: str, directory: Path) -> Path:
    """Save the weights of a tiny model.

    Args:
        kind: One of the backend's ``random_kinds``.
        directory: Where to.

    Returns:
        The file.
    """
    torch.manual_seed(SEED)
    model = empty(RANDOM[kind], torch.float32)
    for name in {"energy", "forces"} & set(model.heads):
        model.heads[name].normalizer.bn.running_var.fill_(SCALE**2)
    path = directory / f"random-{kind}.ckpt"
    torch.save(model.state_dict(), path)
    return path
