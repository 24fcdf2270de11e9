"""Tables for a terminal, by rich."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlpzoo.notes import legend, notes
from mlpzoo.render import view as show
from mlpzoo.render.view import View

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from mlpzoo.benchmark import Quantity
    from mlpzoo.results import Result
    from mlpzoo.table import Comparison, Table

_NAME_WIDTH = 28


def render(found: Comparison, view: View, *, width: int = 160) -> Iterator[RenderableType]:
    """Renderables for a rich console, one table after the other with its notes.

    Columns that do not fit into ``width`` characters go into further blocks below; no number is ever cut.
    """
    from rich.text import Text

    for table in found.tables:
        if table.nobody_can:
            yield Text(show.nobody(table), style="dim")
            yield Text("")
            continue
        yield Text(show.heading(table), style="bold")
        shown = show.columns(table, view)
        rows = [*table.rows, *show.rows_below(table, shown)]
        names = [show.name(table, row) for row in rows]
        name_width = min(_NAME_WIDTH, max(8, *map(len, names)))
        cells = {q.name: [_cell(table, row, q, view) for row in rows] for q in shown}
        titles = {q.name: show.title(table, q, view) for q in shown}
        for block in _blocks(shown, titles, cells, width - name_width - 4):
            yield _grid(block, titles, cells, names=names, n_models=len(table.rows), name_width=name_width)
        for line in legend(table):
            yield Text(f"* or {line}" if line.startswith("bold") else line, style="dim")
        for note in notes(table):
            yield Text(note)
        yield Text("")


def _blocks(
    shown: list[Quantity], titles: dict[str, str], cells: dict[str, list[Text]], room: int
) -> Iterator[list[Quantity]]:
    """Cut the columns into runs that fit into ``room`` characters; at least one column each."""
    block: list[Quantity] = []
    used = 0
    for q in shown:
        words = [*titles[q.name].split(), q.unit, *_lines(cells[q.name])]
        need = 2 + max(map(len, words))
        if block and used + need > room:
            yield block
            block, used = [], 0
        block.append(q)
        used += need
    yield block


def _grid(
    shown: list[Quantity],
    titles: dict[str, str],
    cells: dict[str, list[Text]],
    *,
    names: list[str],
    n_models: int,
    name_width: int,
) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    grid.add_column("model", overflow="fold", min_width=name_width, max_width=name_width)
    for q in shown:
        head = Text(titles[q.name] + (f"\n{q.unit}" if q.unit else ""))
        grid.add_column(head, justify="right", min_width=max(map(len, _lines(cells[q.name]))))
    for number, name in enumerate(names):
        if number == n_models:
            grid.add_section()
        style = "" if number < n_models else "dim"
        grid.add_row(Text(name, style=style), *(cells[q.name][number] for q in shown))
    return grid


def _lines(cells: list[Text]) -> list[str]:
    return [line for cell in cells for line in cell.plain.split("\n")]


def _cell(table: Table, row: Result, q: Quantity, view: View) -> Text:
    from rich.text import Text

    found = show.cell(table, row, q, view)
    mark = "*" if found.mark.best else "≈" if found.mark.tie else ""  # bold does not show in pipes and files
    text = f"{mark}{found.text}" + (f"\n{found.interval}" if found.interval else "")
    if found.words:
        return Text(text, style="dim italic")
    failed = row.status == "failed"
    return Text(text, style="bold" if found.mark.best else "red" if failed else "dim" if row.is_floor else "")
