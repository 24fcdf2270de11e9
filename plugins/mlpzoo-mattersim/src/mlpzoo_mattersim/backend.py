"""From a card, or a checkpoint of MatterSim, to an ASE calculator."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo.side_effects import quiet_torch
from mlpzoo.weights import own_or_in_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ase.calculators.calculator import Calculator
    from mattersim.forcefield.potential import Potential

    from mlpzoo.models import ModelSpec

HINT: Final = "give a checkpoint ('.pth') of a MatterSim-v1 model, as MatterSim saves it"


@contextmanager
def process_kept_as_it_was() -> Iterator[None]:
    """Undo what importing MatterSim changes for the whole process.

    It replaces the handlers of loguru's one logger by one that writes to standard output.
    """
    with quiet_torch():
        import loguru

        with patch.multiple(loguru.logger, remove=_nothing, add=_nothing):
            import mattersim.forcefield  # noqa: F401
        yield


def _nothing(*_positional: object, **_named: object) -> int:
    return 0


class MatterSimBackend:
    """The ``mattersim`` family."""

    family: Final = "mattersim"
    requires: Final = ("mattersim", "torch")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = ("m3gnet",)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the checkpoint at ``spec.path``.

        Raises:
            ModelError: The file is missing, or is no whole checkpoint of MatterSim.
        """
        potential = _load(spec)
        with process_kept_as_it_was():
            from mlpzoo_mattersim.calculator import MatterSimCalculator

            calculator: Calculator = MatterSimCalculator(potential, device=spec.device, dtype=spec.dtype)
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own checkpoint: the elements that have an energy in it, and the cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        model = _load(spec).model
        with process_kept_as_it_was():
            from mlpzoo_mattersim.calculator import elements_of

            return ModelCard(
                name=spec.name,
                family=self.family,
                elements=elements_of(model),
                properties=("energy", "forces", "stress"),
                cutoff_ang=float(model.model_args["cutoff"]),
            )

    def random_model(self, kind: str, directory: Path) -> Path:
        """Save a tiny model with random weights; see `mlpzoo.testing.RandomModels`."""
        with process_kept_as_it_was():
            from mlpzoo_mattersim.random_models import write

            return write(kind, directory)


def _load(spec: ModelSpec) -> Potential:
    """MatterSim's torch module, on the CPU, in the precision of its file.

    MatterSim's own way of loading takes weights that lack a part of the model without a word, and names of
    its published models for something to fetch.
    """
    path = own_or_in_package(spec, HINT)
    with process_kept_as_it_was():
        import torch
        from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
        from mattersim.forcefield.potential import Potential

        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            if found["model_name"] != "m3gnet":
                raise ValueError(f"its architecture is {found['model_name']}, which this MatterSim lacks")
            model = M3Gnet(device="cpu", **found["model_args"])
            lacking = model.load_state_dict(found["model"], strict=False).missing_keys
            if lacking:
                raise ValueError(f"it lacks {', '.join(lacking[:3])}")
        except Exception as error:
            raise ModelError(
                f"{spec.name}: mattersim cannot load {path}: {type(error).__name__}: {error}", hint=HINT
            ) from error
        return Potential(model.eval(), device="cpu", model_name="m3gnet")
