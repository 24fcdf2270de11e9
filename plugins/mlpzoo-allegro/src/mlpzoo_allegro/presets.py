"""How Allegro models are trained: complete settings, without importing NequIP."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mlpzoo_nequip.presets import OPTIMISER, STEPS

from mlpzoo.training import Preset, Setting

SMALL: Final = Preset(
    title="the size of allegro/si-small: twenty minutes of one core for frames of 60 atoms, however many",
    settings={
        **STEPS,
        "steps": replace(STEPS["steps"], value=8000),
        "cutoff_ang": Setting(value=5.0, meaning="Å; the model is strictly local"),
        "layers": Setting(value=2, meaning="of tensor products: 2 layers make four-body features"),
        "l_max": Setting(value=2, meaning="highest order of the tensor features"),
        "parity": Setting(value=False, meaning="whether features of odd parity are kept, too"),
        "scalar_features": Setting(value=32, meaning="channels of the scalar track, width of its networks"),
        "tensor_features": Setting(value=8, meaning="channels of the tensor track"),
        "bessels": Setting(value=8, meaning="Bessel functions of the distance"),
        **OPTIMISER,
    },
)
PRESETS: Final = {
    "smoke": SMALL.but(
        "a tiny model, seconds: to try whether it works",
        steps=300,
        cutoff_ang=4.0,
        layers=1,
        l_max=1,
        scalar_features=16,
        tensor_features=4,
        learning_rate=0.02,
        ema_decay=0.9,
    ),
    "small": SMALL,
}
