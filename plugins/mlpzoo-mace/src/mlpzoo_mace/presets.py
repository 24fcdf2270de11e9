"""How MACE models are trained: complete settings, without importing MACE."""

from __future__ import annotations

from typing import Final

from mlpzoo.training import Preset, Setting

SMALL: Final = Preset(
    title="the size of mace/si-small: a quarter of an hour of one core for frames of 60 atoms, however many",
    settings={
        "steps": Setting(value=6000, meaning="of the optimiser, together; whole epochs of them"),
        "max_epochs": Setting(value=400, meaning="most passes over the training set, if it is small"),
        "last_share": Setting(value=0.33, meaning="of the epochs, with weights on energies and stresses"),
        "batch_size": Setting(value=2, meaning="structures a step"),
        "cutoff_ang": Setting(value=4.5, meaning="of one layer, Å; the model sees as many layers as far"),
        "layers": Setting(value=2, meaning="message-passing layers"),
        "hidden_irreps": Setting(value="16x0e", meaning="channels of a message: number and kind"),
        "max_ell": Setting(value=3, meaning="highest spherical harmonic of the neighbours"),
        "correlation": Setting(value=3, meaning="bodies that a message correlates, less one"),
        "radial_functions": Setting(value=8, meaning="Bessel functions of the distance"),
        "radial_width": Setting(value=16, meaning="neurons in each of three layers of the radial network"),
        "learning_rate": Setting(value=0.02, meaning="of Adam in the first epoch"),
        "decay": Setting(value=0.2, meaning="factor of the learning rate over the first epochs together"),
        "last_learning_rate": Setting(value=0.001, meaning="in the last epochs, constant"),
        "energy_weight": Setting(value=100.0, meaning="in the loss, first epochs"),
        "forces_weight": Setting(value=100.0, meaning="in the loss, all epochs"),
        "stress_weight": Setting(value=5000.0, meaning="in the loss, first epochs"),
        "last_energy_weight": Setting(value=4000.0, meaning="in the loss, last epochs"),
        "last_stress_weight": Setting(value=20000.0, meaning="in the loss, last epochs"),
        "ema_decay": Setting(value=0.995, meaning="of the running average of the weights, a step"),
        "weight_decay": Setting(value=1e-8, meaning="of Adam"),
        "clip_gradient": Setting(value=100.0, meaning="largest norm of the gradient"),
        "dtype": Setting(value="float32", meaning="precision of the training; the model runs in both"),
    },
)
PRESETS: Final = {
    "smoke": SMALL.but(
        "a tiny model, 0.1 s a frame: to try whether it works",
        steps=150,
        ema_decay=0.9,
        hidden_irreps="4x0e",
        max_ell=2,
        correlation=2,
        cutoff_ang=4.0,
    ),
    "small": SMALL,
}
