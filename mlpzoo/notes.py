"""What stands below a table, in words: what its marks mean, what a reader must know of its rows.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mlpzoo.table import Table

_Key = TypeVar("_Key")

FOREIGN = "†"
"""Beside the name of a model that is compared with another level of theory than its own."""


def legend(table: Table) -> Iterator[str]:
    """What the marks of a table mean; only of those that it has."""
    better = {q.name: q.better for q in table.benchmark.quantities}
    ties = {better[quantity] for (_, quantity), mark in table.marks.items() if mark.tie}
    marked = {better[quantity] for _, quantity in table.marks}
    if "lower" in marked:
        tie = "; ≈: a tie with it (95 % interval of the paired difference holds 0)"
        yield "bold: best of its column" + tie * ("lower" in ties)
    if "closer" in marked:
        compared = tuple(dict.fromkeys(table.compared.values()))
        what = compared[0] if len(compared) == 1 else "the reference that it is compared with"
        tie = "; ≈: a tie with it (distances overlap within their 95 % intervals, or are printed alike)"
        yield f"bold: closest to {what}" + tie * ("closer" in ties)
        if len(compared) > 1:
            yield "compared with " + "; ".join(
                f"{level}: {', '.join(m for m, one in table.compared.items() if one == level)}"
                for level in compared
            )


def reasons(table: Table) -> str:
    """Why models are unsupported, those with one reason together: ``a, b (does not know Si)``."""
    return "; ".join(
        f"{', '.join(models)} ({reason})"
        for reason, models in _together((r.model, r.message) for r in table.rows if r.status == "unsupported")
    )


def notes(table: Table) -> Iterator[str]:
    """Everything else: failures first, then remarks, levels of theory, sources, unequal conditions.

    A note may have several lines, of which the first says it all.
    """
    for model, message in table.notes:
        yield f"{model}: {message}"
    for (own, level), models in _together((m, (own, table.compared[m])) for m, own in table.foreign.items()):
        yield f"{FOREIGN} {', '.join(models)}: level of theory {own or 'not known'}, compared with {level}"
    done = any(r.status == "ok" for r in table.rows)
    if table.against and table.case.references and done and not table.compared:
        yield f"nothing here can be compared with {table.against}"
    for row in table.references:
        yield from _sources(table, row.model)
    yield from differences(table)


def differences(table: Table) -> Iterator[str]:
    """What is not the same for every model of the table, though it should be."""
    rows = [r for r in table.rows if r.status == "ok"]
    for title, values in (
        ("precision", {r.model: r.provenance.dtype for r in rows}),
        ("device", {r.model: r.provenance.device for r in rows}),
        ("mlpzoo version", {r.model: r.provenance.mlpzoo for r in rows}),
    ):
        if len(set(values.values())) > 1:
            yield f"{title} differs: " + ", ".join(f"{m} {v}" for m, v in values.items())


def _sources(table: Table, title: str) -> Iterator[str]:
    """A line a source, with the columns that it is of unless it is of the whole row."""
    titles = {q.name: q.title for q in table.benchmark.quantities}
    sources = table.sources(title)
    found = _together((titles[name], sources[name]) for name in titles if name in sources)
    for source, names in found:
        yield f"{title}: {source}" if len(found) == 1 else f"{title}, {', '.join(names)}: {source}"


def _together(pairs: Iterable[tuple[str, _Key]]) -> list[tuple[_Key, list[str]]]:
    """Names by what they share, in the order in which each appears first."""
    found: dict[_Key, list[str]] = {}
    for name, key in pairs:
        found.setdefault(key, []).append(name)
    return list(found.items())
