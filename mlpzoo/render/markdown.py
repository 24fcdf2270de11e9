"""Tables as Markdown."""

from __future__ import annotations

from mlpzoo.notes import legend, notes
from mlpzoo.render import view as show
from mlpzoo.render.view import Cell, View
from mlpzoo.table import Comparison, Table

_MD = str.maketrans({"|": r"\|", "<": r"\<"})


def render(found: Comparison, view: View) -> str:
    """One section a table."""
    return "\n\n".join(_section(table, view) for table in found.tables) + "\n"


def _section(table: Table, view: View) -> str:
    if table.nobody_can:
        return show.nobody(table)
    shown = show.columns(table, view)
    lines = [f"### {show.heading(table)}", ""]
    heads = [show.header(table, q, view).replace("|", r"\|") for q in shown]
    lines.append("| " + " | ".join(["model", *heads]) + " |")
    lines.append("|---|" + "---:|" * len(shown))
    for row in (*table.rows, *show.rows_below(table, shown)):
        name = show.name(table, row).replace("|", r"\|")
        cells = [f"*{name}*" if row.is_floor else name]
        cells += [_cell(show.cell(table, row, q, view)) for q in shown]
        lines.append("| " + " | ".join(cells) + " |")
    for line in legend(table):
        lines += ["", line]
    told = [note.splitlines()[0] for note in notes(table)]
    lines += ["", *(f"- {note}" for note in told)] if told else []
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    if cell.words:
        return f"*{cell.text.translate(_MD)}*"
    return f"**{cell.text}**" if cell.mark.best else f"≈ {cell.text}" if cell.mark.tie else cell.text
