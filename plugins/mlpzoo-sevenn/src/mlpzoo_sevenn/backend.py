"""From a card or a checkpoint to an ASE calculator, without SevenNet's side effects on the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo.side_effects import quiet_torch
from mlpzoo.weights import own_or_in_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from sevenn.nn.sequential import AtomGraphSequential

    from mlpzoo.models import ModelSpec

MODALS: Final = {"sevenn/7net-mf-0-pbe": "PBE", "sevenn/7net-mf-0-r2scan": "R2SCAN"}
"""Cards of weights that know several levels of theory, and the one that they mean."""


class SevennBackend:
    """The ``sevenn`` family."""

    family: Final = "sevenn"
    requires: Final = ("sevenn", "torch")
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the weights of a card, or of the checkpoint at ``spec.path``.

        Raises:
            ModelError: The weights are missing, are not those of the card, are no checkpoint of SevenNet, or
                know several levels of theory and no card says which.
        """
        model = _load(spec)
        modals = tuple(model.modal_map or ())
        modal = MODALS.get(spec.name)
        if modals and modal is None:
            raise ModelError(
                f"{spec.name}: {spec.path} knows several levels of theory: {', '.join(modals)}",
                hint="only checkpoints of one level can be used by their path",
            )
        with quiet_torch():
            from mlpzoo_sevenn.calculator import SevennCalculator

            calculator: Calculator = SevennCalculator(
                model, device=spec.device, dtype=spec.dtype, modal=modal
            )
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own checkpoint: elements and cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        from ase.data import chemical_symbols

        model = _load(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(chemical_symbols[z] for z in sorted(model.type_map or ())),
            properties=("energy", "forces", "stress"),
            cutoff_ang=float(model.cutoff) * sum("convolution" in name for name, _ in model.named_children()),
        )


def _load(spec: ModelSpec) -> AtomGraphSequential:
    """SevenNet's torch module, on the CPU and in the precision of its file."""
    path = own_or_in_package(spec, "give the path of a checkpoint of SevenNet (.pth)")
    with quiet_torch():
        from sevenn.checkpoint import SevenNetCheckpoint

        try:
            return SevenNetCheckpoint(path).build_model()
        except Exception as error:
            raise ModelError(
                f"{spec.name}: sevenn cannot load {path}: {type(error).__name__}: {error}",
                hint="give a checkpoint that 'sevenn' saved (.pth), not a deployed model",
            ) from error
