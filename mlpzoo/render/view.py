"""What all formats share: which columns a table has, and what stands in its cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlpzoo.benchmark import Quantity
from mlpzoo.notes import FOREIGN, reasons
from mlpzoo.ranking import Mark
from mlpzoo.results import Result
from mlpzoo.table import Table

COSTS = (
    Quantity(name="n_evaluations", unit="", title="force calls", decimals=0, better="none"),
    Quantity(name="cpu_time_s", unit="s", title="CPU", decimals=1, better="none"),
    Quantity(name="wall_time_s", unit="s", title="wall", decimals=1, better="none"),
    Quantity(name="harness", unit="%", title="harness", decimals=1, better="none"),
)
"""What a row has cost; ``harness`` is the part of the wall time that was not spent in the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How tables are shown.

    Attributes:
        all_columns: Also the columns that are hidden by default.
        intervals: 95 % intervals below the values (terminal only).
        errors: Deviations from the reference instead of values, where there is a reference.
        costs: What each row has cost, in further columns.
    """

    all_columns: bool = False
    intervals: bool = False
    errors: bool = False
    costs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell.

    Attributes:
        text: A number, words, ``—`` (cannot, or does not apply) or ``✗`` (failed).
        mark: What is said of the number.
        words: Whether it says why there is no number.
        interval: The interval of the number; empty if there is none, or it is not asked for.
    """

    text: str
    mark: Mark
    words: bool = False
    interval: str = ""


def number(value: float, quantity: Quantity, *, sign: bool = False) -> str:
    """A number with the quantity's decimals; never ``-0``."""
    rounded = round(value, quantity.decimals) + 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.{quantity.decimals}f}"


def cost(row: Result, name: str) -> float | None:
    """One of `COSTS`; None where it does not apply or is not known."""
    known = {
        "n_evaluations": float(row.n_evaluations),
        "cpu_time_s": row.cpu_time_s,
        "wall_time_s": row.wall_time_s,
    }
    if row.is_floor:
        return None
    if name == "harness":
        inside, wall = row.calculator_time_s, row.wall_time_s
        return 100.0 * (1.0 - inside / wall) if inside and wall else None
    return known[name] or None


def columns(table: Table, view: View) -> list[Quantity]:
    """The quantities that are shown: chosen ones, or all, less those that no row says anything of."""
    rows = (*table.rows, *table.floors)
    told = {name for row in rows for name in (*row.values, *row.absent)}
    common = {q.name for q, _ in counts(table)}
    wanted = [
        q
        for q in table.benchmark.quantities
        if view.all_columns or (q.name in told - common if q.in_heading else q.shown)
    ]
    return [q for q in wanted if not told or q.name in told] + (list(COSTS) if view.costs else [])


def rows_below(table: Table, shown: Iterable[Quantity]) -> list[Result]:
    """The rows that no model is in: reference values of the columns that are shown, then noise floors."""
    names = {q.name for q in shown}
    return [*(r for r in table.references if names & set(r.values)), *table.floors]


def counts(table: Table) -> list[tuple[Quantity, float]]:
    """The quantities of the heading, with the value that all rows share."""
    found = []
    for q in table.benchmark.quantities:
        values = {r.values[q.name] for r in (*table.rows, *table.floors) if q.name in r.values}
        if q.in_heading and len(values) == 1:
            found.append((q, values.pop()))
    return found


def heading(table: Table) -> str:
    """``re-forces v1 · si-vacancy · profile standard · 14 snapshots · reference PBE``."""
    parts = [f"{table.benchmark.name} v{table.benchmark.version}", table.case.name]
    parts.append(f"profile {table.settings.profile}")
    sizes = [
        f"{q.title} {number(value, q)} {q.unit}" if q.unit else f"{number(value, q)} {q.title}"
        for q, value in counts(table)
    ]
    if sizes:
        parts.append(", ".join(sizes))
    if table.case.level_of_theory:
        parts.append(f"reference {table.case.level_of_theory}")
    return " · ".join(parts)


def nobody(table: Table) -> str:
    """The line that stands for a table in which every model is unsupported."""
    return f"{heading(table)} · unsupported: {reasons(table)}"


def has_errors(table: Table, quantity: Quantity, view: View) -> bool:
    """Whether a column holds deviations."""
    return view.errors and any(table.error(row, quantity) is not None for row in table.rows)


def title(table: Table, quantity: Quantity, view: View) -> str:
    """Of a column, without its unit."""
    return f"Δ {quantity.title}" if has_errors(table, quantity, view) else quantity.title


def header(table: Table, quantity: Quantity, view: View) -> str:
    """Title with the unit."""
    text = title(table, quantity, view)
    return f"{text} ({quantity.unit})" if quantity.unit else text


def name(table: Table, row: Result) -> str:
    """What a row is called."""
    return f"{row.model} {FOREIGN}" if not row.is_floor and row.model in table.foreign else row.model


def cell(table: Table, row: Result, quantity: Quantity, view: View) -> Cell:
    """What stands in a cell."""
    mark = table.mark(row, quantity)
    if quantity in COSTS:
        value = cost(row, quantity.name)
        return Cell(text="—" if value is None else number(value, quantity), mark=mark)
    if quantity.name in row.absent:
        return Cell(text=row.absent[quantity.name], mark=mark, words=True)
    if quantity.name not in row.values:
        return Cell(text="✗" if row.status == "failed" else "—", mark=mark)
    zero = 0.0
    signed = has_errors(table, quantity, view) and not row.is_floor
    if signed:
        reference = table.reference(row, quantity)
        if reference is None:
            return Cell(text="no reference", mark=mark, words=True)
        zero = reference
    interval = ""
    if view.intervals and quantity.name in row.interval:
        ends = (number(end - zero, quantity, sign=signed) for end in row.interval[quantity.name])
        interval = f"[{', '.join(ends)}]"
    return Cell(
        text=number(row.values[quantity.name] - zero, quantity, sign=signed), mark=mark, interval=interval
    )
