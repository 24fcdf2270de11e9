"""Cubic crystals of one element: cells, supercells, sites."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from ase.build import bulk

from mlpzoo.errors import DataError
from mlpzoo.physics.sites import DIAMOND_HEXAGONAL, DIAMOND_TETRAHEDRAL, SiteSet

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

Structure = Literal["diamond", "fcc", "bcc"]

_CORNERS = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
_EDGES = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]) / 2
_INTERSTITIALS: Final[dict[str, dict[str, NDArray[np.float64]]]] = {
    "diamond": {"tetrahedral": DIAMOND_TETRAHEDRAL, "hexagonal": DIAMOND_HEXAGONAL},
    "fcc": {
        "octahedral": (_CORNERS + 0.5) % 1,
        "tetrahedral": np.concatenate([_CORNERS + 0.25, _CORNERS + 0.75]) % 1,
    },
    "bcc": {
        "octahedral": np.concatenate([_EDGES, (_EDGES + 0.5) % 1]),
        "tetrahedral": np.array(
            [np.roll([0.5, corner, 0.0], shift) for shift in range(3) for corner in (0.25, 0.75)]
            + [np.roll([0.0, corner, 0.5], shift) for shift in range(3) for corner in (0.25, 0.75)]
        ),
    },
}
"""Fractional positions in the cubic cell with an atom at the origin, by kind (Wyckoff positions)."""

_NEIGHBOUR: Final = {"diamond": np.sqrt(3) / 4, "fcc": np.sqrt(2) / 2, "bcc": np.sqrt(3) / 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """A cubic crystal of one element.

    Attributes:
        symbol: Chemical symbol.
        structure: ``diamond``, ``fcc`` or ``bcc``.
        lattice_constant_ang: Of the cubic cell; for a model's own one, where the search for it starts.

    Raises:
        DataError: An unknown structure, or a lattice constant that is not positive.
    """

    symbol: str
    structure: Structure
    lattice_constant_ang: float

    def __post_init__(self) -> None:
        if self.structure not in get_args(Structure) or not self.lattice_constant_ang > 0:
            raise DataError(
                f"no crystal is '{self.structure}' with a lattice constant of {self.lattice_constant_ang} Å",
                hint=f"structure is one of {', '.join(get_args(Structure))}; a lattice constant is positive",
            )

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Crystal:
        """The crystal of a case."""
        return cls(
            symbol=params["symbol"],
            structure=params["structure"],
            lattice_constant_ang=float(params["lattice_constant_ang"]),
        )

    def with_lattice_constant(self, a_ang: float) -> Crystal:
        """The same crystal, larger or smaller."""
        return replace(self, lattice_constant_ang=a_ang)

    @property
    def neighbour_distance_ang(self) -> float:
        """Nearest-neighbour distance."""
        return float(_NEIGHBOUR[self.structure] * self.lattice_constant_ang)

    def cubic(self) -> Atoms:
        """The conventional cubic cell: 8 (diamond), 4 (fcc) or 2 (bcc) atoms, one at the origin."""
        return bulk(self.symbol, self.structure, a=self.lattice_constant_ang, cubic=True)

    def supercell(self, repeat: int) -> Atoms:
        """``repeat`` cubic cells in each direction."""
        cells: Atoms = self.cubic().repeat(repeat)
        return cells

    def interstitial_sites(self, repeat: int) -> dict[str, NDArray[np.float64]]:
        """Positions in Å of the interstitial sites of a supercell, by kind, each of shape (n, 3)."""
        corners = np.stack(np.meshgrid(*[np.arange(repeat)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
        return {
            kind: (corners + fractional).reshape(-1, 3) * self.lattice_constant_ang
            for kind, fractional in _INTERSTITIALS[self.structure].items()
        }

    def sites(self, repeat: int, *, interstitials: bool) -> SiteSet:
        """Sites of a supercell: those of the lattice, and if wanted the interstitial ones."""
        more = self.interstitial_sites(repeat) if interstitials else {}
        return SiteSet.from_lattice(self.supercell(repeat), **more)
