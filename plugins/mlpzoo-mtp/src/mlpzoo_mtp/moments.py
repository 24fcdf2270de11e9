"""The basis of a moment tensor potential of a given level, as the index tables of a ``.mtp`` file.

A moment M_{mu,nu} of an atom is a symmetric tensor of rank nu, summed over its neighbours; its level is
2 + 4 mu + nu.  A basis function is a full contraction of a product of moments, and its level is the sum of
theirs: Shapeev, Multiscale Model. Simul. 14, 1153 (2016), doi:10.1137/15M1054183; Novikov et al., Mach.
Learn.: Sci. Technol. 2, 025002 (2021), doi:10.1088/2632-2153/abc9fe, sec. 2.1.

A multigraph says which pairs of indices are summed over: its vertices are the moments, its edges the pairs.
nu is the number of edges at a vertex, and none of them leads back to it, as a sum within one moment gives a
moment of lower rank.  Basis functions differ if their graphs do, up to the order of vertices.  A graph is
evaluated by cutting it in two: what hangs together in either part is a tensor, symmetric in the open indices
of each vertex, so that numbers of x, y and z at each vertex name its components.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, combinations_with_replacement, permutations, product
from math import factorial, prod
from typing import Final

LONGEST: Final = 4
"""Moments in a product, at most, as in the files that come with MLIP-2."""

Counts = tuple[int, int, int]
"""How many of some indices are x, y and z."""
Edges = tuple[tuple[int, ...], ...]
"""Number of edges between each two vertices: symmetric, zero on the diagonal."""
Component = tuple[tuple[tuple[int, int, Counts], ...], Edges]
"""Of each vertex mu, nu and its open indices; and the edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Index tables of a ``.mtp`` file.

    Attributes:
        basic: mu and powers of x, y and z of each component of a moment, shape (n, 4).
        times: Rows (a, b, factor, c): component c grows by factor times a times b; shape (n, 4).
        scalars: Which components are the basis functions.
        n_components: Of moments and of products.
    """

    basic: tuple[tuple[int, int, int, int], ...]
    times: tuple[tuple[int, int, int, int], ...]
    scalars: tuple[int, ...]
    n_components: int

    @property
    def n_radial(self) -> int:
        """Number of radial functions: one more than the largest mu."""
        return max(row[0] for row in self.basic) + 1


@cache
def tables(level: int) -> Tables:
    """The tables of a level; 16 takes a second.

    Raises:
        ValueError: The level is not an even number from 2 on.
    """
    if level < 2 or level % 2:  # noqa: PLR2004
        raise ValueError(f"level {level} is not an even number from 2 on")
    scalars = sorted(scalar_functions(level), key=lambda function: (len(function[0]), function))
    products: dict[Component, Counter[tuple[Component, Component]]] = {}
    for scalar in scalars:
        _add(scalar, products)
    ordered = sorted((c for c in products if len(c[0]) == 1), key=lambda c: c[0][0][:2] + _last_first(c))
    ordered += [c for c in products if len(c[0]) > 1]
    number = {component: place for place, component in enumerate(ordered)}
    return Tables(
        basic=tuple((vertices[0][0], *vertices[0][2]) for vertices, _ in ordered if len(vertices) == 1),
        times=tuple(
            (number[a], number[b], factor, number[component])
            for component in ordered
            for (a, b), factor in products[component].items()
        ),
        scalars=tuple(number[scalar] for scalar in scalars),
        n_components=len(ordered),
    )


def scalar_functions(level: int) -> set[Component]:
    """All basis functions of a level: components without open indices."""
    kinds = [(mu, nu) for mu, nu in product(range(level), repeat=2) if 2 + 4 * mu + nu <= level]
    found = set()
    for length in range(1, LONGEST + 1):
        for moments in combinations_with_replacement(kinds, length):
            if sum(2 + 4 * mu + nu for mu, nu in moments) <= level:
                vertices = tuple((mu, nu, (0, 0, 0)) for mu, nu in moments)
                found |= {_canonical(vertices, edges) for edges in _multigraphs([nu for _, nu in moments])}
    return found


def _multigraphs(degrees: list[int]) -> Iterator[Edges]:
    """All symmetric matrices of natural numbers with these row sums and zeros on the diagonal."""
    if not degrees:
        yield ()
        return
    first, *others = degrees
    for row in product(*(range(min(first, other) + 1) for other in others)):
        if sum(row) == first:
            rest = [other - taken for other, taken in zip(others, row, strict=True)]
            for below in _multigraphs(rest):
                yield ((0, *row), *((taken, *line) for taken, line in zip(row, below, strict=True)))


@cache
def _canonical(vertices: tuple[tuple[int, int, Counts], ...], edges: Edges) -> Component:
    """The first of all components that differ in the order of vertices only."""
    return min(
        (tuple(vertices[v] for v in order), tuple(tuple(edges[v][w] for w in order) for v in order))
        for order in permutations(range(len(vertices)))
    )


def _add(component: Component, products: dict[Component, Counter[tuple[Component, Component]]]) -> Component:
    """Write down what a component is the sum of, and before it the same of its factors."""
    if component in products:
        return component
    vertices, edges = component
    found: Counter[tuple[Component, Component]] = Counter()
    if len(vertices) > 1:
        left, right = _cut(tuple(nu for _, nu, _ in vertices), edges)
        crossing = [(v, w) for v in left for w in right if edges[v][w]]
        for directions in product(*(_compositions(edges[v][w]) for v, w in crossing)):
            opened = [list(counts) for _, _, counts in vertices]
            for pair, counts in zip(crossing, directions, strict=True):
                for vertex in pair:
                    opened[vertex] = [a + b for a, b in zip(opened[vertex], counts, strict=True)]
            factors = [_add(_part(component, part, opened), products) for part in (left, right)]
            found[min(factors), max(factors)] += prod(map(_multinomial, directions))
    products[component] = found
    return component


def _part(component: Component, chosen: tuple[int, ...], opened: list[list[int]]) -> Component:
    """Some of the vertices, and the edges among them, with other open indices."""
    vertices, edges = component
    return _canonical(
        tuple((*vertices[v][:2], (opened[v][0], opened[v][1], opened[v][2])) for v in chosen),
        tuple(tuple(edges[v][w] for w in chosen) for v in chosen),
    )


@cache
def _cut(degrees: tuple[int, ...], edges: Edges) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The cheapest way to take a graph in two."""
    return _cheapest(degrees, edges)[1]


@cache
def _cheapest(degrees: tuple[int, ...], edges: Edges) -> tuple[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Multiplications for all components of a tensor, and the first cut that needs no more."""
    here = range(len(degrees))
    n_components = prod(len(_compositions(nu - sum(row))) for nu, row in zip(degrees, edges, strict=True))
    if len(degrees) == 1:
        return n_components, ((0,), ())
    costs = []
    for size in range(1, len(degrees) // 2 + 1):
        for right in combinations(here, size):
            left = tuple(v for v in here if v not in right)
            cost = n_components * prod(len(_compositions(edges[v][w])) for v in left for w in right)
            for part in (left, right):
                inside = tuple(tuple(edges[v][w] for w in part) for v in part)
                cost += _cheapest(tuple(degrees[v] for v in part), inside)[0]
            costs.append((cost, (left, right)))
    return min(costs)


@cache
def _compositions(n: int) -> tuple[Counts, ...]:
    """All numbers of x, y and z among n indices."""
    return tuple((a, b, n - a - b) for a in range(n, -1, -1) for b in range(n - a, -1, -1))


def _multinomial(counts: Counts) -> int:
    """In how many orders so many x, y and z can stand."""
    return factorial(sum(counts)) // prod(map(factorial, counts))


def _last_first(component: Component) -> tuple[int, ...]:
    """Powers of x before those of y before those of z."""
    return tuple(-power for power in component[0][0][2])
