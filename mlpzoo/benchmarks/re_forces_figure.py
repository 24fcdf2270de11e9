"""The curves of ``re-forces``: how errors are distributed, and how they grow towards the migrating atom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlpzoo.metrics import (
    ForceComparison,
    direction_error_distribution,
    error_by_distance,
    magnitude_error_distribution,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

R_EDGES_ANG = (0.0, 0.5, 2.0, 3.0, 4.0, 5.5)
"""Bins of the distance to the nearest RE atom: the RE atoms themselves, then shells; 5.5 Å is the cap."""


def draw(rows: Mapping[str, dict[str, Any]], floors: Mapping[str, dict[str, Any]], title: str) -> Figure:
    """Three panels: cumulative distributions of |δF| and δθ on RE atoms, and the force RMSE against r.

    Args:
        rows: Model to the arrays of its result.
        floors: Reference row to its arrays; drawn grey.
        title: Above the panels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    magnitude, angle, distance = figure.subplots(1, 3)
    greys = [{"color": grey, "linestyle": "--"} for grey in ("0.3", "0.6", "0.75")]
    curves: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (name, arrays, {}) for name, arrays in rows.items()
    ]
    curves += [(name, a, greys[i % len(greys)]) for i, (name, a) in enumerate(floors.items())]
    for name, arrays, style in curves:
        comparison = _comparison(arrays)
        for axes, found in (
            (magnitude, magnitude_error_distribution(comparison)),
            (angle, direction_error_distribution(comparison)),
        ):
            axes.step(found.errors, found.percent, where="post", label=name, **style)
        bins = [b for b in error_by_distance(comparison, arrays["r"], R_EDGES_ANG) if b.n_atoms]
        middles = [0.5 * (b.low + b.high) if b.low else 0.0 for b in bins]
        distance.plot(middles, [b.force_rmse for b in bins], marker="o", label=name, **style)
    magnitude.set(xlabel="|δF| (eV/Å)", ylabel="RE atoms (%)", xlim=(0, 1.5), ylim=(0, 100))
    magnitude.axvline(0.5, color="0.8", zorder=0)
    angle.set(xlabel="δθ (°)", xlim=(0, 90), ylim=(0, 100))
    for threshold in (15, 30):
        angle.axvline(threshold, color="0.8", zorder=0)
    distance.set(xlabel="distance to the nearest RE atom (Å)", ylabel="force RMSE (eV/Å)")
    distance.set_ylim(bottom=0)
    angle.legend(loc="lower right", fontsize="small")
    figure.suptitle(title)
    return figure


def _comparison(arrays: dict[str, Any]) -> ForceComparison:
    """The comparison that a stored result was computed from."""
    import numpy as np

    return ForceComparison(
        reference_forces=arrays["reference_forces"],
        predicted_forces=arrays["forces"],
        snapshot=arrays["snapshot"],
        re_mask=arrays["re_mask"],
        atom_counts=np.bincount(arrays["snapshot"]),
    )
