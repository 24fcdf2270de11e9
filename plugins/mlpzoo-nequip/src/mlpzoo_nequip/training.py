"""Training of a NequIP model, or of another architecture of that framework: what ``nequip-train`` does, here.

The state is saved after each epoch, the order of the data included: a killed training goes on as it would
have.  ``max_epochs`` ends it, never a time limit: that stops inside an epoch and leaves the averaged weights
swapped.

Importing this imports NequIP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import lightning
import torch
from ase.io import write
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from nequip.data.datamodule import ASEDataModule
from nequip.train import EMALightningModule
from nequip.utils import get_current_code_versions
from nequip.utils.global_state import get_latest_global_state, set_global_state

from mlpzoo.training import Trained, energies_of_elements, epochs_of, note_on_zero
from mlpzoo_nequip.export import export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlpzoo.training import TrainingJob

WHAT: Final = "epochs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What differs between the models that NequIP trains.

    Attributes:
        title: One line on a model with the settings of a job.
        reach: What a reader should know of how far an atom feels others.
        citation: Of the method.
        model: Settings of the model's builder that are its own, from those of a job.
    """

    title: Callable[[TrainingJob], str]
    reach: Callable[[TrainingJob], str]
    citation: str
    model: Callable[[TrainingJob], dict[str, Any]]


def _reach(job: TrainingJob) -> str:
    layers = int(job.settings["layers"])
    far = float(job.settings["cutoff_ang"]) * layers
    return f"{layers} message-passing layers: an atom feels others up to {far:g} Å away."


NEQUIP: Final = Architecture(
    title=lambda job: (
        f"NequIP, {job.settings['layers']} layers, l_max {job.settings['l_max']}, "
        f"{job.settings['features']} features"
    ),
    reach=_reach,
    citation="NequIP: Batzner et al., Nat. Commun. 13, 2453 (2022), doi:10.1038/s41467-022-29939-5",
    model=lambda job: {
        "_target_": "nequip.model.NequIPGNNModel",
        "num_layers": job.settings["layers"],
        "l_max": job.settings["l_max"],
        "parity": job.settings["parity"],
        "num_features": job.settings["features"],
        "radial_mlp_depth": job.settings["radial_depth"],
        "radial_mlp_width": job.settings["radial_width"],
    },
)


def train(job: TrainingJob, architecture: Architecture = NEQUIP) -> Trained:
    """Train a model, or go on; see `mlpzoo.training.TrainingJob`."""
    torch.set_num_threads(job.threads)
    set_global_state(allow_tf32=False)
    last = job.directory / "last.ckpt"
    epochs = epochs_of(job)
    done = _epochs_in(last)
    job.progress(done, epochs, WHAT)
    zeros = energies_of_elements(job)
    if done < epochs:
        _fit(job, architecture, epochs, zeros, last)
    path = job.directory / "trained.ckpt"
    n_parameters = export(last, path)
    return Trained(
        path=path,
        cutoff_ang=float(job.settings["cutoff_ang"]),
        n_parameters=n_parameters,
        title=architecture.title(job),
        citation=architecture.citation,
        notes=(
            f"{architecture.reach(job)} {note_on_zero(zeros)} Averaged weights after the last of {epochs} "
            "epochs; the validation set chose nothing."
        ),
    )


class _OrderedData(ASEDataModule):  # type: ignore[misc]  # nequip is not typed
    """NequIP's data, in an order that follows from seed and epoch alone.

    NequIP saves the state of its random numbers, but restores it too late.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to restore."""

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch that is about to begin."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        self.train_generator_state = generator.get_state()
        if hasattr(self, "train_generator"):
            self.train_generator.set_state(self.train_generator_state)


class _Report(Callback):  # type: ignore[misc]  # lightning is not seen by the type checker
    """Tells how far the training is, once the state of an epoch has been saved.

    Args:
        job: Whom to tell.
        epochs: Of how many.
    """

    def __init__(self, job: TrainingJob, epochs: int) -> None:
        self.job = job
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """After the checkpoint, which is written at the end of the validation."""
        del module
        trainer.datamodule.begin(trainer.current_epoch + 1)
        error = trainer.callback_metrics.get("val0_epoch/forces_rmse")
        text = WHAT if error is None else f"{WHAT}, validation F RMSE {float(error):.3f} eV/Å"
        self.job.progress(trainer.current_epoch + 1, self.epochs, text)


def _epochs_in(checkpoint: Path) -> int:
    """Epochs that were completed; 0 if there is no checkpoint."""
    if not checkpoint.exists():
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=False)["epoch"]) + 1


def _fit(
    job: TrainingJob, architecture: Architecture, epochs: int, zeros: dict[str, float], last: Path
) -> None:
    data = _data(job)
    module_data = _OrderedData(**{key: value for key, value in data.items() if key != "_target_"})
    module_data.begin(_epochs_in(last))
    on_gpu = job.device.startswith("cuda")
    trainer = lightning.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=[int(job.device.partition(":")[2] or 0)] if on_gpu else 1,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=epochs,
        gradient_clip_val=float(job.settings["clip_gradient"]),
        logger=False,
        inference_mode=False,
        num_sanity_val_steps=0,
        default_root_dir=job.directory,
        callbacks=[
            _Report(job, epochs),
            ModelCheckpoint(
                dirpath=job.directory,
                filename=last.stem,
                save_top_k=1,
                every_n_epochs=1,
                enable_version_counter=False,
            ),
        ],
    )
    info = {
        "versions": get_current_code_versions(),
        "data": data,
        "trainer": {},
        "global_options": get_latest_global_state(),
        "runs": ["train"],
    }
    if last.exists():
        settings = torch.load(last, map_location="cpu", weights_only=False)["hyper_parameters"]
        info["training_module"] = settings["info_dict"]["training_module"]
        module = EMALightningModule.load_from_checkpoint(
            last,
            map_location="cpu",
            num_datasets=module_data.num_datasets,
            info_dict=info,
            weights_only=False,
        )
    else:
        known = module_data.get_statistics(dataset="train")
        description = _module(job, epochs)
        description["model"] = {
            **architecture.model(job),
            "seed": job.seed,
            "model_dtype": job.settings["dtype"],
            "type_names": list(job.elements),
            "r_max": float(job.settings["cutoff_ang"]),
            "avg_num_neighbors": float(known["num_neighbors_mean"]),
            "per_type_energy_shifts": zeros,
            "per_type_energy_scales": float(known["forces_rms"]),
        }
        info["training_module"] = description
        module = instantiate(
            description,
            _recursive_=False,
            _convert_="all",
            num_datasets=module_data.num_datasets,
            info_dict=info,
        )
    module.world_size = trainer.world_size
    trainer.fit(
        model=module,
        datamodule=module_data,
        ckpt_path=str(last) if last.exists() else None,
        weights_only=False,
    )


def _data(job: TrainingJob) -> dict[str, Any]:
    """Settings of NequIP's data module; the structures go through files."""
    files = {"train": job.directory / "train.xyz", "validation": job.directory / "validation.xyz"}
    for path, frames in zip(files.values(), (job.train, job.validation), strict=True):
        write(path, list(frames), format="extxyz")
    loader = {"_target_": "torch.utils.data.DataLoader"}
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": job.seed,
        "train_file_path": str(files["train"]),
        "val_file_path": str(files["validation"]),
        "transforms": [
            {
                "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": list(job.elements),
                "chemical_species_to_atom_type_map": {symbol: symbol for symbol in job.elements},
            },
            {
                "_target_": "nequip.data.transforms.NeighborListTransform",
                "r_max": float(job.settings["cutoff_ang"]),
            },
        ],
        "train_dataloader": {**loader, "batch_size": int(job.settings["batch_size"]), "shuffle": True},
        "val_dataloader": {**loader, "batch_size": 4},
        "stats_manager": {
            "_target_": "nequip.data.CommonDataStatisticsManager",
            "type_names": list(job.elements),
            "dataloader_kwargs": {"batch_size": 8},
        },
    }


def _module(job: TrainingJob, epochs: int) -> dict[str, Any]:
    """Settings of loss, optimiser and learning rate."""
    settings, stress = job.settings, job.has_stress
    weights = {"total_energy": settings["energy_weight"], "forces": settings["forces_weight"]}
    watched = {"per_atom_energy_rmse": 1.0, "forces_rmse": 1.0}
    if stress:
        weights["stress"], watched["stress_rmse"] = settings["stress_weight"], 1.0
    kind = "EnergyForceStress" if stress else "EnergyForce"
    rate = float(settings["learning_rate"])
    n_steps = -(-len(job.train) // int(settings["batch_size"]))
    return {
        "_target_": "nequip.train.EMALightningModule",
        "ema_decay": settings["ema_decay"],
        "loss": {"_target_": f"nequip.train.{kind}Loss", "per_atom_energy": True, "coeffs": weights},
        "val_metrics": {"_target_": f"nequip.train.{kind}Metrics", "coeffs": watched},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": rate},
        "lr_scheduler": {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.OneCycleLR",
                "max_lr": rate,
                "epochs": epochs,
                "steps_per_epoch": n_steps,
                "pct_start": 0.04,
                "div_factor": 10.0,
                "final_div_factor": 1000.0,
            },
            "interval": "step",
            "frequency": 1,
        },
    }
