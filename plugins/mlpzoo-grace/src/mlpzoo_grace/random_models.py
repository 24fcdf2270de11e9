"""Tiny GRACE models with random weights, for the conformance kit.  Importing this imports TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import tensorflow as tf
from tensorpotential.potentials.presets import FS, GRACE_1LAYER_v2_25, GRACE_2LAYER_v2_25
from tensorpotential.tpmodel import TPModel

if TYPE_CHECKING:
    from pathlib import Path

ELEMENTS: Final = ("Al", "Cu", "O", "Si")
CUTOFF_ANG: Final = 4.5
SEED: Final = 7

COMMON: Final = {
    "element_map": {symbol: i for i, symbol in enumerate(ELEMENTS)},
    "rcut": CUTOFF_ANG,
    "embedding_size": 4,
    "max_order": 2,
    "constant_out_scale": 10.0,
}
LAYERED: Final = {**COMMON, "lmax": 1, "n_rad_base": 4, "n_mlp_dens": 2, "cutoff_function_order": 5}


def write(kind: str, directory: Path) -> Path:
    """Export a model of about a thousand weights, with forces of eV/Å.

    Args:
        kind: One of the backend's ``random_kinds``.
        directory: Where to.

    Returns:
        The saved model's directory.
    """
    tf.random.set_seed(SEED)
    if kind == "2-layer":
        preset = GRACE_2LAYER_v2_25(n_rad_max=(4, 4), prod_func_n_max=(4, 4), indicator_lmax=1, **LAYERED)
    elif kind == "fs":
        preset = FS(lmax=(1, 1), Lmax=(None, 0), max_sum_l=(None, None), lmax_hist=(None, None), n_rad_base=4,
                    n_rad_max=(4, 4), **COMMON)  # fmt: skip
    else:
        preset = GRACE_1LAYER_v2_25(n_rad_max=4, prod_func_n_max=4, **LAYERED)
    model = TPModel(preset.get_instructions())
    model.build(tf.float32 if kind == "float32" else tf.float64)
    path = directory / "saved_model"
    model.save_model(str(path))
    return path
