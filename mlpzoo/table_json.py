"""The public JSON contract of a comparison, schema ``mlpzoo.compare/1``.

``tables[]`` has ``benchmark``, ``version``, ``case``, ``profile``, ``quantities``, ``rows``, ``references``.
A row has ``model``, ``status``, ``values``, ``interval``, ``message``, ``n_evaluations``, ``wall_time_s``,
``provenance`` and ``ties_with_best``.  Since then keys were only added:

- rows: ``absent`` (quantity to why it has no number), ``cpu_time_s``, ``calculator_time_s``, ``best``
  (quantities in which it is best), ``against`` (level of theory that it is compared with; empty: with none)
  and ``errors`` (quantity to value minus reference);
- references: ``kind``, which is ``noise`` (the reference's own noise, as before) or ``value`` (reference
  values of the level of theory that ``model`` names), and for the latter ``sources`` (quantity to source).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from mlpzoo.results import Result
from mlpzoo.table import Comparison, Table

SCHEMA = "mlpzoo.compare/1"


def to_json(found: Comparison) -> bytes:
    """All tables, with everything that is known of each row."""
    return msgspec.json.format(
        msgspec.json.encode({"schema": SCHEMA, "tables": [_table(t) for t in found.tables]}), indent=2
    )


def _table(table: Table) -> dict[str, Any]:
    return {
        "benchmark": table.benchmark.name,
        "version": table.benchmark.version,
        "case": table.case.name,
        "profile": table.settings.profile,
        "quantities": [asdict(q) for q in table.benchmark.quantities],
        "rows": [_model(table, row) for row in table.rows],
        "references": [
            *({**_row(r), "kind": "value", "sources": table.sources(r.model)} for r in table.references),
            *({**_row(r), "kind": "noise"} for r in table.floors),
        ],
    }


def _model(table: Table, row: Result) -> dict[str, Any]:
    marks = {quantity: mark for (model, quantity), mark in table.marks.items() if model == row.model}
    errors = {q.name: table.error(row, q) for q in table.benchmark.quantities}
    return {
        **_row(row),
        "best": [quantity for quantity, mark in marks.items() if mark.best],
        "ties_with_best": [quantity for quantity, mark in marks.items() if mark.tie],
        "against": table.compared.get(row.model, ""),
        "errors": {name: error for name, error in errors.items() if error is not None},
    }


def _row(result: Result) -> dict[str, Any]:
    return {
        "model": result.model,
        "status": result.status,
        "values": result.values,
        "interval": result.interval,
        "absent": result.absent,
        "message": result.message,
        "n_evaluations": result.n_evaluations,
        "wall_time_s": result.wall_time_s,
        "cpu_time_s": result.cpu_time_s,
        "calculator_time_s": result.calculator_time_s,
        "provenance": asdict(result.provenance),
    }
