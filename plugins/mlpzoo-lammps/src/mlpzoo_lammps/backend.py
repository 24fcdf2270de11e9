"""From a card or a file of ``pair_style`` and ``pair_coeff`` lines to an ASE calculator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo_lammps.shipped import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec
    from mlpzoo_lammps.potential import Potential


class LammpsBackend:
    """The ``lammps`` family; ``lammps:FILE`` takes a file of ``pair_style`` and ``pair_coeff`` lines."""

    family: Final = "lammps"
    requires: Final = ("lammps",)
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the potential; always on the CPU and in float64.

        Raises:
            ModelError: The file holds anything but a potential, or LAMMPS refuses it.
        """
        from mlpzoo_lammps.calculator import LammpsCalculator
        from mlpzoo_lammps.library import potentials_folder

        potential = _potential(spec)
        beside = [Path(spec.path).resolve().parent] if spec.path is not None else []
        try:
            commands = potential.commands([*beside, potentials_folder()])
        except ModelError as error:
            raise ModelError(f"{spec.name}: {error.message}", hint=error.hint) from error
        return LammpsCalculator(spec.name, commands, potential.elements)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own file: the elements that it names.

        Raises:
            ModelError: The file holds anything but a potential.
        """
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=_potential(spec).elements,
            properties=("energy", "forces", "stress"),
            notes="Always float64.",
        )

    def side_files(self, path: Path) -> Sequence[Path]:
        """Files of the user's own that the lines name.

        Raises:
            ModelError: The file holds anything but a potential.
        """
        from mlpzoo_lammps.potential import read_potential

        return read_potential(path).files([path.resolve().parent])


def _potential(spec: ModelSpec) -> Potential:
    from mlpzoo_lammps.potential import parse_potential, read_potential

    if spec.path is not None:
        return read_potential(Path(spec.path))
    name = spec.card.name if spec.card is not None else spec.name
    if name not in SHIPPED:
        raise ModelError(f"{name} has no lines of its own", hint="see 'mlpzoo models'")
    return parse_potential(SHIPPED[name], name)
