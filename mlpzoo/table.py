"""From results to a comparison: pure, no files, no printing.

One table a benchmark and case: a row a model in the order asked for, reference rows last.  The best value
of each ranked column is marked, and so is every model that cannot be told from it: the 95 % interval of the
paired difference holds 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from mlpzoo.benchmark import BenchmarkSpec, Case, Quantity, RunSettings
from mlpzoo.results import Result, unpack

if TYPE_CHECKING:
    from mlpzoo.tasks import Plan

SCHEMA = "mlpzoo.compare/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is said of one cell beside its number.

    Attributes:
        best: It is the best of its column.
        tie: It cannot be told from the best.
    """

    best: bool = False
    tie: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One benchmark on one case.

    Attributes:
        benchmark: The benchmark.
        case: The case.
        settings: Profile and seed, the same for all rows.
        rows: Models, in the order asked for.
        floors: Reference rows.
        levels: Model name to the level of theory that its card declares.
    """

    benchmark: BenchmarkSpec
    case: Case
    settings: RunSettings
    rows: tuple[Result, ...]
    floors: tuple[Result, ...]
    levels: dict[str, str] = field(default_factory=dict)

    @cached_property
    def arrays(self) -> dict[str, dict[str, Any]]:
        """Row title to the arrays of its result, for all rows that ended well."""
        rows = (*self.rows, *self.floors)
        return {r.model: {k: unpack(a) for k, a in r.arrays.items()} for r in rows if r.status == "ok"}

    @cached_property
    def marks(self) -> dict[tuple[str, str], Mark]:
        """(model, quantity) to its mark, for every column with a ranking and at least two models."""
        marks: dict[tuple[str, str], Mark] = {}
        pairs: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
        for quantity in self.benchmark.quantities:
            ranked = [r for r in self.rows if r.status == "ok" and quantity.name in r.values]
            if quantity.better != "lower" or len(ranked) < 2:  # noqa: PLR2004
                continue
            best = min(ranked, key=lambda r: r.values[quantity.name])
            marks[best.model, quantity.name] = Mark(best=True)
            for other in ranked:
                if other is best:
                    continue
                if other.values[quantity.name] == best.values[quantity.name]:
                    marks[other.model, quantity.name] = Mark(tie=True)
                if self.benchmark.compare is None:
                    continue
                pair = (other.model, best.model)
                if pair not in pairs:
                    pairs[pair] = self.benchmark.compare(
                        self.arrays[pair[0]], self.arrays[pair[1]], self.settings
                    )
                low, high = pairs[pair].get(quantity.name, (1.0, 1.0))
                if low <= 0.0 <= high:
                    marks[other.model, quantity.name] = Mark(tie=True)
        return marks

    def mark(self, row: Result, quantity: Quantity) -> Mark:
        """What is said of one cell; reference rows are never ranked."""
        return Mark() if row.is_floor else self.marks.get((row.model, quantity.name), Mark())

    @cached_property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """(row title, remark) of every row that has one, failures first."""
        order = {"failed": 0, "unsupported": 1, "ok": 2}
        rows = sorted((*self.rows, *self.floors), key=lambda r: order[r.status])
        found = [(r.model, r.message) for r in rows if r.message]
        here = self.case.level_of_theory
        for row in self.rows:
            level = self.levels.get(row.model, "")
            if row.status == "ok" and level and here and level != here:
                found.append((row.model, f"its level of theory is {level}, the reference's is {here}"))
        return tuple(found)

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """What is not the same for every model of the table, though it should be, in words."""
        found = []
        rows = [r for r in self.rows if r.status == "ok"]
        for title, values in (
            ("precision", {r.model: r.provenance.dtype for r in rows}),
            ("device", {r.model: r.provenance.device for r in rows}),
            ("mlpzoo version", {r.model: r.provenance.mlpzoo for r in rows}),
        ):
            if len(set(values.values())) > 1:
                found.append(f"{title} differs: " + ", ".join(f"{m} {v}" for m, v in values.items()))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All tables of a run.

    Attributes:
        tables: One a benchmark and case.
        unavailable: Cases that were asked for and could not run, each saying what to type.
    """

    tables: tuple[Table, ...]
    unavailable: tuple[Case, ...] = ()

    @property
    def failed(self) -> tuple[Result, ...]:
        """Every failed result."""
        return tuple(r for t in self.tables for r in (*t.rows, *t.floors) if r.status == "failed")

    def __str__(self) -> str:
        """Markdown."""
        from mlpzoo.render import render

        return render(self, "md")


def comparison(work: Plan, results: Sequence[Result]) -> Comparison:
    """Sort results into tables.

    Args:
        work: What was asked for.
        results: Any number of its results, in any order; rows without one are left out.
    """
    by_key = {(r.benchmark, r.case, r.is_floor, r.model): r for r in results}
    tables: dict[tuple[str, str], list[Any]] = {}
    for task in work.tasks:
        tables.setdefault((task.benchmark.name, task.case.name), []).append(task)
    made = []
    for (benchmark, case), tasks in tables.items():
        rows, floors = (
            tuple(
                by_key[benchmark, case, is_floor, t.title]
                for t in tasks
                if bool(t.floor) is is_floor and (benchmark, case, is_floor, t.title) in by_key
            )
            for is_floor in (False, True)
        )
        made.append(
            Table(
                benchmark=tasks[0].benchmark,
                case=tasks[0].case,
                settings=tasks[0].settings,
                rows=rows,
                floors=floors,
                levels={t.title: t.model.card.level_of_theory for t in tasks if t.model and t.model.card},
            )
        )
    return Comparison(tables=tuple(made), unavailable=work.unavailable)


def to_json(found: Comparison) -> bytes:
    """The public JSON contract, schema ``mlpzoo.compare/1``."""
    return msgspec.json.format(
        msgspec.json.encode({"schema": SCHEMA, "tables": [_table_json(t) for t in found.tables]}),
        indent=2,
    )


def _table_json(table: Table) -> dict[str, Any]:
    return {
        "benchmark": table.benchmark.name,
        "version": table.benchmark.version,
        "case": table.case.name,
        "profile": table.settings.profile,
        "quantities": [asdict(q) for q in table.benchmark.quantities],
        "rows": [
            {
                **_row_json(r),
                "ties_with_best": [q for (m, q), mark in table.marks.items() if m == r.model and mark.tie],
            }
            for r in table.rows
        ],
        "references": [_row_json(r) for r in table.floors],
    }


def _row_json(result: Result) -> dict[str, Any]:
    return {
        "model": result.model,
        "status": result.status,
        "values": result.values,
        "interval": result.interval,
        "message": result.message,
        "n_evaluations": result.n_evaluations,
        "wall_time_s": result.wall_time_s,
        "provenance": asdict(result.provenance),
    }


def cell(value: float | None, quantity: Quantity) -> str:
    """A number with the quantity's decimals; ``—`` if there is none."""
    return "—" if value is None else f"{round(value, quantity.decimals) + 0.0:.{quantity.decimals}f}"
