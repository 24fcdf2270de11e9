"""From results to a comparison: pure, no files, no printing.

One table a benchmark and case: a row a model in the order asked for, reference values and noise floors last.
The best value of each ranked column is marked, and so is every model that cannot be told from it:

- ``lower`` is better: the 95 % interval of the paired difference holds 0;
- ``closer`` to the reference is better: the distances that the two intervals allow overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlpzoo import levels
from mlpzoo.benchmark import BenchmarkSpec, Case, Quantity, Reference, RunSettings
from mlpzoo.ranking import Distance, Interval, Mark, rank, rank_closest
from mlpzoo.results import Result, unpack

if TYPE_CHECKING:
    from mlpzoo.tasks import Plan

_Pairs = dict[tuple[str, str], dict[str, Interval]]
"""Paired comparisons that were made already."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One benchmark on one case.

    Attributes:
        benchmark: The benchmark.
        case: The case.
        settings: Profile and seed, the same for all rows.
        rows: Models, in the order asked for.
        floors: Rows of the reference's own noise.
        levels: Model name to the level of theory that its card declares.
        against: Level of theory that every model is compared with; empty: see `mlpzoo.levels`.
    """

    benchmark: BenchmarkSpec
    case: Case
    settings: RunSettings
    rows: tuple[Result, ...]
    floors: tuple[Result, ...]
    levels: dict[str, str] = field(default_factory=dict)
    against: str = ""

    @property
    def nobody_can(self) -> bool:
        """Whether every model is unsupported: there is nothing to compare."""
        return bool(self.rows) and all(r.status == "unsupported" for r in self.rows)

    @cached_property
    def arrays(self) -> dict[str, dict[str, Any]]:
        """Row title to the arrays of its result, for all rows that ended well."""
        rows = (*self.rows, *self.floors)
        return {r.model: {k: unpack(a) for k, a in r.arrays.items()} for r in rows if r.status == "ok"}

    # -- references ----------------------------------------------------------------------------------

    @cached_property
    def _referenced(self) -> dict[str, dict[str, Reference]]:
        """Row title to quantity to reference value: a row a level, more for second values of a level."""
        known = {q.name for q in self.benchmark.quantities}
        found: dict[str, dict[str, Reference]] = {}
        for level in levels.levels_of(self.case.references):
            for reference in self.case.references:
                if reference.quantity in known and levels.same(reference.level_of_theory, level):
                    title, number = level, 1
                    while reference.quantity in found.get(title, {}):
                        number += 1
                        title = f"{level} ({number})"
                    found.setdefault(title, {})[reference.quantity] = reference
        return found

    @cached_property
    def references(self) -> tuple[Result, ...]:
        """Reference values as rows: one a level of theory."""
        return tuple(
            Result(
                model=title,
                benchmark=self.benchmark.name,
                version=self.benchmark.version,
                case=self.case.name,
                profile=self.settings.profile,
                status="ok",
                values={name: reference.value for name, reference in values.items()},
                is_floor=True,
            )
            for title, values in self._referenced.items()
        )

    def sources(self, title: str) -> dict[str, str]:
        """Quantity to where its value comes from, for a row of `references`."""
        return {name: reference.source for name, reference in self._referenced[title].items()}

    def compared_with(self, row: Result) -> str:
        """The level of theory that a model's numbers are compared with; empty if there is none."""
        own = self.levels.get(row.model, "")
        return levels.compared_with(self.case.references, own, self.against)

    def reference(self, row: Result, quantity: Quantity) -> float | None:
        """What a model's number is compared with; None if it is not."""
        if quantity.better != "closer" or row.is_floor:
            return None
        return levels.value_at(self.case.references, self.compared_with(row), quantity.name)

    def error(self, row: Result, quantity: Quantity) -> float | None:
        """Signed deviation from the reference, in the quantity's unit; None if there is none."""
        reference, value = self.reference(row, quantity), row.values.get(quantity.name)
        return None if row.status != "ok" or reference is None or value is None else value - reference

    @cached_property
    def compared(self) -> dict[str, str]:
        """Model to the level that it is compared with, for those of which a number is compared."""
        return {
            row.model: self.compared_with(row)
            for row in self.rows
            if any(self.error(row, q) is not None for q in self.benchmark.quantities)
        }

    @cached_property
    def foreign(self) -> dict[str, str]:
        """Model to its own level of theory, where it is compared with another one."""
        own = {model: self.levels.get(model, "") for model in self.compared}
        return {m: own[m] for m, level in self.compared.items() if not levels.same(own[m], level)}

    @cached_property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """(row title, remark) of every row that has one, failures first."""
        order = {"failed": 0, "unsupported": 1, "ok": 2}
        rows = sorted((*self.rows, *self.floors), key=lambda r: order[r.status])
        found = [(r.model, r.message) for r in rows if r.message]
        here = self.case.level_of_theory
        for row in self.rows:
            level = self.levels.get(row.model, "")
            if row.status == "ok" and row.model not in self.compared and level and here and level != here:
                found.append((row.model, f"its level of theory is {level}, the reference's is {here}"))
        return tuple(found)

    def completed(self) -> Table:
        """The same table with what its benchmark derives from a model's values and its references."""
        derive = self.benchmark.derive
        if derive is None:
            return self
        names = [q.name for q in self.benchmark.quantities]

        def complete(row: Result) -> Result:
            level = self.compared_with(row)
            found = {name: levels.value_at(self.case.references, level, name) for name in names}
            references = {name: value for name, value in found.items() if value is not None}
            return replace(row, values={**row.values, **derive(row.values, references)})

        return replace(self, rows=tuple(complete(r) if r.status == "ok" else r for r in self.rows))

    # -- ranks ---------------------------------------------------------------------------------------

    @cached_property
    def marks(self) -> dict[tuple[str, str], Mark]:
        """(model, quantity) to its mark, for every column with a ranking and at least two models."""
        found: dict[tuple[str, str], Mark] = {}
        pairs: _Pairs = {}
        for quantity in self.benchmark.quantities:
            ranked = [r for r in self.rows if r.status == "ok" and quantity.name in r.values]
            marks: dict[str, Mark] = {}
            if quantity.better == "lower":
                marks = self._rank_lowest(quantity, ranked, pairs)
            elif quantity.better == "closer":
                marks = self._rank_closest(quantity, ranked)
            found.update({(model, quantity.name): mark for model, mark in marks.items()})
        return found

    def _rank_lowest(self, quantity: Quantity, ranked: list[Result], pairs: _Pairs) -> dict[str, Mark]:
        def tied(a: str, b: str) -> bool:
            if (a, b) not in pairs:
                compare = self.benchmark.compare
                pairs[a, b] = compare(self.arrays[a], self.arrays[b], self.settings) if compare else {}
            low, high = pairs[a, b].get(quantity.name, (1.0, 1.0))
            return low <= 0.0 <= high

        return rank({r.model: r.values[quantity.name] for r in ranked}, tied)

    def _rank_closest(self, quantity: Quantity, ranked: list[Result]) -> dict[str, Mark]:
        name = quantity.name
        distances = {
            r.model: Distance.of(r.values[name], reference, r.interval.get(name))
            for r in ranked
            if (reference := self.reference(r, quantity)) is not None
        }
        return rank_closest(distances, quantity.decimals)

    def mark(self, row: Result, quantity: Quantity) -> Mark:
        """What is said of one cell; reference rows are never ranked."""
        return Mark() if row.is_floor else self.marks.get((row.model, quantity.name), Mark())


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All tables of a run.

    Attributes:
        tables: One a benchmark and case; those of one benchmark follow each other.
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

    Raises:
        UsageError: The level that everything is to be compared with has no references.
    """
    by_key = {(r.benchmark, r.case, r.is_floor, r.model): r for r in results}
    tables: dict[str, dict[str, list[Any]]] = {}
    for task in work.tasks:
        tables.setdefault(task.benchmark.name, {}).setdefault(task.case.name, []).append(task)
    against = levels.resolve(work.request.against, [task.case for task in work.tasks])
    made = []
    for benchmark, case, tasks in ((b, c, ts) for b, cases in tables.items() for c, ts in cases.items()):
        rows, floors = (
            tuple(
                by_key[benchmark, case, is_floor, title]
                for title in dict.fromkeys(t.title for t in tasks if bool(t.floor) is is_floor)
                if (benchmark, case, is_floor, title) in by_key
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
                against=against,
            ).completed()
        )
    return Comparison(tables=tuple(made), unavailable=work.unavailable)
