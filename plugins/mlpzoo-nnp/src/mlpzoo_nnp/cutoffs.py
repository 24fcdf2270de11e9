"""Cutoff functions of n2p2, by the number that ``cutoff_type`` gives them.

Definitions: n2p2's documentation of ``CutoffFunction``; A. Singraber, J. Behler, C. Dellago, J. Chem. Theory
Comput. 15, 1827 (2019), doi:10.1021/acs.jctc.8b00770.  The cosine is equation 4, the cubed hyperbolic tangent
equation 5 of J. Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    Pair = tuple[FloatArray, FloatArray]

TANH_NORM: Final = np.tanh(1.0) ** -3
"""What makes type 3 one at r = 0."""


def cutoff(kind: int, alpha: float, r: FloatArray, radius: float) -> Pair:
    """A cutoff function and its derivative.

    Args:
        kind: 0 hard, 1 cosine, 2 and 3 cubed tanh (as it is, one at r = 0), 4 exponential, 5 to 8 polynomials
            with 1 to 4 vanishing derivatives at both ends.
        alpha: Inner radius over ``radius``: the function is one up to there.  No meaning for types 0, 2, 3.
        r: Distances in any unit, shape (n,).
        radius: Where it ends, in the same unit.

    Returns:
        Values, and derivatives by r in the inverse unit; both zero from ``radius`` on.
    """
    inside = r < radius
    if kind == 0:
        return inside.astype(float), np.zeros_like(r)
    if kind in _TANH:
        t = np.tanh(np.where(inside, 1.0 - r / radius, 0.0))
        return _TANH[kind] * t**3, -3.0 * _TANH[kind] / radius * t**2 * (1.0 - t**2)
    width = (1.0 - alpha) * radius
    x = np.clip((r - alpha * radius) / width, 0.0, 1.0)
    value, slope = _CORES[kind](x)
    return np.where(inside, value, 0.0), np.where(inside & (x > 0), slope / width, 0.0)


def _cosine(x: FloatArray) -> Pair:
    return 0.5 * (np.cos(np.pi * x) + 1.0), -0.5 * np.pi * np.sin(np.pi * x)


def _exponential(x: FloatArray) -> Pair:
    """exp(1 - 1 / (1 - x²)): all derivatives vanish at x = 1."""
    rest = np.maximum(1.0 - x**2, 1e-3)  # below that the function is less than 1e-434
    value = np.exp(1.0 - 1.0 / rest)
    return value, -2.0 * x / rest**2 * value


def _cubic(x: FloatArray) -> Pair:
    return 1.0 + x**2 * (2.0 * x - 3.0), 6.0 * x * (x - 1.0)


def _quintic(x: FloatArray) -> Pair:
    return 1.0 - x**3 * (10.0 + x * (6.0 * x - 15.0)), -30.0 * x**2 * (x - 1.0) ** 2


def _septic(x: FloatArray) -> Pair:
    return 1.0 + x**4 * (-35.0 + x * (84.0 + x * (20.0 * x - 70.0))), 140.0 * x**3 * (x - 1.0) ** 3


def _nonic(x: FloatArray) -> Pair:
    value = 1.0 - x**5 * (126.0 + x * (-420.0 + x * (540.0 + x * (70.0 * x - 315.0))))
    return value, -630.0 * x**4 * (x - 1.0) ** 4


_TANH: Final = {2: 1.0, 3: TANH_NORM}
_CORES: Final[dict[int, Callable[[FloatArray], Pair]]] = {
    1: _cosine,
    4: _exponential,
    5: _cubic,
    6: _quintic,
    7: _septic,
    8: _nonic,
}
KINDS: Final = frozenset({0, *_TANH, *_CORES})
"""The numbers that ``cutoff_type`` may have."""
