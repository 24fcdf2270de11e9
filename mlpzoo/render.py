"""Tables as text: Markdown, CSV, LaTeX, JSON, and for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlpzoo.errors import UsageError
from mlpzoo.table import Comparison, Table, cell, to_json

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from mlpzoo.benchmark import Quantity
    from mlpzoo.results import Result

Format = Literal["terminal", "md", "csv", "json", "latex"]
LEGEND = "* or bold: best of its column; ≈: a tie with it (95 % interval of the paired difference holds 0)"


def render(found: Comparison, form: Format, *, all_columns: bool = False) -> str:
    """A comparison as text, for every format but ``terminal``."""
    renderers: dict[str, Callable[[Comparison, bool], str]] = {
        "md": _markdown,
        "csv": _csv,
        "latex": _latex,
        "json": lambda c, _: to_json(c).decode() + "\n",
    }
    return renderers[form](found, all_columns)


def columns(table: Table, *, all_columns: bool) -> list[Quantity]:
    """The quantities that are shown: chosen ones, or all, less those without a value in any row."""
    rows = (*table.rows, *table.floors)
    nothing = not any(r.values for r in rows)
    return [
        q
        for q in table.benchmark.quantities
        if (all_columns or q.shown) and (nothing or any(q.name in r.values for r in rows))
    ]


def heading(table: Table) -> str:
    """``re-forces v1 · si-vacancy · profile standard · 14 snapshots ...``."""
    parts = [f"{table.benchmark.name} v{table.benchmark.version}", table.case.name]
    parts.append(f"profile {table.settings.profile}")
    for row in (*table.rows, *table.floors):
        if row.status == "ok" and "n_snapshots" in row.values:
            counts = row.values
            parts.append(f"{counts['n_snapshots']:.0f} snapshots, {counts.get('n_re_atoms', 0):.0f} RE atoms")
            break
    if table.case.level_of_theory:
        parts.append(f"reference {table.case.level_of_theory}")
    return " · ".join(parts)


def header(quantity: Quantity) -> str:
    """Title with the unit."""
    return f"{quantity.title} ({quantity.unit})" if quantity.unit else quantity.title


def _text(row: Result, quantity: Quantity) -> str:
    """A cell without its mark: the number, ``—`` if there is none, ``✗`` if the row failed."""
    if quantity.name in row.values:
        return cell(row.values[quantity.name], quantity)
    return "✗" if row.status == "failed" else "—"


def _notes(table: Table) -> Iterator[str]:
    for model, message in table.notes:
        yield f"{model}: {message}"
    yield from table.differences


def _markdown(found: Comparison, all_columns: bool) -> str:  # noqa: FBT001
    parts = []
    for table in found.tables:
        shown = columns(table, all_columns=all_columns)
        lines = [f"### {heading(table)}", ""]
        lines.append("| model | " + " | ".join(header(q).replace("|", "\\|") for q in shown) + " |")
        lines.append("|---|" + "---:|" * len(shown))
        for row in (*table.rows, *table.floors):
            cells = []
            for q in shown:
                text, mark = _text(row, q), table.mark(row, q)
                cells.append(f"**{text}**" if mark.best else f"≈ {text}" if mark.tie else text)
            name = row.model.replace("|", "\\|")
            name = f"*{name}*" if row.is_floor else name
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        if table.marks:
            lines += ["", LEGEND]
        notes = [n.splitlines() for n in _notes(table)]
        lines += ["", *(f"- {n[0]}" for n in notes)] if notes else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _csv(found: Comparison, all_columns: bool) -> str:  # noqa: FBT001
    """Long form, every quantity, so that it can be read without knowing the benchmark."""
    del all_columns
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            *("benchmark", "version", "case", "profile", "row", "model", "status"),
            *("quantity", "unit", "value", "low", "high", "best", "tie", "message"),
        ]
    )
    for table in found.tables:
        head = [table.benchmark.name, table.benchmark.version, table.case.name, table.settings.profile]
        for row in (*table.rows, *table.floors):
            kind = "reference" if row.is_floor else "model"
            lead = [*head, kind, row.model, row.status]
            message = row.message.splitlines()[0] if row.message else ""
            if not row.values:
                writer.writerow([*lead, "", "", "", "", "", "", "", message])
            for q in table.benchmark.quantities:
                if q.name not in row.values:
                    continue
                low, high = row.interval.get(q.name, ("", ""))
                mark = table.mark(row, q)
                flags = [int(mark.best), int(mark.tie)]
                writer.writerow([*lead, q.name, q.unit, repr(row.values[q.name]), low, high, *flags, message])
    return out.getvalue()


_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "Å": r"\AA{}", "°": r"$^\circ$", "δ": r"$\delta$", "θ": r"$\theta$", "⟨": r"$\langle$",
        "⟩": r"$\rangle$", "|": r"$|$", ">": r"$>$", "<": r"$<$", "≈": r"$\approx$", "—": "---",
        "✗": r"$\times$", "·": r"$\cdot$", "Γ": r"$\Gamma$", "×": r"$\times$", "½": r"$\frac12$",
    }
)  # fmt: skip


def _latex(found: Comparison, all_columns: bool) -> str:  # noqa: FBT001
    """One ``table`` environment each; needs booktabs."""
    parts = []
    for table in found.tables:
        shown = columns(table, all_columns=all_columns)
        lines = [r"\begin{table}", r"\centering", rf"\caption{{{heading(table).translate(_TEX)}}}"]
        lines.append(r"\begin{tabular}{l" + "r" * len(shown) + "}")
        heads = " & ".join(header(q).translate(_TEX) for q in shown)
        lines += [r"\toprule", rf"model & {heads} \\", r"\midrule"]
        for number, row in enumerate((*table.rows, *table.floors)):
            if row.is_floor and number == len(table.rows):
                lines.append(r"\midrule")
            cells = [row.model.translate(_TEX)]
            for q in shown:
                text, mark = _text(row, q).translate(_TEX), table.mark(row, q)
                best, tie = rf"\textbf{{{text}}}", rf"$\approx$ {text}"
                cells.append(best if mark.best else tie if mark.tie else text)
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
        notes = [note.splitlines()[0].translate(_TEX) for note in _notes(table)]
        lines += [rf"\par\footnotesize {note}" for note in notes]
        lines.append(r"\end{table}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


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


def terminal(
    found: Comparison, *, all_columns: bool = False, intervals: bool = False, width: int = 160
) -> Iterator[RenderableType]:
    """Renderables for a rich console, one table after the other with its notes.

    Columns that do not fit into ``width`` characters go into further blocks below; no number is ever cut.
    """
    from rich.text import Text

    for table in found.tables:
        yield Text(heading(table), style="bold")
        shown = columns(table, all_columns=all_columns)
        rows = (*table.rows, *table.floors)
        cells = {q.name: [_terminal_cell(table, row, q, intervals=intervals) for row in rows] for q in shown}
        for block in _blocks(shown, cells, width - _name_width(table) - 4):
            yield _terminal_block(table, block, cells)
        if table.marks:
            yield Text(LEGEND, style="dim")
        for note in _notes(table):
            yield Text(note)
        yield Text("")


def _name_width(table: Table) -> int:
    longest = max((len(row.model) for row in (*table.rows, *table.floors)), default=0)
    return min(28, max(8, longest))


def _blocks(shown: list[Quantity], cells: dict[str, list[Text]], room: int) -> Iterator[list[Quantity]]:
    """Cut the columns into runs that fit into ``room`` characters; at least one column each."""
    block: list[Quantity] = []
    used = 0
    for q in shown:
        words = [*q.title.split(), q.unit, *(line for c in cells[q.name] for line in c.plain.split("\n"))]
        need = 2 + max(map(len, words))
        if block and used + need > room:
            yield block
            block, used = [], 0
        block.append(q)
        used += need
    yield block


def _terminal_block(table: Table, shown: list[Quantity], cells: dict[str, list[Text]]) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    grid.add_column("model", overflow="fold", min_width=8, max_width=_name_width(table))
    for q in shown:
        narrowest = max(len(line) for c in cells[q.name] for line in c.plain.split("\n"))
        head = Text(q.title + (f"\n{q.unit}" if q.unit else ""))
        grid.add_column(head, justify="right", min_width=narrowest)
    for number, row in enumerate((*table.rows, *table.floors)):
        if row.is_floor and number == len(table.rows):
            grid.add_section()
        style = "dim" if row.is_floor else ""
        grid.add_row(Text(row.model, style=style), *(cells[q.name][number] for q in shown))
    return grid


def _terminal_cell(table: Table, row: Result, q: Quantity, *, intervals: bool) -> Text:
    from rich.text import Text

    mark = table.mark(row, q)
    text = ("*" if mark.best else "≈" if mark.tie else "") + _text(
        row, q
    )  # * where bold does not show: pipes, files
    if intervals and q.name in row.interval:
        low, high = row.interval[q.name]
        text += f"\n[{cell(low, q)}, {cell(high, q)}]"
    failed = row.status == "failed"
    return Text(text, style="bold" if mark.best else "red" if failed else "dim" if row.is_floor else "")
