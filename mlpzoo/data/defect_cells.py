"""Supercells with one defect, and the sites that their atoms can be at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.data.structures import defective
from mlpzoo.errors import UsageError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.sites import SiteSet

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.data.plan import Defect

LATTICE_CONSTANT_SI_ANG = (
    5.469  # PBE; Zuo et al., J. Phys. Chem. A 124, 731 (2020), doi 10.1021/acs.jpca.9b08723
)
SYSTEMS = ("si-vacancy", "si-interstitial")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectCell:
    """A supercell with one defect, ready for MD, and the sites its atoms can be at.

    Attributes:
        system: The data set that frames of it are for.
        crystal: The crystal.
        repeat: Cubic cells in each direction.
        atoms: The supercell.
        sites: Lattice sites, and for an interstitial the interstitial ones.
        shift_ang: What was taken off the positions of a trajectory of somebody else.
    """

    system: str
    crystal: Crystal
    repeat: tuple[int, int, int]
    atoms: Atoms
    sites: SiteSet
    shift_ang: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3), compare=False)

    @classmethod
    def of(cls, crystal: Crystal, repeat: tuple[int, int, int], defect: Defect, *, system: str) -> DefectCell:
        """The cell of a crystal with a defect; frames of it are for the data set ``system``.

        Raises:
            UsageError: The cell is no cube of cubic cells.
        """
        if len(set(repeat)) != 1:
            raise UsageError(f"migration is looked for in cubic supercells, not {repeat}", hint="repeat = n")
        return cls(
            system=system,
            crystal=crystal,
            repeat=repeat,
            atoms=defective(crystal, repeat, defect),
            sites=crystal.sites(repeat[0], interstitials=defect == "interstitial"),
        )


def defect_cell(system: str) -> DefectCell:
    """Make a 64-atom silicon supercell less one atom, or with one more at a tetrahedral site.

    Raises:
        UsageError: an unknown system.
    """
    if system not in SYSTEMS:
        message = f"there is no system '{system}'"
        raise UsageError(
            message, hint=f"choose one of {', '.join(SYSTEMS)}, or write a plan for other crystals"
        )
    crystal = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=LATTICE_CONSTANT_SI_ANG)
    defect: Defect = "interstitial" if system == "si-interstitial" else "vacancy"
    return DefectCell.of(crystal, (2, 2, 2), defect, system=system)
