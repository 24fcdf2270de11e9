"""How NequIP models are trained: complete settings, without importing NequIP."""

from __future__ import annotations

from typing import Final

from mlpzoo.training import Preset, Setting

STEPS: Final = {
    "steps": Setting(value=20000, meaning="of the optimiser, together; whole epochs of them"),
    "max_epochs": Setting(value=400, meaning="most passes over the training set, if it is small"),
    "batch_size": Setting(value=1, meaning="structures a step"),
}
OPTIMISER: Final = {
    "learning_rate": Setting(value=0.005, meaning="of Adam, at its highest (one cycle)"),
    "energy_weight": Setting(value=40.0, meaning="of the energy per atom, in the loss"),
    "forces_weight": Setting(value=1.0, meaning="in the loss"),
    "stress_weight": Setting(value=100.0, meaning="in the loss"),
    "ema_decay": Setting(value=0.999, meaning="of the running average of the weights, a step"),
    "clip_gradient": Setting(value=10.0, meaning="largest norm of the gradient"),
    "dtype": Setting(value="float32", meaning="precision of the training; the model runs in both"),
}
"""What every architecture that NequIP trains has: how long, and how."""

SMALL: Final = Preset(
    title="the size of nequip/si-small: half an hour of one core for frames of 60 atoms, however many",
    settings={
        **STEPS,
        "cutoff_ang": Setting(value=5.0, meaning="of one layer, Å; the model sees as many layers as far"),
        "layers": Setting(value=2, meaning="message-passing layers"),
        "l_max": Setting(value=2, meaning="highest order of the features' tensors"),
        "parity": Setting(value=False, meaning="whether features of odd parity are kept, too"),
        "features": Setting(value=32, meaning="of each order"),
        "radial_depth": Setting(value=1, meaning="hidden layers of the radial network"),
        "radial_width": Setting(value=64, meaning="neurons in each of them"),
        **OPTIMISER,
    },
)
PRESETS: Final = {
    "smoke": SMALL.but(
        "a tiny model, seconds: to try whether it works",
        steps=300,
        cutoff_ang=4.0,
        l_max=1,
        features=8,
        radial_width=16,
        learning_rate=0.02,
        ema_decay=0.9,
    ),
    "small": SMALL,
}
