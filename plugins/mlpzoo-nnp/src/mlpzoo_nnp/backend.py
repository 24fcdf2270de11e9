"""From the folder of an n2p2 potential to an ASE calculator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec
    from mlpzoo_nnp.potential import Potential


class NnpBackend:
    """The ``nnp`` family: ``nnp:FOLDER`` takes a folder with n2p2's files."""

    family: Final = "nnp"
    requires: Final = ()
    lock_file: Final = None

    def cards(self) -> tuple[ModelCard, ...]:
        """None: no potential comes along."""
        return ()

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the potential in the folder ``spec.path``.

        Raises:
            ModelError: A file is missing, does not fit the others, or holds something that is not supported.
        """
        potential = _read(spec)
        from mlpzoo_nnp.calculator import NnpCalculator

        return NnpCalculator(potential)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of a potential: elements, cutoff, and the units that it was taken to be in.

        Raises:
            ModelError: As for `calculator`.
        """
        potential = _read(spec)
        units = potential.units
        source = "by units.toml" if units.said else "for want of a units.toml"
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=potential.elements,
            properties=("energy", "forces", "stress"),
            cutoff_ang=potential.radius_ang,
            notes=f"Always float64. Lengths in {units.length}, energies in {units.energy}, {source}.",
        )


def _read(spec: ModelSpec) -> Potential:
    path = Path(spec.path or "")
    if spec.path is None or path.is_file():
        # the folder is what a result's key is made of; input.nn alone would leave out the weights
        raise ModelError(
            f"{spec.name}: a potential of n2p2 is a folder of files, not one of them",
            hint=f"give the folder: nnp:{path.parent}",
        )
    from mlpzoo_nnp.potential import read_potential

    return read_potential(path)
