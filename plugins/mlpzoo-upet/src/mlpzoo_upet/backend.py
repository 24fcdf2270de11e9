"""From a card, or a model of metatrain, to an ASE calculator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import lock_beside
from mlpzoo.side_effects import quiet_torch
from mlpzoo_upet.cards import ROTATIONS, cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from metatomic.torch import AtomisticModel

    from mlpzoo.models import ModelSpec

HINT: Final = "give a checkpoint ('.ckpt') of metatrain, or what 'mtt export' makes of it ('.pt')"


class UpetBackend:
    """The ``upet`` family."""

    family: Final = "upet"
    requires: Final = ("upet", "metatrain", "torch")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = ("pet", "exported")

    def cards(self) -> Sequence[ModelCard]:
        """The published models; the first is the default."""
        return cards()

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the model at ``spec.path``.

        Raises:
            ModelError: The file is missing, or is no model of metatrain; it has no energy, wants more than
                atoms and a cell, or lacks elements of its card.
        """
        model = _load(spec)
        with quiet_torch():
            from mlpzoo_upet.calculator import UpetCalculator, elements_of

            absent = set(spec.card.elements if spec.card else ()) - set(elements_of(model))
            if absent:
                raise ModelError(
                    f"{spec.name}: {spec.path} does not know {', '.join(sorted(absent))}, as its card does",
                    hint="it is another file: delete it and fetch it again",
                )
            calculator: Calculator = UpetCalculator(model, device=spec.device, dtype=spec.dtype)
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own model: elements, and cutoff of a bond.

        Raises:
            ModelError: As for `calculator`.
        """
        model = _load(spec)
        with quiet_torch():
            from mlpzoo_upet.calculator import cutoff_of, elements_of

            return ModelCard(
                name=spec.name,
                family=self.family,
                elements=elements_of(model),
                properties=("energy", "forces", "stress"),
                cutoff_ang=cutoff_of(model),
                notes=ROTATIONS,
            )

    def random_model(self, kind: str, directory: Path) -> Path:
        """Save a tiny model with random weights; see `mlpzoo.testing.RandomModels`."""
        with quiet_torch():
            from mlpzoo_upet.random_models import write

            return write(kind, directory)


def _load(spec: ModelSpec) -> AtomisticModel:
    """The model on the CPU, in the precision of its file."""
    path = Path(spec.path or "")
    if spec.path is None or not path.is_file():
        raise ModelError(f"{spec.name}: there is no file {spec.path}", hint=HINT)
    with quiet_torch():
        from mlpzoo_upet.loading import load

        try:
            return load(path.resolve())
        except Exception as error:
            raise ModelError(
                f"{spec.name}: metatrain cannot load {path}: {type(error).__name__}: {error}", hint=HINT
            ) from error
