"""How Deep Potentials are trained: complete settings, without importing DeePMD-kit."""

from __future__ import annotations

from typing import Final

from mlpzoo.training import Preset, Setting

SMALL: Final = Preset(
    title="the size of deepmd/si-small: ten minutes of one core for frames of 60 atoms, however many",
    settings={
        "steps": Setting(value=15000, meaning="of the optimiser, together; whole epochs of them"),
        "max_epochs": Setting(value=400, meaning="most passes over the training set, if it is small"),
        "batch_size": Setting(value=1, meaning="structures a step"),
        "cutoff_ang": Setting(value=5.0, meaning="Å"),
        "smooth_from_ang": Setting(value=0.5, meaning="where 1/r begins to be switched off, Å"),
        "room": Setting(
            value=1.7,
            meaning="places for neighbours, in units of the most in the training set; none is dropped",
        ),
        "embedding": Setting(value="16 32 64", meaning="neurons of each layer of the embedding network"),
        "axis_neurons": Setting(value=12, meaning="columns of the embedding that make the second factor"),
        "fitting": Setting(value="64 64 64", meaning="neurons of each layer of the fitting network"),
        "learning_rate": Setting(value=0.003, meaning="of Adam, at the start"),
        "last_learning_rate": Setting(value=0.00001, meaning="at the end; it falls by a cosine"),
        "energy_weight": Setting(value=0.02, meaning="of squared errors per atom of energies, at the start"),
        "last_energy_weight": Setting(value=10.0, meaning="at the end; weights go with the learning rate"),
        "forces_weight": Setting(value=100.0, meaning="of squared errors of force components, at the start"),
        "last_forces_weight": Setting(value=5.0, meaning="at the end"),
        "virial_weight": Setting(value=0.02, meaning="of squared errors per atom of virials, at the start"),
        "last_virial_weight": Setting(value=1.0, meaning="at the end"),
        "dtype": Setting(value="float32", meaning="precision of the training; the model runs in both"),
    },
)
PRESETS: Final = {
    "smoke": SMALL.but(
        "a tiny model, seconds: to try whether it works",
        steps=300,
        cutoff_ang=4.0,
        embedding="4 8",
        axis_neurons=4,
        fitting="16 16",
        learning_rate=0.01,
        last_learning_rate=0.001,
    ),
    "small": SMALL,
}
