"""Tables as CSV in long form: a line a number, every quantity, so that any benchmark is read alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from mlpzoo.render.view import COSTS, View, cost
from mlpzoo.results import Result
from mlpzoo.table import Comparison, Table

HEADER = (
    *("benchmark", "version", "case", "profile", "row", "model", "status"),
    *("quantity", "unit", "value", "low", "high", "best", "tie", "message"),
    *("absent", "against", "reference", "source"),
)
"""``absent``: why there is no value; ``against``, ``reference``: level and value that it is compared with;
``source``: of a reference value."""
_NOTHING = [""] * 8


def render(found: Comparison, view: View) -> str:
    """All tables in one; the numbers have full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for table in found.tables:
        head = [table.benchmark.name, table.benchmark.version, table.case.name, table.settings.profile]
        for row in (*table.rows, *table.references, *table.floors):
            kind = "reference" if row.is_floor else "model"
            lead = [*head, kind, row.model, row.status]
            message = row.message.splitlines()[0] if row.message else ""
            if not row.values and not row.absent:
                writer.writerow([*lead, *_NOTHING[1:], message, *[""] * 4])
            sources = table.sources(row.model) if row in table.references else {}
            for line in _lines(table, row, sources, message):
                writer.writerow([*lead, *line])
            for q in COSTS if view.costs else ():
                if (value := cost(row, q.name)) is not None:
                    writer.writerow([*lead, q.name, q.unit, repr(value), "", "", 0, 0, message, *[""] * 4])
    return out.getvalue()


def _lines(table: Table, row: Result, sources: dict[str, str], message: str) -> Iterator[list[Any]]:
    for q in table.benchmark.quantities:
        if q.name in row.absent:
            yield [q.name, q.unit, "", "", "", 0, 0, message, row.absent[q.name], "", "", ""]
        if q.name not in row.values:
            continue
        low, high = row.interval.get(q.name, ("", ""))
        mark, reference = table.mark(row, q), table.reference(row, q)
        against = ["", ""] if reference is None else [table.compared_with(row), repr(reference)]
        yield [
            *(q.name, q.unit, repr(row.values[q.name]), low, high, int(mark.best), int(mark.tie), message),
            *("", *against, sources.get(q.name, "")),
        ]
