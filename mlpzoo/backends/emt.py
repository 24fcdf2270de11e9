"""Effective-medium theory for seven fcc metals and their alloys: ASE's EMT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo.errors import UsageError
from mlpzoo.models import ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec

CARD: Final = ModelCard(
    name="emt/emt",
    family="emt",
    title="Effective-medium theory, fcc metals and their alloys (ASE)",
    elements=("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au"),
    properties=("energy", "forces", "stress"),
    cutoff_ang=5.877,
    level_of_theory="empirical",
    training_set="fitted to bulk properties of the seven metals",
    licence="LGPL-2.1-or-later (ASE)",
    citation="10.1016/0039-6028(96)00816-3",
    notes="The zero of energy is each element's own fcc crystal, not the free atom. "
    "Neighbours are cut off at 5.877 Å, where their force has faded to 3e-4 eV/Å. Always float64. "
    "ASE has numbers for H, C, N and O too, 'just for fun': they are left out.",
)


class EmtBackend:
    """The family ``emt``."""

    family: Final = "emt"
    requires: Final = ()
    lock_file: Final = None

    def cards(self) -> tuple[ModelCard, ...]:
        """One card: all elements share one parameter set."""
        return (CARD,)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """ASE's EMT with its own cutoff, which does not depend on the elements present, and without a memory.

        Raises:
            UsageError: A path was given.
        """
        if spec.path is not None:
            raise UsageError("emt reads no files", hint="use 'emt' for its only parameter set")
        from mlpzoo.backends.emt_calculator import EmtCalculator

        return EmtCalculator()
