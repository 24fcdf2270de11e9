"""From a card, or a ``.mtp`` file, to an ASE calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo_mtp.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec
    from mlpzoo.training import Preset, Trained, TrainingJob


class MtpBackend:
    """The ``mtp`` family."""

    family: Final = "mtp"
    requires: Final = ("motep",)
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the potential at ``spec.path``.

        Raises:
            ModelError: See `mlpzoo_mtp.potential.load`.
        """
        from mlpzoo_mtp.calculator import MtpCalculator
        from mlpzoo_mtp.potential import load

        return MtpCalculator(load(spec))

    def presets(self) -> Mapping[str, Preset]:
        """``smoke``, ``small`` and ``large``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Fit a potential; see `mlpzoo_mtp.training`."""
        from mlpzoo_mtp.training import train

        return train(job)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of a user's own potential: elements and cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        from mlpzoo_mtp.potential import load, symbols

        data = load(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=symbols(data),
            properties=("energy", "forces", "stress"),
            cutoff_ang=float(data.radial_basis.max),
            notes=f"Always float64. Made for distances from {data.radial_basis.min:.2f} Å on.",
        )
