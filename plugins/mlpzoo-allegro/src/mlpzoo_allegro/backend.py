"""The `allegro` family: an architecture of the NequIP framework, in the environment of `nequip`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo_nequip import weights
from mlpzoo_nequip.backend import NequIPBackend

from mlpzoo.plugin_files import cards_beside
from mlpzoo_allegro.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlpzoo.models import ModelCard
    from mlpzoo.training import Preset, Trained, TrainingJob


class AllegroBackend(NequIPBackend):
    """The `allegro` family: files, calculators and environment are those of `nequip`."""

    family: Final = "allegro"  # type: ignore[misc]
    requires: Final = ("allegro", "nequip", "torch")  # type: ignore[misc]

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def presets(self) -> Mapping[str, Preset]:
        """``smoke`` and ``small``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Train a model; see `mlpzoo_nequip.training`."""
        with weights.process_kept_as_it_was():
            from mlpzoo_nequip.training import train

            from mlpzoo_allegro.training import ALLEGRO

            return train(job, ALLEGRO)
