"""Tables for a terminal, by rich."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
_BETWEEN = 2  # columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column: its title, which may wrap, and its cells, which never do."""

    title: str
    unit: str
    cells: list[Text]

    @property
    def narrowest(self) -> int:
        """Width at which every word of the title and every line of a cell is whole."""
        lines = [line for cell in self.cells for line in cell.plain.split("\n")]
        return max(map(len, [*self.title.split(), self.unit, *lines]))

    @property
    def widest(self) -> int:
        """Width at which the title is one line."""
        return max(self.narrowest, len(self.title))


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
        columns = [
            _Column(
                title=show.title(table, q, view),
                unit=q.unit,
                cells=[_cell(table, row, q, view) for row in rows],
            )
            for q in shown
        ]
        names = [show.name(table, row) for row in rows]
        name_width = min(_NAME_WIDTH, max(8, *map(len, names)))
        room = width - name_width - 4
        for block in _blocks(columns, room):
            yield _grid(block, names=names, n_models=len(table.rows), name_width=name_width, room=room)
        for line in legend(table):
            yield Text(f"* or {line}" if line.startswith("bold") else line, style="dim")
        for note in notes(table):
            yield Text(note)
        yield Text("")


def _blocks(columns: list[_Column], room: int) -> Iterator[list[_Column]]:
    """Cut the columns into runs that fit into ``room`` characters; at least one column each."""
    block: list[_Column] = []
    used = 0
    for column in columns:
        need = _BETWEEN + column.narrowest
        if block and used + need > room:
            yield block
            block, used = [], 0
        block.append(column)
        used += need
    yield block


def _widths(columns: list[_Column], room: int) -> list[int]:
    """Widths of the columns of a block: as few titles as possible wrap, from the left."""
    spare = room - sum(_BETWEEN + column.narrowest for column in columns)
    widths = []
    for column in columns:
        more = column.widest - column.narrowest
        widths.append(column.widest if more <= spare else column.narrowest)
        spare -= widths[-1] - column.narrowest
    return widths


def _grid(
    columns: list[_Column], *, names: list[str], n_models: int, name_width: int, room: int
) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    grid.add_column("model", overflow="fold", width=name_width)
    for column, width in zip(columns, _widths(columns, room), strict=True):
        head = Text(column.title + (f"\n{column.unit}" if column.unit else ""))
        grid.add_column(head, justify="right", width=width)
    for number, name in enumerate(names):
        if number == n_models:
            grid.add_section()
        style = "" if number < n_models else "dim"
        grid.add_row(Text(name, style=style), *(column.cells[number] for column in columns))
    return grid


def _cell(table: Table, row: Result, q: Quantity, view: View) -> Text:
    from rich.text import Text

    found = show.cell(table, row, q, view)
    mark = "*" if found.mark.best else "≈" if found.mark.tie else ""  # bold does not show in pipes and files
    text = f"{mark}{found.text}" + (f"\n{found.interval}" if found.interval else "")
    if found.words:
        return Text(text, style="dim italic")
    failed = row.status == "failed"
    return Text(text, style="bold" if found.mark.best else "red" if failed else "dim" if row.is_floor else "")
