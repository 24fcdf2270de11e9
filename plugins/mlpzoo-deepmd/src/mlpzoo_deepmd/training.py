"""Training of a Deep Potential (se_e2_a) with DeePMD-kit's network, statistics and loss, by Adam of optax.

DeePMD-kit's own loop takes its batches from directories on disk, in an order that a restart does not go on
with, and forgets the state of Adam.  Here the order follows from seed and epoch alone and the whole state is
stored after each epoch: a killed training ends with the bits of one that was not.

Importing this imports JAX; to be called within `mlpzoo_deepmd.process.deepmd_in_jax`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx

from mlpzoo.training import Trained, energies_of_elements, epochs_of, note_on_zero
from mlpzoo_deepmd.building import new_model, settings_of
from mlpzoo_deepmd.files import in_precision
from mlpzoo_deepmd.frames import LabelledFrames, Labels
from mlpzoo_deepmd.potential import Found, evaluate, layout_of
from mlpzoo_deepmd.saving import load_state, save_state, write_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlpzoo.training import TrainingJob
    from mlpzoo_deepmd.batch import Batch

WHAT: Final = "epochs"
CITATION: Final = (
    "DeePMD-kit 3: Zeng et al., J. Chem. Theory Comput. 21, 4375 (2025), doi:10.1021/acs.jctc.5c00340; "
    "se_e2_a: Zhang et al., NeurIPS 2018, doi:10.48550/arXiv.1805.09003"
)


class Terms(NamedTuple):
    """Of the loss: squared errors, or their weights."""

    energy: Any
    forces: Any
    virial: Any


def train(job: TrainingJob) -> Trained:
    """Train a model, or go on; see `mlpzoo.training.TrainingJob`."""
    zeros = energies_of_elements(job)
    settings = settings_of(job)
    model = new_model(job, settings, zeros)
    graph, fitted, fixed = nnx.split(model, nnx.Param, ...)
    frames = _frames(job, job.train, model)
    epochs = epochs_of(job)
    batch_size = int(job.settings["batch_size"])
    n_batches = -(-len(frames) // batch_size)
    optimiser = optax.adam(_learning_rate(job, epochs * n_batches))
    step = jax.jit(partial(_step, graph, fixed, optimiser, _weights(job, epochs * n_batches)))
    path = job.directory / "state.npz"
    (fitted, memory), done = load_state(path, (fitted, optimiser.init(fitted)))
    job.progress(done, epochs, WHAT)
    for epoch in range(done, epochs):
        order = np.random.default_rng([job.seed, epoch]).permutation(len(frames))
        errors = []
        for first in range(0, len(order), batch_size):
            batch, labels = frames.batch(order[first : first + batch_size])
            number = epoch * n_batches + first // batch_size
            fitted, memory, error = step(fitted, memory, batch, labels, number)
            errors.append(error)
        save_state(path, (fitted, memory), epoch + 1)
        rmse = float(np.sqrt(np.mean(errors)))
        job.progress(epoch + 1, epochs, f"{WHAT}, training F RMSE {rmse:.3f} eV/Å")
    result = job.directory / "trained.dp"
    tree = in_precision(nnx.merge(graph, fitted, fixed).serialize(), "float64")
    write_model(result, tree, settings)
    cutoff = float(job.settings["cutoff_ang"])
    room = ", ".join(
        f"{n} {s}" for n, s in zip(settings["descriptor"]["sel"], settings["type_map"], strict=True)
    )
    return Trained(
        path=result,
        cutoff_ang=cutoff,
        n_parameters=sum(int(leaf.size) for leaf in jax.tree.leaves(fitted)),
        title=f"Deep Potential, se_e2_a, embedding {job.settings['embedding']}, "
        f"fitting {job.settings['fitting']}",
        citation=CITATION,
        notes=(
            f"{note_on_zero(zeros)} An atom may have as many neighbours within {cutoff:g} Å: {room}; more "
            f"are refused. Weights after the last of {epochs} epochs; the validation set chose nothing."
        ),
    )


def _frames(job: TrainingJob, frames: Sequence[Any], model: Any) -> LabelledFrames:
    return LabelledFrames(frames, {s: k for k, s in enumerate(job.elements)}, layout_of(model))


def _learning_rate(job: TrainingJob, steps: int) -> optax.Schedule:
    first, last = float(job.settings["learning_rate"]), float(job.settings["last_learning_rate"])
    return optax.cosine_decay_schedule(first, steps, last / first)


def _weights(job: TrainingJob, steps: int) -> Any:
    """From a step's number to the weights: DeePMD-kit's, which follow the learning rate."""
    ends = [
        (float(job.settings[f"{name}_weight"]), float(job.settings[f"last_{name}_weight"]))
        for name in ("energy", "forces", "virial")
    ]
    if not job.has_stress:
        ends[2] = (0.0, 0.0)
    rate = _learning_rate(job, steps)
    start = float(job.settings["learning_rate"])

    def weights(number: Any) -> Terms:
        share = rate(number) / start
        return Terms(*(last + (first - last) * share for first, last in ends))

    return weights


def _step(
    graph: Any,
    fixed: Any,
    optimiser: optax.GradientTransformation,
    weights: Any,
    fitted: Any,
    memory: Any,
    batch: Batch,
    labels: Labels,
    number: Any,
) -> tuple[Any, Any, Any]:
    """One step of the optimiser: new parameters, new memory, and the squared error of forces before it."""

    def objective(parameters: Any) -> tuple[Any, Any]:
        state = nnx.merge_state(parameters, fixed)
        found = evaluate(graph, state, batch, n_structures=labels.energies.shape[0])
        errors = squared_errors(found, batch, labels)
        return sum(w * e for w, e in zip(weights(number), errors, strict=True)), errors.forces

    slopes, forces = jax.grad(objective, has_aux=True)(fitted)
    updates, memory = optimiser.update(slopes, memory, fitted)
    return optax.apply_updates(fitted, updates), memory, forces


def squared_errors(found: Found, batch: Batch, labels: Labels) -> Terms:
    """As in DeePMD-kit's loss: those of energies and virials are per structure and divided by its atoms."""
    n_structures = labels.energies.shape[0]
    n_atoms = batch.real.sum()
    energies = jax.ops.segment_sum(found.energies, batch.structure[: len(batch.real)], n_structures)
    share = labels.real / labels.sizes / labels.real.sum()
    energy = ((energies - labels.energies) ** 2 * share).sum()
    virial = (((found.virials - labels.virials) ** 2).mean(axis=(1, 2)) * share).sum()
    forces = ((found.forces - labels.forces) ** 2).sum() / (3 * n_atoms)
    return Terms(energy, forces, virial)
