"""Crystal sites and the nearest one to each atom, under periodic boundaries, for long trajectories.

A `SiteSet` holds the perfect-lattice sites and, for interstitials, the interstitial ones. `SiteFinder`
finds the nearest in two steps: an atom that is still inside the inscribed sphere of its last site's
Voronoi cell has not changed it (one subtraction), and only the others (about one in a hundred) are looked
up in a tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

# Fractional positions in the cubic diamond cell with atoms at the origin and at 1/4, 1/4, 1/4.
# Tetrahedral: Wyckoff 8b of Fd-3m; hexagonal: 16c/16d, the midpoints between neighbouring tetrahedral sites.
_FCC = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
DIAMOND_TETRAHEDRAL = np.concatenate([_FCC + 0.5, _FCC + 0.75]) % 1
DIAMOND_HEXAGONAL = (
    np.concatenate([_FCC + np.array(shift) / 8 for shift in ((5, 5, 5), (5, 7, 7), (7, 5, 7), (7, 7, 5))]) % 1
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSet:
    """The sites that atoms are assigned to.

    Attributes:
        positions_ang: All sites, shape (n_sites, 3); the lattice sites come first.
        cell_ang: Cell vectors as rows, shape (3, 3); periodic in all three.
        n_lattice: How many of the sites are lattice sites.
        neighbour_distance_ang: Nearest-neighbour distance of the perfect lattice.
        kinds: The kind of each site, `lattice`, `tetrahedral`, `hexagonal`, ...
    """

    positions_ang: NDArray[np.float64]
    cell_ang: NDArray[np.float64]
    n_lattice: int
    neighbour_distance_ang: float
    kinds: tuple[str, ...]

    @classmethod
    def from_lattice(cls, host: Atoms, **interstitial_ang: NDArray[np.float64]) -> SiteSet:
        """Collect the sites of a perfect host crystal and, by kind, interstitial positions of shape (n, 3).

        Raises:
            DataError: the host is not periodic in three directions, or two of the sites coincide.
        """
        if not all(host.pbc):
            message = "the host crystal is not periodic in three directions"
            raise DataError(message, hint="set host.pbc = True")
        lattice = np.asarray(host.get_positions(), dtype=float)
        groups = [
            lattice,
            *(np.reshape(np.asarray(p, dtype=float), (-1, 3)) for p in interstitial_ang.values()),
        ]
        positions = np.concatenate(groups)
        kinds = [
            k for k, g in zip(("lattice", *interstitial_ang), groups, strict=True) for _ in range(len(g))
        ]
        cell = np.asarray(host.cell.array, dtype=float)
        if _nearest_other(positions, cell).min() < 1e-3:  # noqa: PLR2004 (Å; two names for one site)
            message = "two sites coincide"
            raise DataError(
                message, hint="give each interstitial site once, in the cell and origin of the host"
            )
        return cls(
            positions_ang=positions,
            cell_ang=cell,
            n_lattice=len(lattice),
            neighbour_distance_ang=float(_nearest_other(lattice, cell).min()),
            kinds=tuple(kinds),
        )


class SiteFinder:
    """Nearest sites of many positions, by a tree over the sites and their periodic images."""

    def __init__(self, positions_ang: NDArray[np.float64], cell_ang: NDArray[np.float64]) -> None:
        self.positions_ang = positions_ang
        self.cell_ang = cell_ang
        self.inverse = np.linalg.inv(cell_ang)
        # Inside this radius no other site (or image of any site) can be nearer.
        self.safe_radius_ang = 0.5 * _nearest_other(positions_ang, cell_ang)
        wrapped = (positions_ang @ self.inverse) % 1.0
        shifts = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
        images = (shifts + wrapped).reshape(-1, 3)
        self._index = np.tile(np.arange(len(positions_ang)), len(shifts))
        self._tree = cKDTree(images @ cell_ang)
        self._images_ang = images @ cell_ang

    def displacements(
        self, positions_ang: NDArray[np.float64], site: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vectors from given sites, and their squares; by rounding, so exact near the sites in any cell."""
        vectors = positions_ang - self.positions_ang[site]
        vectors -= np.rint(vectors @ self.inverse) @ self.cell_ang
        return vectors, np.einsum("...k,...k->...", vectors, vectors)

    def nearest(self, positions_ang: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Nearest sites of positions of shape (n, 3), and the vectors from them."""
        wrapped = ((positions_ang @ self.inverse) % 1.0) @ self.cell_ang
        found = np.asarray(self._tree.query(wrapped)[1])
        return self._index[found], wrapped - self._images_ang[found]


def _nearest_other(positions_ang: NDArray[np.float64], cell_ang: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each site to the nearest other site or image, shape (n,)."""
    wrapped = (positions_ang @ np.linalg.inv(cell_ang)) % 1.0
    shifts = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    tree = cKDTree((shifts + wrapped).reshape(-1, 3) @ cell_ang)
    return np.asarray(tree.query(wrapped @ cell_ang, k=2)[0][:, 1])
