"""`mlpzoo.load`: any model as an ASE calculator, wherever its framework lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from mlpzoo.errors import UsageError
from mlpzoo.registry import Registry, default_registry

if TYPE_CHECKING:
    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.models import DType
    from mlpzoo.workers import Launch

Isolate = Literal["auto", "always", "never"]


def load(
    name: str,
    *,
    device: str = "cpu",
    dtype: DType = "float64",
    isolate: Isolate = "auto",
    registry: Registry | None = None,
) -> ZooCalculator:
    """An ASE calculator of a model.

    The framework runs in this process if it is importable here, and in a worker in the family's own
    environment if not; the environment is made on first use.  The numbers are the same.

    Args:
        name: ``mace`` (the family's default), ``mace/si-small`` (a card) or ``mace:path`` (your weights).
        device: ``cpu``, ``cuda``, ``cuda:1``, ...
        dtype: ``float64`` or ``float32``.
        isolate: ``always``: in a worker even if importable; ``never``: in this process or not at all.
        registry: Instead of the installed plugins'.

    Returns:
        A calculator: eV, eV/Å, eV/Å³, ASE sign and Voigt order.

    Raises:
        UsageError: There is no such model.
        ModelError: Its weights are missing or altered.
        EnvError: Its environment cannot be made.
        WorkerError: Its worker cannot start.

    Example:
        >>> atoms.calc = mlpzoo.load("mace")  # doctest: +SKIP
        >>> atoms.get_potential_energy()  # doctest: +SKIP
    """
    registry = registry or default_registry()
    spec = registry.resolve(name, device=device, dtype=dtype)
    family = spec.family
    entry = registry.backend(family)
    if isolate != "always" and registry.runs_here(family):
        from mlpzoo.calculator import build

        return build(entry.item, spec)
    if isolate == "never":
        raise UsageError(
            f"{', '.join(registry.missing(family))} cannot be imported here",
            hint="install it, or leave out isolate='never' to use the family's own environment",
        )
    from mlpzoo import wire
    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.remote import RemoteCalculator
    from mlpzoo.workers import Worker

    worker = Worker(launch_for(registry, family), family)
    try:
        request = wire.Open(plugin_module=entry.plugin.module_name, family=family, model=spec)
        remote = RemoteCalculator(worker, request)
    except BaseException:
        worker.kill()
        raise
    return ZooCalculator(remote, remote.card)


def launch_for(
    registry: Registry,
    family: str,
    *,
    progress: Callable[[str], None] = lambda _: None,
    more_modules: tuple[str, ...] = (),
    prefer_here: bool = False,
    threads: int = 0,
    memory_limit_bytes: int = 0,
) -> Launch:
    """How to start a worker of a family: in its environment (made if need be), or in this Python.

    Args:
        registry: Where the family is.
        family: Its name; empty for a worker that needs no backend.
        progress: Told what is done while an environment is made.
        more_modules: Further plugin modules that the worker needs.
        prefer_here: Use this Python if the framework is importable in it.
        threads: Threads of the worker; 0 leaves it to the framework.
        memory_limit_bytes: See `mlpzoo.workers.Launch`.
    """
    from mlpzoo import envs, workers

    modules = {p.module_name: p.module for p in registry.plugins if p.module_name in more_modules}
    spec = None
    if family:
        entry = registry.backend(family)
        modules |= {part.module_name: part.module for part in registry.parts_of(family)}
        missing = ", ".join(registry.missing(family))
        if entry.item.lock_file is None and missing:
            raise UsageError(
                f"{missing} cannot be imported here, and family '{family}' has no lock file to make an "
                "environment from",
                hint=f"install {missing}",
            )
        if missing or not prefer_here:
            spec = envs.spec_of(entry.item)
    if spec is None:
        return workers.launch_here(modules, threads=threads, memory_limit_bytes=memory_limit_bytes)
    environment = envs.ensure(spec, progress)
    return workers.launch_in(
        environment.python, modules, threads=threads, memory_limit_bytes=memory_limit_bytes
    )
