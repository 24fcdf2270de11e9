"""From the settings of a job to a model that is ready to be trained.  Importing this imports JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import complete_cell
from deepmd.jax.model.model import get_model

from mlpzoo.errors import UsageError
from mlpzoo_deepmd.neighbours import counts

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.training import TrainingJob


def settings_of(job: TrainingJob) -> dict[str, Any]:
    """What DeePMD-kit's input has in ``model``.

    Raises:
        UsageError: A network has no layers.
    """
    settings = job.settings
    most = np.max([counts(a, job.elements, float(settings["cutoff_ang"])) for a in job.train], axis=0)
    room = np.maximum(np.ceil(float(settings["room"]) * most), 1).astype(int)
    return {
        "type_map": list(job.elements),
        "descriptor": {
            "type": "se_e2_a",
            "rcut": float(settings["cutoff_ang"]),
            "rcut_smth": float(settings["smooth_from_ang"]),
            "sel": [int(n) for n in room],
            "neuron": _layers(job, "embedding"),
            "axis_neuron": int(settings["axis_neurons"]),
            "type_one_side": True,
            "precision": str(settings["dtype"]),
            "seed": job.seed,
        },
        "fitting_net": {
            "neuron": _layers(job, "fitting"),
            "resnet_dt": True,
            "precision": str(settings["dtype"]),
            "seed": job.seed + 1,
        },
    }


def new_model(job: TrainingJob, settings: dict[str, Any], zeros: dict[str, float]) -> Any:
    """A model with random weights, statistics of the training set, and energies that count from ``zeros``."""
    model = get_model(settings)
    descriptor = model.atomic_model.descriptor
    descriptor.compute_input_stats([_sample(atoms, job.elements) for atoms in job.train])
    bias = np.array([zeros[symbol] for symbol in job.elements])
    model.atomic_model.set_out_bias(bias.reshape(1, -1, 1))
    return model


def _layers(job: TrainingJob, name: str) -> list[int]:
    try:
        neurons = [int(word) for word in str(job.settings[name]).split()]
    except ValueError:
        neurons = []
    if not neurons or min(neurons) < 1:
        raise UsageError(
            f"--set {name}={job.settings[name]}: no numbers of neurons", hint=f"--set '{name}=16 32'"
        )
    return neurons


def _sample(atoms: Atoms, elements: tuple[str, ...]) -> dict[str, Any]:
    """A structure as DeePMD-kit's statistics take it."""
    number = {symbol: k for k, symbol in enumerate(elements)}
    types = np.array([[number[s] for s in atoms.symbols]])
    cell = np.asarray(complete_cell(atoms.cell.array))
    return {
        "coord": atoms.positions[None],
        "atype": types,
        "box": cell.reshape(1, 9) if atoms.pbc.any() else None,
        "natoms": np.array([[len(atoms), len(atoms), *np.bincount(types[0], minlength=len(elements))]]),
    }
