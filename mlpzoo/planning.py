"""What is to be done: every (model, benchmark, case) with its key and its place, before anything runs."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mlpzoo import __version__, envs, levels, plugins
from mlpzoo.benchmark import BenchmarkSpec, Case
from mlpzoo.errors import UsageError
from mlpzoo.hashing import file_sha256
from mlpzoo.models import ALL_LOCAL
from mlpzoo.results import Provenance, Result
from mlpzoo.store import Store, key_of
from mlpzoo.tasks import Plan, Request, State, Task, result_of
from mlpzoo.versions import framework_versions, python_version
from mlpzoo.weights import side_files

if TYPE_CHECKING:
    from mlpzoo.models import Backend, ModelSpec
    from mlpzoo.registry import Registry

_CORE = ("benchmarks", "metrics", "physics", "data")
_NOT_IN_THE_KEY = ("params", "title", "unavailable", "references")
"""Of a case: what no model's number depends on; ``params`` only where a fingerprint stands for the data."""


def plan(request: Request, registry: Registry, store: Store) -> Plan:
    """Resolve every name and look up every stored result.  Starts nothing.

    Raises:
        UsageError: A name or the level to compare with is unknown, or nothing is left to run.
        ModelError: Weights are missing or altered.
        PluginError: A name is claimed twice.
    """
    models = [
        registry.resolve(name, device=request.device, dtype=request.dtype)
        for name in registry.models(request.models)
    ]
    optional: set[str] = set()
    if ALL_LOCAL in request.models:
        named = registry.models([pattern for pattern in request.models if pattern != ALL_LOCAL])
        optional = set(registry.local_models) - set(named)
    names = request.benchmarks
    if "all" in names:
        names = tuple(registry.benchmarks)
    names = tuple(dict.fromkeys(names))
    tasks: list[Task] = []
    unavailable: list[Case] = []
    for name in names:
        entry = registry.benchmark(name)
        for case in registry.select_cases(entry.item, request.systems):
            if case.unavailable:
                unavailable.append(case)
                continue
            maker = _Maker(request, registry, store, entry.item, entry.plugin, case)
            tasks += [
                maker.model_task(spec)
                for spec in models
                if spec.name not in optional or (spec.card and spec.card.supports(case.elements))
            ]
            tasks += [maker.floor_task(floor, title) for floor, title in case.floors.items()]
    for system in request.systems:
        if not any(registry.select_cases(registry.benchmark(name).item, (system,)) for name in names):
            raise _unknown_system(system, registry)
    if not tasks:
        raise UsageError(f"'{unavailable[0].name}' cannot run yet", hint=unavailable[0].unavailable)
    levels.resolve(request.against, [task.case for task in tasks])  # before hours are spent
    return Plan(request=request, tasks=tuple(tasks), unavailable=tuple(unavailable))


def _unknown_system(system: str, registry: Registry) -> UsageError:
    known = [n for name, pairs in registry.systems.items() for n in (name, *(c.name for _, c in pairs))]
    near = difflib.get_close_matches(system, known, n=1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return UsageError(
        f"no benchmark has a case for system '{system}'",
        hint=f"{meant}known systems: {', '.join(registry.systems) or 'none'}; see 'mlpzoo systems'",
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the tasks of one case."""

    request: Request
    registry: Registry
    store: Store
    benchmark: BenchmarkSpec
    benchmark_plugin: plugins.Plugin
    case: Case

    def model_task(self, spec: ModelSpec) -> Task:
        family = spec.family
        entry = self.registry.backend(family)
        here = self.registry.runs_here(family)
        isolate = self.request.isolate
        if isolate == "never" and not here:
            raise UsageError(
                f"{', '.join(self.registry.missing(family))} cannot be imported here",
                hint=f"install it, or leave out --isolate never to run '{family}' in its environment",
            )
        environment = envs.spec_of(entry.item) if isolate == "always" or not here else None
        lock = environment.lock.sha256 if environment else ""
        provenance = self._provenance(
            plugin=entry.plugin.name,
            plugin_version=entry.plugin.version,
            lock_sha256=lock,
            weights_sha256=_weights_sha256(spec, entry.item),
            device=spec.device,
            dtype=spec.dtype,
            isolated=environment is not None,
        )
        runtime = {
            "environment": environment.identity if environment else "",
            "versions": {} if environment else _versions(tuple(entry.item.requires)),
        }
        key = self._key(
            provenance,
            {
                "model": spec.name,
                "declared": [spec.card.elements, spec.card.properties] if spec.card else [],
                "plugin": "+".join(part.source_sha256 for part in self.registry.parts_of(family)),
                **runtime,
            },
        )
        if environment:
            place = f"environment {environment.name}"
        else:
            place = "this process" if isolate == "never" else "this Python"
        task = Task(
            title=spec.name,
            benchmark=self.benchmark,
            benchmark_module=self.benchmark_plugin.module_name,
            case=self.case,
            settings=self.request.settings,
            key=key,
            state="run",
            place=place,
            model=spec,
            family=family,
            plugin_module=entry.plugin.module_name,
            provenance=provenance,
        )
        if spec.card and not spec.card.supports(self.case.elements):
            missing = ", ".join(sorted(set(self.case.elements) - set(spec.card.elements)))
            return _with(task, "unsupported", result_of(task, "unsupported", f"does not know {missing}"))
        return self._cached(task)

    def floor_task(self, floor: str, title: str) -> Task:
        plugin = self.benchmark_plugin
        provenance = self._provenance(plugin=plugin.name, plugin_version=plugin.version)
        task = Task(
            title=title,
            benchmark=self.benchmark,
            benchmark_module=self.benchmark_plugin.module_name,
            case=self.case,
            settings=self.request.settings,
            key=self._key(provenance, {"floor": floor, "versions": _versions(())}),
            state="run",
            place="this process" if self.request.isolate == "never" else "this Python",
            provenance=provenance,
            floor=floor,
        )
        return self._cached(task)

    def _cached(self, task: Task) -> Task:
        if self.request.fresh:
            return task
        found = self.store.get(task.store_name, task.key)
        return task if found is None or found.status == "failed" else _with(task, "cached", found)

    def _provenance(self, **known: Any) -> Provenance:
        return Provenance(
            mlpzoo=__version__,
            dataset_sha256=self.case.fingerprint,
            level_of_theory=self.case.level_of_theory,
            seed=self.request.settings.seed,
            **known,
        )

    def _key(self, provenance: Provenance, more: dict[str, Any]) -> str:
        """Hash of all that can change the numbers.  Where the data lies does not."""
        package = Path(__file__).parent
        case = {k: v for k, v in asdict(self.case).items() if k not in _NOT_IN_THE_KEY}
        if not self.case.fingerprint:
            case["params"] = self.case.params
        return key_of(
            {
                "schema": 1,
                "benchmark": [self.benchmark.name, self.benchmark.version],
                "benchmark_source": _source(self.benchmark_plugin, package),
                "core": [plugins.source_sha256(package / part) for part in _CORE],
                "case": msgspec.to_builtins(case),
                "settings": asdict(self.request.settings),
                "provenance": asdict(provenance),
                **more,
            }
        )


def _with(task: Task, state: State, result: Result) -> Task:
    return replace(task, state=state, result=result)


def _source(plugin: plugins.Plugin, package: Path) -> str:
    """Hash of a benchmark plugin's code; the core's own is hashed once, with the core."""
    if plugin.module_name.startswith("mlpzoo."):
        return plugins.source_sha256(package / "benchmarks")
    return plugin.source_sha256


def _weights_sha256(spec: ModelSpec, backend: Backend) -> str:
    """Hash of all files that a model is read from; those of a card were checked when it was resolved."""
    said = spec.card.checkpoint.sha256 if spec.card is not None and spec.card.checkpoint else ""
    if spec.path is None:
        return said
    path = Path(spec.path)
    found = said or file_sha256(path)
    more = side_files(backend, path)
    return key_of({"named": found, "more": [file_sha256(file) for file in more]}) if more else found


def _versions(requires: tuple[str, ...]) -> dict[str, str]:
    """Python and the packages that a calculation in this Python rests on."""
    return {"python": python_version(), **framework_versions(requires)}
