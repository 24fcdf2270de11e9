"""Units of a potential: n2p2's files do not say them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from ase import units

from mlpzoo.errors import ModelError

FILE: Final = "units.toml"
LENGTHS_ANG: Final = {"bohr": units.Bohr, "angstrom": 1.0}
ENERGIES_EV: Final = {"hartree": units.Hartree, "ev": 1.0, "rydberg": units.Rydberg}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The content of ``units.toml``."""

    length: str = "bohr"
    energy: str = "hartree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The units of a potential's files.

    Attributes:
        length: Name in `LENGTHS_ANG`.
        energy: Name in `ENERGIES_EV`.
        said: Whether `FILE` says so.
    """

    length: str = "bohr"
    energy: str = "hartree"
    said: bool = False

    @property
    def length_ang(self) -> float:
        """The unit of length in Å."""
        return LENGTHS_ANG[self.length]

    @property
    def energy_ev(self) -> float:
        """The unit of energy in eV."""
        return ENERGIES_EV[self.energy]


def read_units(folder: Path) -> Units:
    """What ``units.toml`` says; atomic units, which RuNNer prescribes, if there is none.

    Raises:
        ModelError: It cannot be read, or names an unknown unit.
    """
    path = folder / FILE
    if not path.exists():
        return Units()
    hint = f"length = one of {', '.join(LENGTHS_ANG)}; energy = one of {', '.join(ENERGIES_EV)}"
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint=hint) from error
    for name, known in ((found.length, LENGTHS_ANG), (found.energy, ENERGIES_EV)):
        if name.lower() not in known:
            raise ModelError(f"{path}: unknown unit '{name}'", hint=hint)
    return Units(length=found.length.lower(), energy=found.energy.lower(), said=True)
