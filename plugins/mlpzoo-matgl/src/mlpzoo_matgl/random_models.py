"""Tiny potentials with random weights, for the conformance kit.  Importing this imports MatGL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from matgl.apps.pes import Potential
from matgl.models import CHGNet, M3GNet, SO3Net, TensorNet

if TYPE_CHECKING:
    from pathlib import Path

ELEMENTS: Final = ("Al", "Cu", "O", "Si")
REFERENCES_EV: Final = [-1.0, -2.0, -3.0, -4.0]
SEED: Final = 7

COMMON: Final = {"element_types": ELEMENTS, "is_intensive": False}
THREE: Final = {"dim_node_embedding": 8, "dim_edge_embedding": 8, "threebody_cutoff": 3.5}
ANGLES: Final = {"dim_atom_embedding": 8, "dim_bond_embedding": 8, "dim_angle_embedding": 8}
HIDDEN: Final = dict.fromkeys(("atom_conv_hidden_dims", "bond_conv_hidden_dims", "final_hidden_dims"), (8,))
SMOOTH: Final = {"rbf_type": "SphericalBessel", "use_smooth": True}

MODELS: Final[dict[str, tuple[float, Any, dict[str, Any]]]] = {
    "tensornet": (300.0, TensorNet, {"cutoff": 4.5, "units": 16, "nblocks": 1, "num_rbf": 8, **SMOOTH}),
    "m3gnet": (
        1000.0,
        M3GNet,
        {"cutoff": 4.5, "units": 8, "max_n": 3, "max_l": 2, "nblocks": 2, **THREE, **SMOOTH},
    ),
    "chgnet": (300.0, CHGNet, {"cutoff": 4.2, "max_n": 5, "max_f": 3, "num_blocks": 2, **ANGLES, **HIDDEN}),
    "so3net": (3000.0, SO3Net, {"cutoff": 4.5, "nmax": 3, "lmax": 2, "units": 8, "nblocks": 1}),
}
"""What scales the energies so that forces are eV/Å, the class, and its arguments."""


def write(kind: str, directory: Path) -> Path:
    """Save a potential of a few thousand weights.

    Args:
        kind: One of the backend's ``random_kinds``.
        directory: Where to.

    Returns:
        The folder of its files.
    """
    scale, make, arguments = MODELS[kind]
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(SEED)
    potential = Potential(make(**COMMON, **arguments), data_std=scale, element_refs=REFERENCES_EV)
    path = directory / kind
    potential.save(path)
    return path
