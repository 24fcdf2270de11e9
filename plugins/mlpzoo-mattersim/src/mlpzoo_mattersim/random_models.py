"""A tiny MatterSim model with random weights, for the conformance kit.  Importing this imports MatterSim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from ase.data import atomic_numbers
from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
from mattersim.forcefield.m3gnet.scaling import AtomScaling

if TYPE_CHECKING:
    from pathlib import Path

REFERENCES_EV: Final = {"Al": -1.0, "Cu": -2.0, "O": -3.0, "Si": -4.0}
SCALE_EV: Final = 1000.0
"""Of the energies of atoms, so that forces are eV/Å."""
SEED: Final = 7


def write(kind: str, directory: Path) -> Path:
    """Save a model of a few thousand weights, in the form of MatterSim's checkpoints.

    Args:
        kind: One of the backend's ``random_kinds``.
        directory: Where to.

    Returns:
        The checkpoint.
    """
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(SEED)
    model = M3Gnet(num_blocks=2, units=8, max_l=3, max_n=3, cutoff=4.5, threebody_cutoff=3.5, device="cpu")
    shift = torch.zeros(model.max_z + 1)
    for symbol, energy in REFERENCES_EV.items():
        shift[atomic_numbers[symbol]] = energy
    model.set_normalizer(AtomScaling(init_scale=SCALE_EV, init_shift=shift, max_z=model.max_z, device="cpu"))
    path = directory / f"{kind}.pth"
    torch.save({"model_name": kind, "model": model.state_dict(), "model_args": model.get_model_args()}, path)
    return path
