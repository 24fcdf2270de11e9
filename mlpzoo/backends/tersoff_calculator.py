"""The Tersoff potential, vectorised over bonds and pairs of bonds.

ASE has one since 3.25, in Python loops: 125 ms for 64 silicon atoms, and a `ZeroDivisionError` for an
atom with a single neighbour (any dimer, most surfaces).  This one gives ASE's numbers where that one
gives any (``tests/contract/test_backends.py``) and takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlpzoo.backends.pairs import pairs

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

NAMES = ("m", "gamma", "lambda3", "c", "d", "h", "n", "beta", "lambda2", "B", "R", "D", "lambda1", "A")
"""Parameters in the order of LAMMPS's ``pair_style tersoff``, which also defines their meaning."""

MAX_EXPONENT = 69.0776
"""LAMMPS's bound: exp of it is 1e30."""

Parameters = Mapping[tuple[str, str, str], Sequence[float]]


class TersoffCalculator(Calculator):
    """Energy, forces and stress of J. Tersoff, Phys. Rev. B 37, 6991 (1988) and 39, 5566 (1989).

    Args:
        parameters: For each triple of elements (i, j, k) the 14 numbers of `NAMES`.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  (ASE's)

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self.parameters_by_triple = dict(parameters)
        self._symbols = sorted({key[0] for key in parameters})
        index = {symbol: i for i, symbol in enumerate(self._symbols)}
        n = len(index)
        self._table = np.full((len(NAMES), n, n, n), np.nan)
        for (i, j, k), values in parameters.items():
            self._table[:, index[i], index[j], index[k]] = values
        self.cutoff_ang = float((self._of("R") + self._of("D")).max())

    def _of(self, name: str, *indices: IntArray) -> FloatArray:
        table: FloatArray = self._table[NAMES.index(name)]
        return table[indices] if indices else table

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All properties at once; eV, eV/Å, eV/Å³.

        Raises:
            ValueError: An element has no parameters.
        """
        super().calculate(atoms, properties, system_changes)
        structure: Any = self.atoms
        i, j, vectors = _bonds(structure, self.cutoff_ang)
        energy, gradient = self._energy(self._species(structure), i, j, vectors)
        n = len(structure)
        forces = np.zeros((n, 3))
        for x in range(3):
            forces[:, x] += np.bincount(i, gradient[:, x], n) - np.bincount(j, gradient[:, x], n)
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        if structure.cell.rank == 3:  # noqa: PLR2004
            stress = vectors.T @ gradient / structure.cell.volume
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _species(self, atoms: Any) -> IntArray:
        symbols = atoms.get_chemical_symbols()
        unknown = sorted(set(symbols) - set(self._symbols))
        if unknown:
            raise ValueError(f"no Tersoff parameters for {', '.join(unknown)}")
        return np.array([self._symbols.index(s) for s in symbols], dtype=np.int64)

    def _energy(
        self, species: IntArray, i: IntArray, j: IntArray, vectors: FloatArray
    ) -> tuple[float, FloatArray]:
        """Energy, and its derivative with respect to each bond vector from i to j."""
        s, t = species[i], species[j]
        r = np.linalg.norm(vectors, axis=1)
        unit = vectors / r[:, None]
        cut, cut_slope = _cutoff(r, self._of("R", s, t, t), self._of("D", s, t, t))
        lambda1, lambda2 = self._of("lambda1", s, t, t), self._of("lambda2", s, t, t)
        repulsion = self._of("A", s, t, t) * np.exp(-lambda1 * r)
        attraction = -self._of("B", s, t, t) * np.exp(-lambda2 * r)

        p, q = _pairs_of_bonds(i, cut > 0)
        zeta_pq, by_r_p, by_r_q, by_cos, cosine = self._zeta(species, p, q, (i, j), r, unit)
        zeta: FloatArray = np.bincount(p, zeta_pq, len(r)).astype(float)
        order, order_slope = _bond_order(zeta, self._of("beta", s, t, t), self._of("n", s, t, t))

        energy = 0.5 * float(np.sum(cut * (repulsion + order * attraction)))
        slope = cut_slope * (repulsion + order * attraction)
        slope -= cut * (lambda1 * repulsion + lambda2 * order * attraction)
        gradient = 0.5 * slope[:, None] * unit
        weight = (0.5 * cut * attraction * order_slope)[p][:, None]
        u, v, c = unit[p], unit[q], cosine[:, None]
        to_p = by_r_p[:, None] * u + by_cos[:, None] * (v - c * u) / r[p][:, None]
        to_q = by_r_q[:, None] * v + by_cos[:, None] * (u - c * v) / r[q][:, None]
        for x in range(3):
            gradient[:, x] += np.bincount(p, (weight * to_p)[:, x], len(r))
            gradient[:, x] += np.bincount(q, (weight * to_q)[:, x], len(r))
        return energy, gradient

    def _zeta(
        self,
        species: IntArray,
        p: IntArray,
        q: IntArray,
        bonds: tuple[IntArray, IntArray],
        r: FloatArray,
        unit: FloatArray,
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """One term of zeta for each pair of bonds (p = ij, q = ik), and its three derivatives."""
        i, j = bonds
        key = species[i[p]], species[j[p]], species[j[q]]
        h, c2, d2 = self._of("h", *key), self._of("c", *key) ** 2, self._of("d", *key) ** 2
        gamma, m, lambda3 = (self._of(name, *key) for name in ("gamma", "m", "lambda3"))
        cut, cut_slope = _cutoff(r[q], self._of("R", *key), self._of("D", *key))
        cosine = np.einsum("ij,ij->i", unit[p], unit[q])
        angular = gamma * (1 + c2 / d2 - c2 / (d2 + (h - cosine) ** 2))
        angular_slope = -2 * gamma * c2 * (h - cosine) / (d2 + (h - cosine) ** 2) ** 2
        difference = r[p] - r[q]
        exponent = (lambda3 * difference) ** m
        bounded = np.clip(exponent, -MAX_EXPONENT, MAX_EXPONENT)
        radial = np.exp(bounded)
        radial_slope = np.where(bounded == exponent, m * lambda3**m * difference ** (m - 1) * radial, 0.0)
        by_r_p = cut * angular * radial_slope
        by_r_q = cut_slope * angular * radial - by_r_p
        return cut * angular * radial, by_r_p, by_r_q, cut * angular_slope * radial, cosine


def _bonds(atoms: Any, cutoff_ang: float) -> tuple[IntArray, IntArray, FloatArray]:
    """All pairs within the cutoff, both ways: first atoms in order, second atoms, vectors."""
    i, j, vectors, _ = pairs(atoms, cutoff_ang)
    order = np.argsort(i, kind="stable")
    return i[order], j[order], vectors[order]


def _pairs_of_bonds(i: IntArray, active: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """All ordered pairs of different bonds that share their first atom; the first one active."""
    first = np.flatnonzero(active)
    counts = np.bincount(i, minlength=int(i.max(initial=-1)) + 1)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n_partners = counts[i[first]]
    p = np.repeat(first, n_partners)
    within = np.arange(len(p)) - np.repeat(np.cumsum(n_partners) - n_partners, n_partners)
    q = starts[i[p]] + within
    other = p != q
    return p[other], q[other]


def _cutoff(r: FloatArray, middle: FloatArray, half_width: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tersoff's cutoff function and its slope."""
    x = np.clip((r - middle) / half_width, -1.0, 1.0)
    slope = np.where(np.abs(x) < 1, -np.pi / (4 * half_width) * np.cos(0.5 * np.pi * x), 0.0)
    return 0.5 - 0.5 * np.sin(0.5 * np.pi * x), slope


def _bond_order(zeta: FloatArray, beta: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bond order b and db/dzeta; the slope of a bond without neighbours is never used and set to zero."""
    some = zeta > 0
    safe = np.where(some, zeta, 1.0)
    power = np.where(some, (beta * safe) ** n, 0.0)
    order = (1 + power) ** (-0.5 / n)
    return order, np.where(some, -0.5 * order / (1 + power) * power / safe, 0.0)
