"""From a card, or a file of weights that was tuned from a published one, to an ASE calculator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import lock_beside
from mlpzoo.side_effects import quiet_torch
from mlpzoo_orb.architectures import CUTOFF_ANG, PUBLISHED, RANDOM, Architecture, named_in
from mlpzoo_orb.cards import cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec


class OrbBackend:
    """The ``orb`` family."""

    family: Final = "orb"
    requires: Final = ("orb_models", "torch")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = tuple(RANDOM)

    def cards(self) -> Sequence[ModelCard]:
        """The published models; the first is the default."""
        return cards()

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the weights at ``spec.path``.

        Raises:
            ModelError: They are missing, or are not of the model that the card or the file's name says.
        """
        path, architecture = _weights(spec)
        with quiet_torch():
            import torch

            from mlpzoo_orb.building import load
            from mlpzoo_orb.calculator import OrbCalculator

            dtype = getattr(torch, spec.dtype)
            model = load(path, architecture, dtype=dtype, device=spec.device)
            calculator: Calculator = OrbCalculator(
                model, conservative=architecture.conservative, device=spec.device, dtype=dtype
            )
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own weights: what holds for the model that they were tuned from.

        Raises:
            ModelError: As for `calculator`.
        """
        _, architecture = _weights(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=architecture.elements,
            properties=("energy", "forces", "stress"),
            conservative=architecture.conservative,
            cutoff_ang=CUTOFF_ANG,
        )

    def random_model(self, kind: str, directory: Path) -> Path:
        """Save a tiny model with random weights; see `mlpzoo.testing.RandomModels`."""
        with quiet_torch():
            from mlpzoo_orb.random_models import write

            return write(kind, directory)


def _weights(spec: ModelSpec) -> tuple[Path, Architecture]:
    """The file, and what it is the weights of."""
    path = Path(spec.path or "")
    if spec.path is None or not path.is_file():
        raise ModelError(f"{spec.name}: there is no file {spec.path}", hint="give a '.ckpt' file of weights")
    published = PUBLISHED.get(spec.name.partition("/")[2]) if spec.name.startswith("orb/") else None
    architecture = published or named_in(path.stem)
    if architecture is None:
        raise ModelError(
            f"{path.name} does not say which model it was tuned from",
            hint=f"rename it so that its name holds one of orb-{', orb-'.join(PUBLISHED)}",
        )
    return path, architecture
