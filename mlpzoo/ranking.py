"""Who is best in a column, and who cannot be told from the best.  Pure; the order of rows does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_NOISE = 6  # digits behind the printed ones that are not rounding errors of the arithmetic
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is said of one cell beside its number.

    Attributes:
        best: It is the best of its column; several are, if they are exactly equal.
        tie: It cannot be told from the best.
    """

    best: bool = False
    tie: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far a value is from its reference.

    Attributes:
        distance: ``|value - reference|``.
        low: The smallest distance within the value's interval: 0 if the interval holds the reference.
        high: The largest distance within it.
    """

    distance: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, reference: float, interval: Interval | None) -> Distance:
        """The distance of a value; without an interval ``low`` and ``high`` are the distance itself."""
        low, high = interval if interval is not None else (value, value)
        low, high = min(low, value), max(high, value)
        return cls(
            distance=abs(value - reference),
            low=max(0.0, low - reference, reference - high),
            high=max(abs(low - reference), abs(high - reference)),
        )


def rank(scores: Mapping[str, float], tied: Callable[[str, str], bool]) -> dict[str, Mark]:
    """Marks of one column.

    Args:
        scores: Model to its score; lower is better.
        tied: ``tied(model, best)``: whether a model cannot be told from one with the best score.

    Returns:
        Marks of those that have one; none at all if there is nobody to be better than.
    """
    if len(scores) < 2:  # noqa: PLR2004
        return {}
    lowest = min(scores.values())
    best = [model for model, score in scores.items() if score == lowest]
    marks = {model: Mark(best=True) for model in best}
    for model in scores:
        if model not in marks and any(tied(model, one) for one in best):
            marks[model] = Mark(tie=True)
    return marks


def rank_closest(distances: Mapping[str, Distance], decimals: int) -> dict[str, Mark]:
    """Marks of a column in which the value closest to its reference is best.

    Two models tie if the distances that their intervals allow overlap: each interval then holds a value as
    close to the reference as some value of the other one.  A value without an interval stands for itself.
    Distances that are printed alike tie, too.

    Args:
        distances: Model to its distance.
        decimals: Digits after the point that are printed.
    """

    def tied(a: str, b: str) -> bool:
        one, other = distances[a], distances[b]
        overlap = one.low <= other.high and other.low <= one.high
        return overlap or round(one.distance, decimals) == round(other.distance, decimals)

    return rank({model: round(d.distance, decimals + _NOISE) for model, d in distances.items()}, tied)
