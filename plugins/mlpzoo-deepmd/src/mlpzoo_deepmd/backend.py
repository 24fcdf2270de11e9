"""The `deepmd` family: cards, ASE calculators of weights, training.  Nothing at the top imports JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo_deepmd import files
from mlpzoo_deepmd.presets import PRESETS
from mlpzoo_deepmd.process import deepmd_in_jax

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec
    from mlpzoo.training import Preset, Trained, TrainingJob

PROPERTIES: Final = ("energy", "forces", "stress")


class DeepmdBackend:
    """The `deepmd` family."""

    family: Final = "deepmd"
    requires: Final = ("deepmd", "jax", "flax")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = ("se_e2_a", "se_e2_a-pairs", "dpa2", "dpa3")

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the weights at `spec.path`.

        Raises:
            ModelError: The file is missing, is no model that the JAX backend runs, or JAX has no such device.
        """
        described = files.load(spec)
        with deepmd_in_jax(spec.device):
            from mlpzoo_deepmd.calculator import DeepPotentialCalculator
            from mlpzoo_deepmd.potential import Potential

            try:
                potential = Potential(described.tree)
            except Exception as error:
                raise ModelError(
                    f"{spec.name}: the JAX backend of deepmd-kit cannot run {spec.path}: "
                    f"{type(error).__name__}: {error}",
                    hint="only models of energies without further inputs run here",
                ) from error
        return DeepPotentialCalculator(potential, spec.device)

    def presets(self) -> Mapping[str, Preset]:
        """``smoke`` and ``small``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Train a model; see `mlpzoo_deepmd.training`."""
        with deepmd_in_jax(job.device, job.threads):
            from mlpzoo_deepmd.training import train

            return train(job)

    def random_model(self, kind: str, directory: Path) -> Path:
        """Write a tiny model with random weights; see `mlpzoo.testing.RandomModels`."""
        with deepmd_in_jax():
            from mlpzoo_deepmd.random_models import write

            return write(kind, directory / f"{kind}.dp")

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own weights, as far as the file tells it: elements and cutoff.

        Raises:
            ModelError: The file is missing, or is no model of DeePMD-kit 3.
        """
        described = files.load(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=described.elements,
            properties=PROPERTIES,
            cutoff_ang=described.cutoff_ang,
        )
