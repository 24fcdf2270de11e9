"""From a card or a file of weights to an ASE calculator, without CHGNet's side effects on the process."""

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
    from chgnet.model.model import CHGNet

    from mlpzoo.models import ModelSpec

WITH_OUTPUT_BIAS: Final = "chgnet/0.2.0"
"""CHGNet's own loader adds the bias of the last layer to this version alone."""
NO_DATA_EV: Final = 1e-9
"""Least squares leave so little of the energy of an element that no structure had."""


class ChgnetBackend:
    """The ``chgnet`` family."""

    family: Final = "chgnet"
    requires: Final = ("chgnet", "torch")
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the weights of a card, or of those at ``spec.path``.

        Raises:
            ModelError: The weights are missing, are not those of the card, or are none of CHGNet.
        """
        model = _load(spec)
        with quiet_torch():
            from mlpzoo_chgnet.calculator import ChgnetCalculator

            calculator: Calculator = ChgnetCalculator(model, device=spec.device, dtype=spec.dtype)
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own weights: elements with an energy of their own, and the cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        from ase.data import chemical_symbols

        model = _load(spec)
        reference = model.composition_model
        energies = [] if reference is None else reference.fc.weight.detach().flatten().tolist()
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(
                chemical_symbols[z] for z, energy in enumerate(energies, 1) if abs(energy) > NO_DATA_EV
            ),
            properties=("energy", "forces", "stress"),
            cutoff_ang=float(model.n_conv * model.graph_converter.atom_graph_cutoff),
        )


def _load(spec: ModelSpec) -> CHGNet:
    """CHGNet's torch module, on the CPU and in the precision of its file."""
    path = own_or_in_package(spec, "give the path of a file that CHGNet's trainer saved")
    with quiet_torch():
        from chgnet.model.model import CHGNet

        options = {"mlp_out_bias": True} if spec.name == WITH_OUTPUT_BIAS else {}
        try:
            return CHGNet.from_file(str(path), **options).eval()
        except Exception as error:
            raise ModelError(
                f"{spec.name}: chgnet cannot load {path}: {type(error).__name__}: {error}",
                hint="give a '.pth.tar' file that CHGNet's trainer saved",
            ) from error
