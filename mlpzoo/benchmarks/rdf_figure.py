"""Radial distribution functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    curves: Mapping[str, tuple[Any, Any]], references: Mapping[str, tuple[Any, Any]], title: str
) -> Figure:
    """One panel: g(r).

    Args:
        curves: Model to (r in Å, g), both of shape (n_bins,).
        references: The same, drawn black.
        title: Above the panel.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, (r, g) in curves.items():
        axes.plot(r, g, label=name, linewidth=1)
    for name, (r, g) in references.items():
        axes.plot(r, g, color="black", linestyle="--", label=name, linewidth=1)
    axes.axhline(1.0, color="0.9", zorder=0)
    axes.set(xlabel="r (Å)", ylabel="g(r)", xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize="small")
    figure.suptitle(title)
    return figure
