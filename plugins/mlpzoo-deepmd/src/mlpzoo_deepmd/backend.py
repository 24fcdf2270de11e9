"""From a card, or a weights file, to an ASE calculator.  Nothing at the top imports the framework."""

from __future__ import annotations

from mlpzoo import ModelCard
from mlpzoo.errors import ModelError
from mlpzoo.plugin_files import cards_beside, lock_beside


class DeepmdBackend:
    """The ``deepmd`` family."""

    family = "deepmd"
    requires = ("deepmd",)  # must be importable where the calculator is built
    lock_file = lock_beside(__file__)

    def cards(self):
        """The models of `cards.toml`; the first is the family's default."""
        return cards_beside(__file__)

    def calculator(self, spec):
        """An ASE calculator: eV, eV/Å, eV/Å³, ASE's sign and Voigt order of stresses.

        Args:
            spec: ``spec.path`` (the weights; None without), ``spec.device``, ``spec.dtype``, ``spec.card``.

        Raises:
            ModelError: The weights cannot be loaded.
        """
        # Import the framework here, and only here, and return its calculator.
        raise ModelError(f"{spec.name}: its calculator is not written yet", hint=f"write it in {__file__}")

    def describe(self, spec):
        """The card of a user's own weights, ``deepmd:PATH``, as far as the file tells it."""
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=(),  # read them from the file: what is not listed is refused by name
            properties=("energy", "forces", "stress"),
        )
