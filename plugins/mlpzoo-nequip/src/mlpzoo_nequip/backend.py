"""The `nequip` family: cards, and ASE calculators of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo_nequip import weights
from mlpzoo_nequip.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec
    from mlpzoo.training import Preset, Trained, TrainingJob

PROPERTIES: Final = ("energy", "forces", "stress")


class NequIPBackend:
    """The `nequip` family."""

    family: Final = "nequip"
    requires: Final = ("nequip", "torch")
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the weights at `spec.path`.

        Raises:
            ModelError: The file is missing, is no model of this version of NequIP, or cannot compute in the
                precision that was asked for.
        """
        loaded = weights.load(spec)
        if loaded.dtype != spec.dtype:
            raise ModelError(
                f"{spec.name}: the precision of {spec.path} is fixed to {loaded.dtype}, not {spec.dtype}",
                hint=f"ask for dtype {loaded.dtype}, or give the checkpoint that the file was made from",
            )
        with weights.process_kept_as_it_was():
            from nequip.integrations.utils import basic_transforms

            from mlpzoo_nequip.calculator import BatchingCalculator, Float64Calculator

            make = BatchingCalculator if loaded.takes_batches else Float64Calculator
            species = {name: name for name in loaded.elements}
            transforms = basic_transforms(loaded.metadata, loaded.cutoff_ang, list(species), species)
            calculator: Calculator = make(loaded.model, spec.device, transforms=transforms)
        return calculator

    def presets(self) -> Mapping[str, Preset]:
        """``smoke`` and ``small``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Train a model; see `mlpzoo_nequip.training`."""
        with weights.process_kept_as_it_was():
            from mlpzoo_nequip.training import train

            return train(job)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own weights, as far as the file tells it: elements and cutoff.

        Raises:
            ModelError: The file is missing, or is no model of this version of NequIP.
        """
        loaded = weights.load(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=loaded.elements,
            properties=PROPERTIES,
            cutoff_ang=loaded.cutoff_ang,
        )
