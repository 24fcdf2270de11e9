"""Which of several models to take: by average error, by errors on rare events, and where these disagree.

The question of Liu, He, Mo, npj Comput. Mater. 9, 174 (2023), doi 10.1038/s41524-023-01123-3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlpzoo.metrics.rank_correlation import RankCorrelation, rank_correlation, ranks

if TYPE_CHECKING:
    from mlpzoo.benchmark import Quantity
    from mlpzoo.table import Table

RARE: tuple[str, ...] = (
    "force_rmse_all",
    "force_rmse_re",
    "magnitude_error_over_0p5_re",
    "angle_over_15_re",
    "angle_over_30_re",
)
"""The quantities of ``re-forces`` that rankings are compared by; `force_rmse_re` decides."""
DECIDES = "force_rmse_re"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A trained candidate with its errors.

    Attributes:
        title: Of its row.
        model: The name that ``mlpzoo compare`` takes.
        average: Force RMSE on the ordinary set, eV/Å.
        rare: Case and quantity to value; empty before they are looked at.
        failed: Why there is no score; empty if there is one.
    """

    title: str
    model: str = ""
    average: float = float("nan")
    rare: Mapping[tuple[str, str], float] = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Two ways to choose, and what the choice by average error costs on rare events.

    Attributes:
        case: The rare-event set.
        by_average: Title of the candidate with the lowest average error.
        by_rare: Title of the one with the lowest rare-event error.
        rank_of_average_choice: Its rank by rare-event error, from 1.
        excess_percent: How much larger its rare-event error is than the lowest one.
        tie: Whether that difference is within its 95 % interval (paired over snapshots).
        n: Candidates.
    """

    case: str
    by_average: str
    by_rare: str
    rank_of_average_choice: float
    excess_percent: float
    tie: bool
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The outcome of a selection.

    Attributes:
        scored: Candidates with scores, lowest average error first.
        failed: Candidates without.
        correlations: Case and quantity to the rank correlation with the average error; None: no order.
        disagreements: One a case.
        quantities: The quantities of the columns.
        cases: The rare-event sets, in order.
    """

    scored: tuple[Scored, ...]
    failed: tuple[Scored, ...]
    correlations: Mapping[tuple[str, str], RankCorrelation | None]
    disagreements: tuple[Disagreement, ...]
    quantities: tuple[Quantity, ...]
    cases: tuple[str, ...]

    def rank(self, one: Scored, case: str = "", quantity: str = "") -> float:
        """Rank of a candidate, by average error or by a quantity of a case."""
        every = [self._score(other, case, quantity) for other in self.scored]
        return float(ranks(every)[self.scored.index(one)])

    @staticmethod
    def _score(one: Scored, case: str, quantity: str) -> float:
        return one.rare[case, quantity] if case else one.average


def choose(scores: Sequence[Scored], tables: Sequence[Table]) -> Choice:
    """Rank candidates in two ways.

    Args:
        scores: All candidates: their average error, or why there is none.
        tables: Of ``re-forces``, one a case, with a row for each candidate's model.

    Returns:
        A candidate that failed in one of the cases has no ranks.
    """
    quantities = tuple(q for q in tables[0].benchmark.quantities if q.name in RARE) if tables else ()
    complete: list[Scored] = []
    failed = [one for one in scores if one.failed]
    for one in scores:
        if one.failed:
            continue
        rare: dict[tuple[str, str], float] = {}
        reason = ""
        for table in tables:
            row = next((r for r in table.rows if r.model == one.model), None)
            if row is None or row.status != "ok":
                reason = f"{table.case.name}: {row.message if row else 'no result'}"
                continue
            rare |= {(table.case.name, q.name): row.values[q.name] for q in quantities}
        full = replace(one, rare=rare, failed=reason)
        (failed if reason else complete).append(full)
    complete.sort(key=lambda one: one.average)
    averages = [one.average for one in complete]
    correlations = {
        (table.case.name, q.name): rank_correlation(
            averages, [one.rare[table.case.name, q.name] for one in complete]
        )
        for table in tables
        for q in quantities
    }
    return Choice(
        scored=tuple(complete),
        failed=tuple(failed),
        correlations=correlations,
        disagreements=tuple(_disagreement(complete, table) for table in tables) if complete else (),
        quantities=quantities,
        cases=tuple(table.case.name for table in tables),
    )


def _disagreement(complete: Sequence[Scored], table: Table) -> Disagreement:
    key = (table.case.name, DECIDES)
    every = [one.rare[key] for one in complete]
    best = min(complete, key=lambda one: one.rare[key])
    first = complete[0]
    row = next(r for r in table.rows if r.model == first.model)
    mark = table.mark(row, next(q for q in table.benchmark.quantities if q.name == DECIDES))
    return Disagreement(
        case=table.case.name,
        by_average=first.title,
        by_rare=best.title,
        rank_of_average_choice=float(ranks(every)[0]),
        excess_percent=100 * (first.rare[key] / best.rare[key] - 1) if best.rare[key] > 0 else 0.0,
        tie=mark.best or mark.tie,
        n=len(complete),
    )
