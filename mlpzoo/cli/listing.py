"""``mlpzoo models|benchmarks|systems|plugins``: what there is.  No framework is imported."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli import completing
from mlpzoo.errors import UsageError
from mlpzoo.levels import levels_of
from mlpzoo.registry import default_registry
from mlpzoo.weights import at_hand

if TYPE_CHECKING:
    from mlpzoo.benchmark import BenchmarkSpec
    from mlpzoo.registry import Registry

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_READY = "ready"


def show(rows: Sequence[dict[str, Any]], *, as_json: bool, wide: Sequence[str] = ()) -> None:
    """Print rows as a table, or as JSON; columns whose cells are all empty are left out.

    Args:
        rows: One dictionary a row, the same keys in each.
        as_json: JSON instead of a table.
        wide: Columns that wrap instead of being kept on one line.
    """
    if as_json:
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    keys = [k for k in rows[0] if any(r[k] not in ("", None, []) for r in rows)] if rows else []
    for key in keys:
        grid.add_column(key, overflow="fold", no_wrap=key not in wide)
    for row in rows:
        cells = [", ".join(map(str, row[k])) if isinstance(row[k], list) else str(row[k]) for k in keys]
        grid.add_row(*(Text(c) for c in cells))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(grid)


@click.command()
@click.option("--elements", default="", help="Only models that know all of these, e.g. Si,O.")
@click.argument("names", nargs=-1, shell_complete=completing.models)
@AS_JSON
def models(names: tuple[str, ...], elements: str, *, as_json: bool) -> None:
    """List the models; with NAMES, all that is known of these.

    A name is FAMILY (its default), FAMILY/CARD, or FAMILY:PATH for weights of your own.
    """
    registry = default_registry()
    if names:
        from dataclasses import asdict

        found = []
        for name in names:
            if ":" in name:  # weights of one's own
                spec = registry.resolve(name)
                if spec.card is None:
                    click.echo(f"{spec.name} has no card beside it. {spec.note}".rstrip(), err=True)
                else:
                    found.append(asdict(spec.card))
            else:  # its licence is to be read before anything is fetched
                found += [asdict(registry.cards[n].item) for n in registry.models([name], resolve=False)]
        if as_json:
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))
            return
        for card in found:
            _card(card)
        return
    wanted = [e for e in elements.replace(",", " ").split() if e]
    rows = [
        {
            "model": name,
            "elements": _elements(entry.item.elements),
            "properties": list(entry.item.properties),
            "level of theory": entry.item.level_of_theory,
            "runs in": _place(registry, entry.item.family),
            "weights": "" if at_hand(entry.item, entry.plugin.directory) else "not fetched",
            "licence": entry.item.licence,
            "title": entry.item.title,
        }
        for name, entry in registry.cards.items()
        if entry.item.supports(wanted)
    ]
    show(rows, as_json=as_json, wide=("elements", "title", "licence", "level of theory"))
    _say_broken(registry)


def _elements(elements: tuple[str, ...]) -> str:
    few = 12
    if not elements:
        return "any"
    return " ".join(elements) if len(elements) <= few else f"{len(elements)} elements"


def _place(registry: Registry, family: str) -> str:
    if registry.runs_here(family):
        return "this Python"
    if registry.backend(family).item.lock_file is None:
        return "nowhere: its framework is not installed"
    return "its environment"


@click.command()
@click.argument("names", nargs=-1, shell_complete=completing.benchmarks)
@AS_JSON
def benchmarks(names: tuple[str, ...], *, as_json: bool) -> None:
    """List the benchmarks; with NAMES, their quantities and cases."""
    registry = default_registry()
    systems = registry.systems  # benchmarks whose cases cannot be listed are reported below
    rows: list[dict[str, Any]] = [
        {
            "benchmark": name,
            "version": spec.version,
            "title": spec.title,
            "systems": [s for s, pairs in systems.items() if any(b == name for b, _ in pairs)],
            "cases": [c.name for pairs in systems.values() for b, c in pairs if b == name],
            "quantities": [q.name for q in spec.quantities if q.shown],
        }
        for name, spec in ((n, registry.benchmark(n).item) for n in _chosen(names, registry.benchmarks))
    ]
    if as_json:
        show(rows, as_json=True)
    elif not names:
        keys = ("benchmark", "version", "systems", "title")
        show([{k: row[k] for k in keys} for row in rows], as_json=False, wide=("title", "systems"))
    else:
        for row in rows:
            click.echo(f"{row['benchmark']} v{row['version']}: {row['title']}")
            click.echo(f"cases: {', '.join(row['cases'])}")
            show(_quantities(registry.benchmark(row["benchmark"]).item), as_json=False, wide=("column",))
    _say_broken(registry)


def _chosen(names: Sequence[str], known: Iterable[str]) -> Iterable[str]:
    return known if not names or "all" in names else dict.fromkeys(names)


def _quantities(spec: BenchmarkSpec) -> list[dict[str, Any]]:
    return [
        {
            "column": q.title,
            "unit": q.unit,
            "better": "" if q.better == "none" else q.better,
            "shown": "" if q.shown else "heading" if q.in_heading else "--columns all",
            "quantity": q.name,
        }
        for q in spec.quantities
    ]


@click.command()
@click.argument("names", nargs=-1, shell_complete=completing.systems)
@AS_JSON
def systems(names: tuple[str, ...], *, as_json: bool) -> None:
    """List the systems (what --system takes) and their cases; with NAMES, all benchmarks on these.

    NAMES are systems, cases or globs of them.
    """
    rows = [
        {
            "system": system,
            "case": case.name,
            "benchmark": benchmark,
            "elements": " ".join(case.elements),
            "level of theory": case.level_of_theory,
            "references": list(levels_of(case.references)),
            "title": case.title,
            "state": case.unavailable or _READY,
        }
        for system, pairs in default_registry().systems.items()
        for benchmark, case in pairs
    ]
    for name in names:
        if not any(_matches(row, name) for row in rows):
            raise UsageError(f"there is no system or case '{name}'", hint="see 'mlpzoo systems'")
    rows = [row for row in rows if not names or any(_matches(row, name) for name in names)]
    if as_json:
        show(rows, as_json=True)
    elif names:
        for row in rows:
            _card(row)
    else:
        show(_by_case(rows), as_json=False, wide=("benchmarks",))
        for case, state in {row["case"]: row["state"] for row in rows if row["state"] != _READY}.items():
            click.echo(f"{case}: {state}")


def _matches(row: dict[str, Any], name: str) -> bool:
    return any(fnmatch.fnmatch(row[key], name) for key in ("system", "case"))


def _by_case(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a case, with all its benchmarks."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        made = {"system": row["system"], "case": row["case"], "benchmarks": []}
        merged = found.setdefault((row["system"], row["case"]), made)
        merged["benchmarks"].append(row["benchmark"] if row["state"] == _READY else f"({row['benchmark']})")
    return list(found.values())


def _card(row: dict[str, Any]) -> None:
    """All that is known of one thing, a line a key."""
    for key, value in row.items():
        if value not in ("", None, {}, (), []):
            text = ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else value
            click.echo(f"{key:20} {text}")
    click.echo()


@click.command()
@AS_JSON
def plugins(*, as_json: bool) -> None:
    """List every plugin: its version, what it registered, and why it failed.

    Exits with 1 if a plugin has a problem.
    """
    registry = default_registry()
    _ = registry.cards, registry.systems  # so that what cannot be read is found too
    rows = [
        {
            "plugin": plugin.name,
            "version": plugin.version,
            "module": plugin.module_name,
            "registered": [
                f"{kind} {getattr(item, 'family', getattr(item, 'name', '?'))}"
                for kind, items in plugin.registered.items()
                for item in items
            ],
            "problems": plugin.problems,
        }
        for plugin in registry.plugins
    ]
    show(rows, as_json=as_json, wide=("registered", "problems"))
    if any(p.problems for p in registry.plugins):
        click.get_current_context().exit(1)


def _say_broken(registry: Registry) -> None:
    broken = [p.name for p in registry.plugins if p.problems]
    if broken:
        click.echo(f"problems with {', '.join(broken)}: see 'mlpzoo plugins'", err=True)
