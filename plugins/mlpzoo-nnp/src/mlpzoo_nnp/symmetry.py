"""Atom-centred symmetry functions, in groups that share neighbours, kind and cutoff radius.

Radial and angular functions of J. Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717, with
n2p2's conventions: each pair of neighbours counts once, and a shift may stand in the exponents of the angular
functions as well.  Functions weighted by atomic numbers: M. Gastegger et al., J. Chem. Phys. 148, 241709
(2018), doi:10.1063/1.5019667.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from mlpzoo_nnp.cutoffs import cutoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

RADIAL: Final = frozenset({2, 12})
WEIGHTED: Final = frozenset({12, 13})
NARROW: Final = frozenset({3, 13})
"""Angular functions in which the distance of the two neighbours counts as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetryFunction:
    """One function of the surroundings of an atom; lengths in any one unit.

    Attributes:
        kind: n2p2's number: 2 radial, 3 narrow angular, 9 wide angular, 12 and 13 weighted 2 and 3.
        centre: Index of the central atom's element.
        neighbours: Indices of the neighbours' elements, in order; empty if all count, by atomic number.
        radius: Cutoff radius.
        eta: Width of the Gaussian (1/length²).
        shift: Centre of the Gaussian.
        zeta: Exponent of the angular part.
        sign: lambda, the sign of the cosine.
    """

    kind: int
    centre: int
    neighbours: tuple[int, ...]
    radius: float
    eta: float
    shift: float = 0.0
    zeta: float = 1.0
    sign: float = 1.0

    @property
    def order(self) -> tuple[object, ...]:
        """What n2p2 sorts by: the order of the network's inputs, not that of the lines in ``input.nn``."""
        return self.kind, self.radius, self.eta, self.shift, self.zeta, self.sign, self.neighbours


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """The form of the cutoff function, the same for all functions of a potential; see `cutoff`."""

    kind: int
    alpha: float = 0.0

    def __call__(self, r: FloatArray, radius: float) -> tuple[FloatArray, FloatArray]:
        """Values and derivatives."""
        return cutoff(self.kind, self.alpha, r, radius)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bonds:
    """Pairs of central atoms and neighbours, those of one central atom next to each other.

    Attributes:
        n_atoms: Number of central atoms.
        atom: Index of the central atom among them, ascending, shape (n,).
        species: Index of the neighbour's element, shape (n,).
        vectors: From the central atom to the neighbour, shape (n, 3).
        lengths: Shape (n,).
    """

    n_atoms: int
    atom: IntArray
    species: IntArray
    vectors: FloatArray
    lengths: FloatArray

    def of(self, neighbours: tuple[int, ...], radius: float) -> IntArray:
        """Indices of those within a radius, with a neighbour of one of these elements (of any, if none)."""
        chosen = self.lengths < radius
        if neighbours:
            chosen &= np.isin(self.species, neighbours)
        return np.flatnonzero(chosen)


@dataclass(slots=True, kw_only=True)
class Group:
    """Functions of one central element that share neighbours, kind and cutoff radius.

    Attributes:
        kind: As in `SymmetryFunction`; likewise ``neighbours`` and ``radius``.
        gaussians: Their different (eta, shift).
        angles: Their different (zeta, lambda); one, unused, of radial functions.
        terms: Of each function: its place among the inputs, and the indices of its Gaussian and its angle.
    """

    kind: int
    neighbours: tuple[int, ...]
    radius: float
    gaussians: list[tuple[float, float]] = field(default_factory=list)
    angles: list[tuple[float, float]] = field(default_factory=list)
    terms: list[tuple[int, int, int]] = field(default_factory=list)

    def part(self, bonds: Bonds, charges: FloatArray, shape: Cutoff) -> RadialPart | AngularPart:
        """The functions for given surroundings.

        Args:
            bonds: Surroundings, in the unit of the functions.
            charges: Atomic numbers of the elements.
            shape: The cutoff function.
        """
        return (RadialPart if self.kind in RADIAL else AngularPart)(self, bonds, charges, shape)


def groups_of(functions: Sequence[SymmetryFunction]) -> list[Group]:
    """Functions of one central element, in the order of the inputs, as groups."""
    found: dict[tuple[object, ...], Group] = {}
    for place, one in enumerate(functions):
        key = one.kind, one.neighbours, one.radius
        new = Group(kind=one.kind, neighbours=one.neighbours, radius=one.radius)
        group = found.setdefault(key, new)
        gaussian, angle = (one.eta, one.shift), (one.zeta, one.sign)
        for value, known in ((gaussian, group.gaussians), (angle, group.angles)):
            if value not in known:
                known.append(value)
        group.terms.append((place, group.gaussians.index(gaussian), group.angles.index(angle)))
    return list(found.values())


class RadialPart:
    """Sums over neighbours: G = sum_j w_j exp(-eta (r - shift)²) f(r)."""

    def __init__(self, group: Group, bonds: Bonds, charges: FloatArray, shape: Cutoff) -> None:
        self._group, self._bonds = group, bonds
        self._chosen = bonds.of(group.neighbours, group.radius)
        self._atom = bonds.atom[self._chosen]
        r = bonds.lengths[self._chosen]
        value, slope = shape(r, group.radius)
        weight = charges[bonds.species[self._chosen]] if group.kind in WEIGHTED else np.ones_like(r)
        gaussians = [weight * np.exp(-eta * (r - shift) ** 2) for eta, shift in group.gaussians]
        self._values = [gaussian * value for gaussian in gaussians]
        self._slopes = [
            gaussian * (slope - 2.0 * eta * (r - shift) * value)
            for gaussian, (eta, shift) in zip(gaussians, group.gaussians, strict=True)
        ]

    def add_values(self, inputs: FloatArray) -> None:
        """Write the functions into the columns that are theirs, shape (n_atoms, n_inputs)."""
        for place, gaussian, _ in self._group.terms:
            inputs[:, place] = np.bincount(self._atom, self._values[gaussian], self._bonds.n_atoms)

    def add_gradient(self, by_input: FloatArray, gradient: FloatArray) -> None:
        """Add dE/d(vector) to the rows of the bonds, shape (n_bonds, 3), from dE/d(function)."""
        by_length = np.zeros(len(self._chosen))
        for place, gaussian, _ in self._group.terms:
            by_length += by_input[self._atom, place] * self._slopes[gaussian]
        chosen = self._chosen
        gradient[chosen] += (by_length / self._bonds.lengths[chosen])[:, None] * self._bonds.vectors[chosen]


class AngularPart:
    """Sums over pairs of neighbours, each counted once.

    G = 2^(1 - zeta) sum_{j<k} w_j w_k (1 + lambda cos)^zeta exp(-eta sum (r - shift)²) prod f(r)

    Sum and product go over r_ij and r_ik, and over r_jk as well in narrow functions.
    """

    def __init__(self, group: Group, bonds: Bonds, charges: FloatArray, shape: Cutoff) -> None:
        self._group, self._bonds = group, bonds
        self._narrow = group.kind in NARROW
        self._pair_up()
        self._lengths = [bonds.lengths[self._p], bonds.lengths[self._q]]
        if self._narrow:
            self._lengths.append(self._between_lengths)
        self._cosine = np.einsum("ij,ij->i", self._unit_p, self._unit_q)
        cuts = [shape(length, group.radius) for length in self._lengths]
        weight = np.ones_like(self._cosine)
        if group.kind in WEIGHTED:
            weight = charges[bonds.species[self._p]] * charges[bonds.species[self._q]]
        product = weight * np.prod([value for value, _ in cuts], axis=0)
        # f may be zero where it is multiplied: products without one factor, times its derivative
        self._by_cut = [
            weight * slope * np.prod([v for k, (v, _) in enumerate(cuts) if k != n], axis=0)
            for n, (_, slope) in enumerate(cuts)
        ]
        self._gaussians = [
            np.exp(-eta * sum((length - shift) ** 2 for length in self._lengths))
            for eta, shift in group.gaussians
        ]
        self._radial = [gaussian * product for gaussian in self._gaussians]
        self._angles, self._angle_slopes = [], []
        for zeta, sign in group.angles:
            base = np.maximum(1.0 + sign * self._cosine, 0.0)  # rounding may make it negative
            lower = 2.0 ** (1.0 - zeta) * _power(base, zeta - 1.0)
            self._angles.append(lower * base)
            self._angle_slopes.append(zeta * sign * lower)

    def _pair_up(self) -> None:
        """All pairs p < q of bonds of one atom that are of this group, with their unit vectors."""
        bonds, group = self._bonds, self._group
        chosen = bonds.of(group.neighbours, group.radius)
        p, q = (chosen[side] for side in pairs_within(bonds.atom[chosen]))
        if group.neighbours and group.neighbours[0] != group.neighbours[1]:
            different = bonds.species[p] != bonds.species[q]
            p, q = p[different], q[different]
        if self._narrow:
            between = bonds.vectors[q] - bonds.vectors[p]
            squares = np.einsum("ij,ij->i", between, between)
            near = np.flatnonzero(squares < group.radius**2)
            p, q, between = p[near], q[near], between[near]
            self._between_lengths = np.sqrt(squares[near])
            self._unit_between = between / self._between_lengths[:, None]
        self._p, self._q, self._atom = p, q, bonds.atom[p]
        units = bonds.vectors / bonds.lengths[:, None]
        self._unit_p, self._unit_q = units[p], units[q]

    def add_values(self, inputs: FloatArray) -> None:
        """Write the functions into the columns that are theirs, shape (n_atoms, n_inputs)."""
        if not len(self._atom):
            return
        starts = np.flatnonzero(np.diff(self._atom, prepend=-1))
        atoms = self._atom[starts]
        for place, gaussian, angle in self._group.terms:
            inputs[atoms, place] = np.add.reduceat(self._radial[gaussian] * self._angles[angle], starts)

    def add_gradient(self, by_input: FloatArray, gradient: FloatArray) -> None:
        """Add dE/d(vector) to the rows of the bonds, shape (n_bonds, 3), from dE/d(function)."""
        if not len(self._atom):
            return
        by_cosine = np.zeros(len(self._atom))
        by_gaussian = np.zeros((len(self._gaussians), len(self._atom)))
        for place, gaussian, angle in self._group.terms:
            weight = by_input[:, place][self._atom]
            by_gaussian[gaussian] += weight * self._angles[angle]
            weight *= self._radial[gaussian]
            by_cosine += weight * self._angle_slopes[angle]
        by_product = np.einsum("gt,gt->t", by_gaussian, self._gaussians)
        by_length = [by_product * slope for slope in self._by_cut]
        for weight, radial, (eta, shift) in zip(
            by_gaussian, self._radial, self._group.gaussians, strict=True
        ):
            common = -2.0 * eta * weight * radial
            for side, length in enumerate(self._lengths):
                by_length[side] += common * (length - shift)
        self._push(by_cosine, by_length, gradient)

    def _push(self, by_cosine: FloatArray, by_length: list[FloatArray], gradient: FloatArray) -> None:
        """Derivatives by cosine and lengths, passed on to the vectors of both bonds."""
        u, v, c = self._unit_p, self._unit_q, self._cosine
        along_p, across_p = by_length[0] - by_cosine * c / self._lengths[0], by_cosine / self._lengths[0]
        along_q, across_q = by_length[1] - by_cosine * c / self._lengths[1], by_cosine / self._lengths[1]
        to_p = along_p[:, None] * u + across_p[:, None] * v
        to_q = along_q[:, None] * v + across_q[:, None] * u
        if self._narrow:
            between = by_length[2][:, None] * self._unit_between
            to_p -= between
            to_q += between
        n = len(gradient)
        for x in range(3):
            gradient[:, x] += np.bincount(self._p, to_p[:, x], n) + np.bincount(self._q, to_q[:, x], n)


def pairs_within(group: IntArray) -> tuple[IntArray, IntArray]:
    """All pairs p < q of places with the same number, for ascending numbers; ascending in p."""
    n = len(group)
    ends = np.searchsorted(group, group, side="right")
    partners = ends - np.arange(n) - 1
    p = np.repeat(np.arange(n), partners)
    first = np.cumsum(partners) - partners
    return p, p + 1 + np.arange(len(p)) - np.repeat(first, partners)


def _power(base: FloatArray, exponent: float) -> FloatArray:
    """base^exponent for base >= 0, by squaring where the exponent is whole; 0 for 0 to a negative one."""
    if exponent < 0 or exponent != int(exponent):
        some = base > 0
        return np.where(some, np.where(some, base, 1.0) ** exponent, 0.0)
    result, square, rest = np.ones_like(base), base, int(exponent)
    while rest:
        if rest % 2:
            result = result * square
        square, rest = square * square, rest // 2
    return result
