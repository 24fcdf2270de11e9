"""``mlpzoo models|benchmarks|systems|plugins``: what there is.  No framework is imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli import completing
from mlpzoo.registry import default_registry

if TYPE_CHECKING:
    from mlpzoo.registry import Registry

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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

        found = [asdict(registry.cards[n].item) for n in registry.models(names) if n in registry.cards]
        if as_json:
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))
            return
        for card in found:
            for key, value in card.items():
                if value not in ("", None, {}, ()):
                    text = ", ".join(map(str, value)) if isinstance(value, tuple) else value
                    click.echo(f"{key:20} {text}")
            click.echo()
        return
    wanted = [e for e in elements.replace(",", " ").split() if e]
    rows = [
        {
            "model": name,
            "elements": _elements(entry.item.elements),
            "properties": list(entry.item.properties),
            "level of theory": entry.item.level_of_theory,
            "runs in": _place(registry, entry.item.family),
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
@AS_JSON
def benchmarks(*, as_json: bool) -> None:
    """List the benchmarks, their quantities and cases."""
    registry = default_registry()
    systems = registry.systems  # benchmarks whose cases cannot be listed are reported below
    rows = [
        {
            "benchmark": name,
            "version": entry.item.version,
            "title": entry.item.title,
            "cases": [c.name for pairs in systems.values() for b, c in pairs if b == name],
            "quantities": [q.name for q in entry.item.quantities if q.shown],
        }
        for name, entry in registry.benchmarks.items()
    ]
    show(rows, as_json=as_json, wide=("title", "cases", "quantities"))
    _say_broken(registry)


@click.command()
@AS_JSON
def systems(*, as_json: bool) -> None:
    """List the systems (what --system takes) and their cases."""
    rows = [
        {
            "system": system,
            "case": case.name,
            "benchmark": benchmark,
            "elements": " ".join(case.elements),
            "level of theory": case.level_of_theory,
            "title": case.title,
            "state": case.unavailable or "ready",
        }
        for system, pairs in default_registry().systems.items()
        for benchmark, case in pairs
    ]
    show(rows, as_json=as_json, wide=("title", "state"))


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
