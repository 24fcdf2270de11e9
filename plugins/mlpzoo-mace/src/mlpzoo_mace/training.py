"""Training of a MACE model, epoch by epoch, each of which can be the last of a process.

The models, losses, steps and averages are MACE's own (as ``mace_run_train`` uses them); the loop is ours,
because that one saves a state only when the validation loss fell, forgets the averaged weights when it goes
on, and does not know in which order it would have drawn the batches.  Here a killed training gives the
weights that it would have given uninterrupted: an epoch's order follows from seed and number, all else is in
the state.

Importing this imports MACE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase.stress import voigt_6_to_full_3x3_stress
from e3nn import o3
from mace import data, modules
from mace.tools import torch_geometric
from mace.tools.train import evaluate, take_step
from mace.tools.utils import AtomicNumberTable
from torch_ema import ExponentialMovingAverage

from mlpzoo.training import Trained, epochs_of, note_on_zero
from mlpzoo_mace.saving import save_without_paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms
    from mace.modules.models import MACE

    from mlpzoo.training import TrainingJob

KEYS = data.KeySpecification(
    info_keys={"energy": "REF_energy", "stress": "REF_stress"}, arrays_keys={"forces": "REF_forces"}
)
CITATION = "MACE: Batatia et al., NeurIPS 2022, doi:10.48550/arXiv.2206.07697"


def train(job: TrainingJob) -> Trained:
    """Train a model, or go on; see `mlpzoo.training.TrainingJob`."""
    torch.set_num_threads(job.threads)
    torch.set_default_dtype(getattr(torch, str(job.settings["dtype"])))
    table = AtomicNumberTable(sorted({int(z) for atoms in job.train for z in atoms.numbers}))
    configurations = [_configuration(atoms) for atoms in job.train]
    energies = data.compute_average_E0s(configurations, table)
    training_set = _graphs(configurations, table, job)
    torch.manual_seed(job.seed)
    model = _model(job, table, [energies[z] for z in table.zs], training_set)
    state = _State(model, job)
    validation_set = _graphs([_configuration(atoms) for atoms in job.validation], table, job)
    state.run(training_set, _batches(validation_set, size=8))
    path = job.directory / "trained.model"
    state.use_best()
    save_without_paths(model, path)
    settings = job.settings
    reach = float(settings["cutoff_ang"]) * int(settings["layers"])
    zero = {symbol: float(energies[z]) for symbol, z in zip(job.elements, table.zs, strict=True)}
    return Trained(
        path=path,
        cutoff_ang=float(settings["cutoff_ang"]),
        n_parameters=sum(p.numel() for p in model.parameters()),
        title=f"MACE, {settings['layers']} layers of {settings['hidden_irreps']}",
        citation=CITATION,
        notes=(
            f"{settings['layers']} message-passing layers: an atom feels others up to {reach:g} Å away. "
            f"{note_on_zero(zero)} "
            f"Epoch {state.best_epoch + 1} of {state.epochs}, chosen by the validation loss."
        ),
    )


class _State:
    """Everything that changes from one epoch to the next.

    Args:
        model: To be trained.
        job: How.
    """

    def __init__(self, model: MACE, job: TrainingJob) -> None:
        self.job = job
        self.model = model.to(job.device)
        self.optimizer = _optimizer(model, job)
        self.average = ExponentialMovingAverage(model.parameters(), decay=float(job.settings["ema_decay"]))
        self.epochs = epochs_of(job)
        self.last_stage = max(1, round(self.epochs * (1 - float(job.settings["last_share"]))))
        self.done = 0
        self.best_epoch = -1
        self.best_loss = np.inf
        self.best: dict[str, Any] = {}
        self._load()

    def run(self, training_set: Sequence[Any], validation: Any) -> None:
        """All epochs that are left."""
        what = "epochs"
        self.job.progress(self.done, self.epochs, what)
        for epoch in range(self.done, self.epochs):
            self._epoch(epoch, training_set)
            force_rmse = self._judge(epoch, validation)
            self.done = epoch + 1
            self._save()
            self.job.progress(self.done, self.epochs, f"{what}, validation F RMSE {force_rmse:.3f} eV/Å")

    def use_best(self) -> None:
        """Give the model the weights of the best epoch."""
        self.model.load_state_dict(self.best)

    def _epoch(self, epoch: int, training_set: Sequence[Any]) -> None:
        settings = self.job.settings
        if epoch >= self.last_stage:
            rate = settings["last_learning_rate"]
        else:
            rate = settings["learning_rate"] * settings["decay"] ** (epoch / self.last_stage)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        order = torch.Generator().manual_seed(self.job.seed * 1_000_003 + epoch)
        loss = self._loss(epoch)
        for batch in _batches(training_set, size=int(settings["batch_size"]), generator=order):
            take_step(
                model=self.model,
                loss_fn=loss,
                batch=batch,
                optimizer=self.optimizer,
                ema=self.average,
                output_args=self._wanted,
                max_grad_norm=float(settings["clip_gradient"]),
                device=torch.device(self.job.device),
            )

    def _judge(self, epoch: int, validation: Any) -> float:
        """Keep the averaged weights if none of this stage were better; returns the force error, eV/Å."""
        if epoch == self.last_stage:
            self.best_loss = np.inf  # it is another loss from here on
        with self.average.average_parameters():
            loss, errors = evaluate(
                model=self.model,
                loss_fn=self._loss(epoch),
                data_loader=validation,
                output_args=self._wanted,
                device=torch.device(self.job.device),
            )
            if loss < self.best_loss or not self.best:
                self.best_loss, self.best_epoch = float(loss), epoch
                self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        return float(errors["rmse_f"])

    def _loss(self, epoch: int) -> torch.nn.Module:
        settings, last = self.job.settings, "last_" if epoch >= self.last_stage else ""
        weights = {
            "energy_weight": settings[f"{last}energy_weight"],
            "forces_weight": settings["forces_weight"],
        }
        if not self.job.has_stress:
            return modules.WeightedEnergyForcesLoss(**weights).to(self.job.device)
        weights["stress_weight"] = settings[f"{last}stress_weight"]
        return modules.WeightedEnergyForcesStressLoss(**weights).to(self.job.device)

    @property
    def _wanted(self) -> dict[str, bool]:
        return {"energy": True, "forces": True, "virials": False, "stress": self.job.has_stress}

    @property
    def _path(self) -> Path:
        return self.job.directory / "state.pt"

    def _save(self) -> None:
        """Replace the state on disk: a kill in the middle leaves the old one."""
        temporary = self._path.with_suffix(".part")
        state = {
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
        }
        torch.save(state, temporary)
        temporary.replace(self._path)

    def _load(self) -> None:
        if not self._path.exists():
            return
        state = torch.load(self._path, map_location=self.job.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.done, self.best = state["done"], state["best"]
        self.best_loss, self.best_epoch = state["best_loss"], state["best_epoch"]


def _model(job: TrainingJob, table: AtomicNumberTable, energies: list[float], graphs: Sequence[Any]) -> MACE:
    """A new model, with the scales of the training set; what is not set is MACE's default."""
    settings = job.settings
    everything = _batches(graphs, size=16)
    atomic_energies = np.array([energies])
    mean, deviation = modules.scaling_classes["rms_forces_scaling"](everything, atomic_energies)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    return modules.ScaleShiftMACE(
        r_max=float(settings["cutoff_ang"]),
        num_bessel=int(settings["radial_functions"]),
        num_polynomial_cutoff=5,
        max_ell=int(settings["max_ell"]),
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=int(settings["layers"]),
        num_elements=len(table),
        hidden_irreps=o3.Irreps(str(settings["hidden_irreps"])),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=atomic_energies,
        avg_num_neighbors=modules.compute_avg_num_neighbors(everything),
        atomic_numbers=table.zs,
        correlation=int(settings["correlation"]),
        gate=modules.gate_dict["silu"],
        use_reduced_cg=False,
        radial_MLP=[int(settings["radial_width"])] * 3,
        heads=["Default"],
        atomic_inter_scale=deviation,
        atomic_inter_shift=mean,
    )


def _optimizer(model: MACE, job: TrainingJob) -> torch.optim.Optimizer:
    """Adam; weights of linear maps and of products decay, as in ``mace_run_train``."""
    decay = float(job.settings["weight_decay"])
    named = dict(model.interactions.named_parameters())
    decaying = [p for name, p in named.items() if "linear.weight" in name or "skip_tp_full.weight" in name]
    ids = {id(p) for p in decaying}
    groups = [
        (model.node_embedding.parameters(), 0.0),
        (decaying, decay),
        ([p for p in named.values() if id(p) not in ids], 0.0),
        (model.products.parameters(), decay),
        (model.readouts.parameters(), 0.0),
    ]
    return torch.optim.Adam(
        [{"params": list(parameters), "weight_decay": rate} for parameters, rate in groups],
        lr=float(job.settings["learning_rate"]),
        amsgrad=True,
        betas=(0.9, 0.999),
    )


def _configuration(atoms: Atoms) -> data.Configuration:
    results = atoms.calc.results
    labelled = atoms.copy()
    labelled.info["REF_energy"] = results["energy"]
    labelled.arrays["REF_forces"] = results["forces"]
    if "stress" in results:
        labelled.info["REF_stress"] = voigt_6_to_full_3x3_stress(results["stress"])
    return data.config_from_atoms(labelled, key_specification=KEYS)


def _graphs(configurations: Sequence[Any], table: AtomicNumberTable, job: TrainingJob) -> list[Any]:
    cutoff = float(job.settings["cutoff_ang"])
    return [data.AtomicData.from_config(c, z_table=table, cutoff=cutoff) for c in configurations]


def _batches(graphs: Sequence[Any], *, size: int, generator: torch.Generator | None = None) -> Any:
    return torch_geometric.dataloader.DataLoader(
        graphs, batch_size=size, shuffle=generator is not None, generator=generator
    )
