"""Tab completion of names, from what the plugins registered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from mlpzoo.levels import levels_of
from mlpzoo.models import ALL_LOCAL

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mlpzoo.registry import Registry

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def names(of: Callable[[Registry], Iterable[str]], *, commas: bool = True) -> Completer:
    """A completer for one name or a comma-separated list of names."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        from click.shell_completion import CompletionItem

        from mlpzoo.registry import default_registry

        head, comma, last = incomplete.rpartition(",") if commas else ("", "", incomplete)
        found: list[str] = []
        with contextlib.suppress(Exception):  # completion must never write to the prompt
            found = [n for n in of(default_registry()) if n.startswith(last)]
        return [CompletionItem(f"{head}{comma}{name}") for name in found]

    return complete


models = names(lambda r: [ALL_LOCAL, *r.families, *r.cards])
fetchable = names(
    lambda r: [n for n, entry in r.cards.items() if entry.item.checkpoint and entry.item.checkpoint.url],
    commas=False,
)
families = names(lambda r: r.families, commas=False)
benchmarks = names(lambda r: ["all", *r.benchmarks])
systems = names(
    lambda r: [n for s, cs in r.systems.items() for n in dict.fromkeys([s, *(c.name for _, c in cs)])]
)
levels = names(
    lambda r: levels_of(ref for cs in r.systems.values() for _, case in cs for ref in case.references),
    commas=False,
)


def _trainable(registry: Registry) -> Iterable[str]:
    from mlpzoo.training import Trainable

    return [f for f in registry.families if isinstance(registry.backend(f).item, Trainable)]


trainable = names(_trainable, commas=False)
datasets = names(
    lambda r: [n for n, entry in r.datasets.items() if entry.item.n_frames and entry.item.directory],
    commas=False,
)


def presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Presets of the family that was typed."""
    family = str(ctx.params.get("family") or "")

    def of(registry: Registry) -> Iterable[str]:
        from mlpzoo.training import trainable

        return trainable(registry.backend(family).item).presets()

    return names(of, commas=False)(ctx, param, incomplete)
