"""The curves of tables as files, from the arrays that results keep."""

from __future__ import annotations

from pathlib import Path

from mlpzoo.errors import UsageError
from mlpzoo.render.view import heading
from mlpzoo.table import Comparison


def write_figures(found: Comparison, directory: Path) -> list[Path]:
    """Draw each table that its benchmark can draw, as ``BENCHMARK-CASE.png`` in a directory.

    Raises:
        UsageError: There is nothing to draw.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for table in found.tables:
        drawn = [r.model for r in table.rows if r.model in table.arrays]
        if table.benchmark.draw is None or not drawn:
            continue
        rows = {name: table.arrays[name] for name in drawn}
        floors = {r.model: table.arrays[r.model] for r in table.floors if r.model in table.arrays}
        path = directory / f"{table.benchmark.name}-{table.case.name}.png"
        table.benchmark.draw(rows, floors, heading(table)).savefig(path, dpi=150)
        written.append(path)
    if not written:
        raise UsageError("there is nothing to draw", hint="choose a benchmark with curves, e.g. re-forces")
    return written
