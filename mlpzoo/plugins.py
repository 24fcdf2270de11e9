"""Discovery of plugins: cheap, and never fatal.

pluggy's own entry-point loader stops at the first broken plugin and says nothing of a misspelt hook.
Here each entry point is loaded, checked and asked on its own; what went wrong is kept beside it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pluggy

from mlpzoo import __version__, hookspecs

BUILTINS: Final = ("mlpzoo.backends", "mlpzoo.benchmarks", "mlpzoo.data.builtin")
HOOKS: Final = {
    "backend": "mlpzoo_register_backends",
    "benchmark": "mlpzoo_register_benchmarks",
    "dataset": "mlpzoo_register_datasets",
    "engine": "mlpzoo_register_engines",
}


@dataclass(slots=True, kw_only=True)
class Plugin:
    """One plugin and what became of it.

    Attributes:
        name: Name of the entry point; the distribution's own plugins are ``builtin:...``.
        module_name: The module it names.
        version: Version of its distribution.
        module: The loaded module; None if it could not be loaded.
        registered: Kind (``backend``, ``benchmark``, ``dataset``, ``engine``) to what it returned.
        problems: What went wrong, one sentence each; empty if nothing did.
        distribution: Normalised name of its distribution; empty if it has none.
        requires: Normalised names of the distributions that this one depends on.
    """

    name: str
    module_name: str
    version: str
    module: ModuleType | None = None
    registered: dict[str, list[Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    distribution: str = ""
    requires: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """``name version``, for messages."""
        return f"{self.name} {self.version}".strip()

    @property
    def source_sha256(self) -> str:
        """Hash of its code: of the package, or of the file alone if it is a single module."""
        if self.module is None or not self.module.__file__:
            return ""
        single = not hasattr(self.module, "__path__") and "." not in self.module_name
        return source_sha256(Path(self.module.__file__) if single else self.directory)

    @property
    def directory(self) -> Path:
        """Where the module's files are: cards name their weights relative to it."""
        file = getattr(self.module, "__file__", None)
        return Path(file).parent if file else Path()


def load(modules: Sequence[str | ModuleType] = (), *, entry_points: bool = True) -> tuple[Plugin, ...]:
    """Load built-ins, then the given modules, then every installed entry point of the group ``mlpzoo``.

    Never raises for a broken plugin: see `Plugin.problems`.
    """
    plugins = [_load_one(f"builtin:{m.rpartition('.')[2]}", m, __version__) for m in BUILTINS]
    for module in modules:
        name = module if isinstance(module, str) else module.__name__
        plugins.append(_load_one(name, module, ""))
    if entry_points:
        found, unreadable = _entry_points()
        plugins += [_load_one(e.name, e, _dist_version(e)) for e in found] + unreadable
    return tuple(plugins)


def with_required(plugin: Plugin, plugins: Iterable[Plugin]) -> tuple[Plugin, ...]:
    """A plugin and those that its distribution depends on: where it runs they must be importable, too."""
    found, left = [plugin], [plugin]
    everything = tuple(plugins)
    while left:
        wanted = left.pop().requires
        more = [p for p in everything if p.distribution in wanted and p.distribution and p not in found]
        found += more
        left += more
    return tuple(found)


def _entry_points() -> tuple[list[importlib.metadata.EntryPoint], list[Plugin]]:
    """Entry points of the group, each once, in a stable order; and distributions that cannot be read."""
    unreadable: list[Plugin] = []
    try:
        found = list(importlib.metadata.entry_points(group=hookspecs.PROJECT))
    except Exception:  # noqa: BLE001  (a stranger's malformed file: look at each distribution by itself)
        found = []
        for distribution in importlib.metadata.distributions():
            try:
                found += distribution.entry_points.select(group=hookspecs.PROJECT)
            except Exception as error:  # noqa: BLE001, PERF203
                name = distribution.metadata["Name"] or "?"
                plugin = Plugin(name=name, module_name="", version=distribution.version)
                plugin.problems.append(f"its entry points cannot be read: {_brief(error)}")
                unreadable.append(plugin)
    once = {(entry.name, entry.value): entry for entry in reversed(found)}
    return [once[key] for key in sorted(once)], unreadable


def _load_one(name: str, source: str | ModuleType | importlib.metadata.EntryPoint, version: str) -> Plugin:
    """Import one plugin and ask its hooks; whatever fails is written down."""
    if isinstance(source, ModuleType):
        module_name = source.__name__
    else:
        module_name = source if isinstance(source, str) else source.value
    plugin = Plugin(name=name, module_name=module_name, version=version)
    if isinstance(source, importlib.metadata.EntryPoint):
        plugin.distribution, plugin.requires = _dist_names(source)
    try:
        if isinstance(source, ModuleType):
            implementation: object = source
        elif isinstance(source, str):
            implementation = importlib.import_module(source)
        else:
            if source.pattern.match(source.value) is None:
                raise ImportError(f"'{source.value}' is no module name")
            plugin.module_name = source.module
            if source.attr:
                raise TypeError(f"its entry point names the object '{source.attr}': name the module alone")
            implementation = importlib.import_module(source.module)
        plugin.module = sys.modules.get(plugin.module_name)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a stranger's code: recorded, reported)
        plugin.problems.append(f"could not be loaded: {_brief(error)}")
        return plugin
    other = _api_problem(implementation, name)
    if other:
        plugin.problems.append(other)
    else:
        _ask(plugin, implementation)
    return plugin


def _api_problem(implementation: object, name: str) -> str:
    """Why a plugin cannot be asked anything: it was written for another plugin API."""
    wanted = getattr(implementation, "MLPZOO_API", hookspecs.OLDEST_API_VERSION)
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        return f"MLPZOO_API is {wanted!r}: write the whole number {hookspecs.API_VERSION}"
    if wanted > hookspecs.API_VERSION:
        return (
            f"was written for plugin API {wanted}, this mlpzoo {__version__} has {hookspecs.API_VERSION}: "
            "pip install --upgrade mlpzoo"
        )
    if wanted < hookspecs.OLDEST_API_VERSION:
        return (
            f"was written for plugin API {wanted}, this mlpzoo {__version__} takes "
            f"{hookspecs.OLDEST_API_VERSION} to {hookspecs.API_VERSION}: "
            f"pip install --upgrade mlpzoo-{name}, or an older mlpzoo"
        )
    return ""


def _ask(plugin: Plugin, implementation: object) -> None:
    """Call each hook of one plugin on its own manager, so that none can disturb another."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(implementation, name=plugin.name)
        _check_names(plugin, manager, implementation)
    except Exception as error:  # noqa: BLE001
        plugin.problems.append(f"could not be registered: {_brief(error)}")
        return
    if not manager.get_hookcallers(implementation) and not plugin.problems:
        plugin.problems.append(f"implements no hook: mark {', '.join(HOOKS.values())} with @mlpzoo.hookimpl")
    for kind, hook in HOOKS.items():
        try:
            caller = getattr(manager.hook, hook)
            answers = caller()
            if caller.get_hookimpls() and not answers:
                raise TypeError("it returned None: return a list")
            found = [item for answer in answers for item in _listed(answer, hook)]
        except (Exception, SystemExit) as error:  # noqa: BLE001
            plugin.problems.append(f"{hook} failed: {_brief(error)}")
            continue
        if found:
            plugin.registered[kind] = found


def _listed(answer: object, hook: str) -> list[Any]:
    if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes)):
        return list(answer)
    raise TypeError(f"{hook} must return an iterable, got {type(answer).__name__}")


def _check_names(plugin: Plugin, manager: pluggy.PluginManager, implementation: object) -> None:
    """Report implementations of hooks that do not exist, and functions that only look like one."""
    known = set(HOOKS.values())
    marked: set[str] = set()
    for caller in manager.get_hookcallers(implementation) or []:
        marked.add(caller.name)
        if caller.name not in known:
            plugin.problems.append(f"unknown hook '{caller.name}'{_near(caller.name)}")
    for name in dir(implementation):
        if name.startswith("mlpzoo_register") and name not in marked:
            why = "is not marked with @mlpzoo.hookimpl" if name in known else "is no hook"
            plugin.problems.append(f"'{name}' {why}{_near(name) if name not in known else ''}")


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, HOOKS.values(), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _brief(error: BaseException) -> str:
    """``Type: first line`` and where in the plugin it was raised."""
    if isinstance(error, pluggy.PluginValidationError):
        return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None and not isinstance(error, (ImportError, SystemExit)):
        where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}{where}"


def _dist_version(entry: importlib.metadata.EntryPoint) -> str:
    try:
        return (entry.dist.version if entry.dist is not None else "") or ""
    except Exception:  # noqa: BLE001  (metadata that cannot be read)
        return ""


def _dist_names(entry: importlib.metadata.EntryPoint) -> tuple[str, tuple[str, ...]]:
    """Normalised names of the entry point's distribution and of what it depends on without an extra."""
    try:
        distribution = entry.dist
        if distribution is None:
            return "", ()
        lines = [line for line in distribution.requires or () if "extra ==" not in line]
        names = [re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0] for line in lines]
        return _normalised(distribution.metadata["Name"]), tuple(map(_normalised, names))
    except Exception:  # noqa: BLE001  (metadata that cannot be read)
        return "", ()


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def source_sha256(directory: Path) -> str:
    """sha256 of a file, or over all ``.py`` files below a directory: changes whenever the code there does."""
    digest = hashlib.sha256()
    if directory.is_file():
        return hashlib.sha256(directory.read_bytes()).hexdigest()
    for file in sorted(directory.rglob("*.py")):
        digest.update(file.relative_to(directory).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
