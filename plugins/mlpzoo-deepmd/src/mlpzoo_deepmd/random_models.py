"""Tiny models with random weights, for the conformance kit.  Importing this imports JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from deepmd.jax.model.model import get_model

from mlpzoo_deepmd.saving import write_model

if TYPE_CHECKING:
    from pathlib import Path

TYPES: Final = ("Si", "Ge")
_SE_E2_A: Final = {
    "type": "se_e2_a",
    "rcut": 4.0,
    "rcut_smth": 0.5,
    "sel": [50, 50],
    "neuron": [4, 8],
    "axis_neuron": 4,
    "seed": 1,
}
_ATTENTION: Final = {"neuron": [4, 8], "axis_neuron": 2, "tebd_dim": 4}
_DESCRIPTORS: Final[dict[str, dict[str, Any]]] = {
    "se_e2_a": {**_SE_E2_A, "type_one_side": True},
    "se_e2_a-pairs": {**_SE_E2_A, "type_one_side": False},
    "dpa2": {
        "type": "dpa2",
        "repinit": {**_ATTENTION, "rcut": 4.0, "rcut_smth": 0.5, "nsel": 60},
        "repformer": {
            "rcut": 3.5,
            "rcut_smth": 0.5,
            "nsel": 50,
            "nlayers": 2,
            "g1_dim": 8,
            "g2_dim": 4,
            "axis_neuron": 2,
        },
        "seed": 1,
    },
    "dpa3": {
        "type": "dpa3",
        "repflow": {
            "n_dim": 8,
            "e_dim": 6,
            "a_dim": 4,
            "nlayers": 2,
            "axis_neuron": 2,
            "e_rcut": 4.0,
            "e_rcut_smth": 3.0,
            "e_sel": 60,
            "a_rcut": 3.0,
            "a_rcut_smth": 2.5,
            "a_sel": 30,
        },
        "seed": 1,
    },
}


def write(kind: str, path: Path) -> Path:
    """Write a model of some kind.

    Args:
        kind: One of the backend's ``random_kinds``.
        path: Ends in ``.dp``.
    """
    settings = {
        "type_map": list(TYPES),
        "descriptor": _DESCRIPTORS[kind],
        "fitting_net": {"neuron": [8, 8], "seed": 2},
    }
    model = get_model(settings)
    model.atomic_model.set_out_bias(np.array([[[-5.0], [-4.0]]]))
    write_model(path, model.serialize(), settings)
    return path
