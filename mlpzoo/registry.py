"""Names to things: models, benchmarks, cases.  A clash or an unknown name stops here."""

from __future__ import annotations

import fnmatch
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlpzoo import plugins as _plugins
from mlpzoo.benchmark import BenchmarkSpec, Case
from mlpzoo.card_file import card_beside
from mlpzoo.errors import ModelError, PluginError, UsageError, did_you_mean
from mlpzoo.models import ALL_LOCAL, Backend, DType, ModelCard, ModelName, ModelSpec
from mlpzoo.validation import (
    backend_problem,
    card_problem,
    dataset_problem,
    engine_problem,
    instance_problem,
)
from mlpzoo.weights import at_hand, weights_of

if TYPE_CHECKING:
    from mlpzoo.data.dataset import DatasetSpec
    from mlpzoo.data.engines import ReferenceEngine
    from mlpzoo.plugins import Plugin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A thing and the plugin that registered it."""

    plugin: Plugin
    item: T


class Registry:
    """Everything that the loaded plugins registered, by name.

    A name that two plugins claim belongs to neither: whoever asks for it is told both, and all other names
    go on working.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._unreadable: dict[str, str] = {}
        self.clashes: dict[tuple[str, str], tuple[Plugin, ...]] = {}
        self._backends: dict[str, Entry[Backend]] = self._index("backend", "family", backend_problem)
        self._benchmarks: dict[str, Entry[BenchmarkSpec]] = self._index(
            "benchmark", "name", instance_problem(BenchmarkSpec)
        )
        self._datasets: dict[str, Entry[DatasetSpec]] = self._index("dataset", "name", dataset_problem)
        self._engines: dict[str, Entry[ReferenceEngine]] = self._index("engine", "name", engine_problem)

    def _index(self, kind: str, attribute: str, problem: Callable[[Any], str]) -> dict[str, Entry[Any]]:
        claims: dict[str, list[Entry[Any]]] = {}
        for plugin in self.plugins:
            for item in plugin.registered.get(kind, ()):
                try:
                    fault = problem(item)
                except Exception as error:  # noqa: BLE001  (a stranger's property)
                    fault = f"{type(item).__name__} cannot be used: {type(error).__name__}: {error}"
                if fault:
                    plugin.problems.append(f"{kind} {fault}")
                else:
                    claims.setdefault(getattr(item, attribute), []).append(Entry(plugin, item))
        for name, entries in claims.items():
            if len(entries) > 1:
                self.clashes[kind, name] = tuple(e.plugin for e in entries)
                for entry in entries:
                    others = " and ".join(e.plugin.source for e in entries if e.plugin is not entry.plugin)
                    also = others or f"{entry.plugin.source} itself"
                    entry.plugin.problems.append(f"{kind} '{name}' is also claimed by {also}: refused")
        return {name: entries[0] for name, entries in claims.items() if len(entries) == 1}

    # -- backends and models -------------------------------------------------------------------------

    @property
    def families(self) -> tuple[str, ...]:
        """Names of all families, sorted."""
        return tuple(sorted(self._backends))

    def backend(self, family: str) -> Entry[Backend]:
        """The backend of a family.

        Raises:
            PluginError: Two plugins claim it, or the plugin of that name is broken.
            UsageError: There is none.
        """
        return self._get("backend", "model family", self._backends, family, "mlpzoo models")

    @cached_property
    def cards(self) -> dict[str, Entry[ModelCard]]:
        """All cards by full name; a family whose cards cannot be read is reported in its plugin."""
        found: dict[str, Entry[ModelCard]] = {}
        for family, entry in sorted(self._backends.items()):
            try:
                cards = list(entry.item.cards())
                faults = [card_problem(card, family) for card in cards]
            except (Exception, SystemExit) as error:  # noqa: BLE001  (a stranger's code)
                fault = f"cards of '{family}' cannot be read: {type(error).__name__}: {error}"
                self._unreadable[family] = fault
                entry.plugin.problems.append(fault)
                continue
            for card, fault in zip(cards, faults, strict=True):
                if fault or card.name in found:
                    entry.plugin.problems.append(fault or f"card '{card.name}' is given twice")
                else:
                    found[card.name] = Entry(entry.plugin, card)
        return found

    def not_fetched(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Models that globs stand for and that `models` leaves out, for their weights are not here."""
        globs = filter(_is_glob, patterns)
        hits = dict.fromkeys(name for glob in globs for name in fnmatch.filter(self.cards, glob))
        return tuple(name for name in hits if name not in self.local_models)

    @cached_property
    def local_models(self) -> tuple[str, ...]:
        """Names of all cards that need no weights, or whose weights are at hand."""
        return tuple(
            name for name, entry in self.cards.items() if at_hand(entry.item, entry.plugin.directory)
        )

    def models(self, patterns: Sequence[str], *, resolve: bool = True) -> tuple[str, ...]:
        """Resolve what ``--models`` takes: names, globs over card names, ``all-local``; in order, once each.

        Args:
            patterns: What the user typed.
            resolve: Whether weights of models that are named must be there, and are checked; of globs those
                are taken whose weights are at hand.

        Raises:
            UsageError: A name or glob matches nothing.
        """
        names: dict[str, None] = {}
        for pattern in patterns:
            if pattern == ALL_LOCAL:
                names.update(dict.fromkeys(self.local_models))
            elif _is_glob(pattern):
                hits = fnmatch.filter(self.cards, pattern)
                if not hits:
                    family = pattern.partition("/")[0]
                    if not _is_glob(family):
                        self.backend(family)  # says what is wrong with it
                    raise UsageError(f"no model matches '{pattern}'", hint="see 'mlpzoo models'")
                here = [name for name in hits if not resolve or name in self.local_models]
                if not here:
                    raise ModelError(f"the weights of {hits[0]} are not here", hint=f"mlpzoo fetch {hits[0]}")
                names.update(dict.fromkeys(here))
            else:
                names[self.resolve(pattern).name if resolve else self._card(pattern).name] = None
        return tuple(names)

    def resolve(self, name: str, *, device: str = "cpu", dtype: DType = "float64") -> ModelSpec:
        """The spec of a model name; its weights, if packaged, are checked against the card's sha256.

        Weights of the user's own have a card if one lies beside them that is of this very file.

        Raises:
            UsageError: Unknown family or card, or a malformed name.
            ModelError: The weights file is missing or altered.
        """
        parsed = ModelName.parse(name)
        entry = self.backend(parsed.family)
        if parsed.path:
            path = Path(parsed.path).expanduser().resolve()
            if not path.exists():
                raise ModelError(f"{path}: no such file", hint=f"give {parsed.family}:PATH an existing path")
            own_card, note = card_beside(path, parsed.family)
            return ModelSpec(
                name=f"{parsed.family}:{path}",
                card=own_card,
                path=str(path),
                device=device,
                dtype=dtype,
                note=note,
            )
        card = self._card(name)
        ours = card.checkpoint is not None and not card.checkpoint.package
        path_text = str(weights_of(card, entry.plugin.directory)) if ours else None
        return ModelSpec(name=card.name, card=card, path=path_text, device=device, dtype=dtype)

    def _card(self, name: str) -> ModelCard:
        """The card of ``family`` or ``family/card``."""
        parsed = ModelName.parse(name)
        if parsed.path:
            raise UsageError(f"'{name}' is a file of yours, no model with a card", hint="see 'mlpzoo models'")
        entry = self.backend(parsed.family)
        _ = self.cards
        if parsed.family in self._unreadable:
            raise PluginError(self._unreadable[parsed.family], hint="see 'mlpzoo plugins'")
        own = [card for card in (e.item for e in self.cards.values()) if card.family == parsed.family]
        full = f"{parsed.family}/{parsed.card}" if parsed.card else self._default_card(entry, own).name
        if full not in self.cards:
            raise UsageError(
                f"family '{parsed.family}' has no model '{parsed.card}'",
                hint=f"{did_you_mean(full, [c.name for c in own])}see 'mlpzoo models'",
            )
        return self.cards[full].item

    def _default_card(self, entry: Entry[Backend], own: Sequence[ModelCard]) -> ModelCard:
        if own:
            return own[0]
        family = entry.item.family
        raise UsageError(
            f"family '{family}' has no model of its own", hint=f"give it your weights: {family}:PATH"
        )

    def parts_of(self, family: str) -> tuple[Plugin, ...]:
        """The plugin of a family, first, and the plugins that it depends on."""
        return _plugins.with_required(self.backend(family).plugin, self.plugins)

    def missing(self, family: str) -> tuple[str, ...]:
        """What a family requires and this process cannot import."""
        return tuple(name for name in self.backend(family).item.requires if not _importable(name))

    def runs_here(self, family: str) -> bool:
        """Whether the framework of a family is importable in this process."""
        return not self.missing(family)

    # -- benchmarks, data sets, cases ----------------------------------------------------------------

    @property
    def benchmarks(self) -> dict[str, Entry[BenchmarkSpec]]:
        """All benchmarks by name."""
        return dict(sorted(self._benchmarks.items()))

    def benchmark(self, name: str) -> Entry[BenchmarkSpec]:
        """A benchmark by name.

        Raises:
            PluginError: Two plugins claim it.
            UsageError: There is none.
        """
        return self._get("benchmark", "benchmark", self._benchmarks, name, "mlpzoo benchmarks")

    @property
    def datasets(self) -> dict[str, Entry[DatasetSpec]]:
        """All data sets by name."""
        return dict(sorted(self._datasets.items()))

    @property
    def engines(self) -> dict[str, Entry[ReferenceEngine]]:
        """All reference engines by name."""
        return dict(sorted(self._engines.items()))

    def engine(self, name: str) -> Entry[ReferenceEngine]:
        """A reference engine by name.

        Raises:
            PluginError: Two plugins claim it.
            UsageError: There is none.
        """
        return self._get("engine", "reference engine", self._engines, name, "mlpzoo data engines")

    def cases(self, benchmark: BenchmarkSpec) -> tuple[Case, ...]:
        """The cases of a benchmark over all known data sets.

        Raises:
            PluginError: Its function that lists them fails.
        """
        try:
            return tuple(benchmark.cases([e.item for e in self.datasets.values()]))
        except Exception as error:
            raise PluginError(
                f"cases of benchmark '{benchmark.name}' cannot be listed: {type(error).__name__}: {error}",
                hint="see 'mlpzoo plugins'",
            ) from error

    def select_cases(self, benchmark: BenchmarkSpec, systems: Sequence[str]) -> tuple[Case, ...]:
        """The cases whose system or own name matches one of the names or globs (possibly none)."""
        return tuple(
            case
            for case in self.cases(benchmark)
            if any(fnmatch.fnmatch(n, s) for s in systems for n in (case.system, case.name))
        )

    @property
    def systems(self) -> dict[str, list[tuple[str, Case]]]:
        """System to its (benchmark name, case) pairs."""
        found: dict[str, list[tuple[str, Case]]] = {}
        for name, entry in self.benchmarks.items():
            try:
                cases = self.cases(entry.item)
            except PluginError as error:
                if error.message not in entry.plugin.problems:
                    entry.plugin.problems.append(error.message)
                continue
            for case in cases:
                found.setdefault(case.system, []).append((name, case))
        return dict(sorted(found.items()))

    def _get(self, kind: str, noun: str, table: dict[str, Entry[T]], name: str, listing: str) -> Entry[T]:
        if name in table:
            return table[name]
        if (kind, name) in self.clashes:
            both = " and ".join(p.source for p in self.clashes[kind, name])
            raise PluginError(
                f"{noun} '{name}' is claimed by two plugins: {both}",
                hint="uninstall one of them; see 'mlpzoo plugins'",
            )
        broken = [p for p in self.plugins if p.problems and name in (p.name, p.module_name)]
        if broken:
            raise PluginError(
                f"plugin '{broken[0].name}' is installed but broken: {broken[0].problems[0]}",
                hint="see 'mlpzoo plugins'",
            )
        near = did_you_mean(name, table)
        install = f", or 'pip install mlpzoo-{name}' if it exists" if kind == "backend" else ""
        raise UsageError(f"unknown {noun} '{name}'", hint=f"{near}see '{listing}'{install}")


def _is_glob(pattern: str) -> bool:
    return any(c in pattern for c in "*?[") and ":" not in pattern


@cache
def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@cache
def default_registry() -> Registry:
    """The registry of all installed plugins, built once per process."""
    return Registry(_plugins.load())
