"""Energy profiles along paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[Any, Any]


def draw(curves: Mapping[str, Curve], references: Mapping[str, Curve], title: str) -> Figure:
    """One panel: energy in eV against the share of the path.

    Args:
        curves: Model to (coordinate, energy), both of shape (n_images,); lengths of paths differ, so the
            coordinate is divided by its last value.
        references: The same, drawn black and grey.
        title: Above the panel.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, (coordinate, energy) in curves.items():
        axes.plot(coordinate / coordinate[-1], energy, marker="o", label=name)
    for (name, (coordinate, energy)), grey in zip(
        references.items(), ("0.0", "0.5", "0.7", "0.8"), strict=False
    ):
        axes.plot(coordinate / coordinate[-1], energy, "s--", color=grey, label=name)
    axes.set(xlabel="share of the path", ylabel="energy (eV)", xlim=(0, 1))
    axes.axhline(0.0, color="0.9", zorder=0)
    axes.legend(fontsize="small")
    figure.suptitle(title)
    return figure
