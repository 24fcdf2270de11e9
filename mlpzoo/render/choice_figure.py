"""Rare-event errors against average errors of candidates, one panel a rare-event set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlpzoo.choice import DECIDES

if TYPE_CHECKING:
    from mlpzoo.choice import Choice


def draw(choice: Choice, path: Path) -> None:
    """Write a figure; the file's ending decides its format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = len(choice.cases)
    figure = Figure(figsize=(4.2 * n, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    groups = list(dict.fromkeys(" ".join(one.title.split()[:2]) for one in choice.scored))
    for number, case in enumerate(choice.cases):
        axes = figure.add_subplot(1, n, number + 1)
        for group in groups:
            mine = [one for one in choice.scored if " ".join(one.title.split()[:2]) == group]
            axes.scatter(
                [one.average for one in mine], [one.rare[case, DECIDES] for one in mine], label=group, s=28
            )
        found = choice.correlations[case, DECIDES]
        rho = "" if found is None else f", Spearman {found.spearman:+.2f}"
        axes.set_title(f"{case}{rho}", fontsize=10)
        axes.set_xlabel("average force RMSE (eV/Å)")
        axes.set_ylabel("force RMSE of RE atoms (eV/Å)")
        if number == 0:
            axes.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
