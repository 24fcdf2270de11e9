"""Runs the conformance kit on a model, next to its framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlpzoo import wire
from mlpzoo.api import Isolate, launch_for
from mlpzoo.models import DType, ModelSpec
from mlpzoo.registry import Registry, default_registry
from mlpzoo.workers import Worker


def check_model(
    model: str,
    names: Sequence[str] = (),
    *,
    random: str = "",
    device: str = "cpu",
    dtype: DType = "float64",
    isolate: Isolate = "auto",
    timeout_s: float | None = None,
    on_result: Callable[[wire.Checked], None] = lambda _: None,
    on_progress: Callable[[str], None] = lambda _: None,
    registry: Registry | None = None,
) -> list[wire.Checked]:
    """Run the promises of `mlpzoo.testing` on a model in a worker.

    Args:
        model: Its name; that of its family if ``random`` is given.
        names: Names of checks; all if empty.
        random: Instead of a model's weights, random ones of this kind; see `mlpzoo.testing.RandomModels`.
        device: Where it runs.
        dtype: Its precision.
        isolate: ``auto``: this Python if the framework is importable in it, else the family's environment.
        timeout_s: Time limit for all checks together.
        on_result: Told each result as it comes.
        on_progress: Told what is done while an environment is made.
        registry: Instead of the installed plugins'.

    Raises:
        UsageError: There is no such model or check.
        EnvError: Its environment cannot be made.
        WorkerError: The worker died or was too slow.
    """
    if names:
        from mlpzoo.testing.kit import chosen

        chosen(names)  # a wrong name stops here, before an environment is made
    registry = registry or default_registry()
    if random:
        from mlpzoo.testing.random_models import kinds_of

        kinds_of(registry.backend(model).item, random)
        spec = ModelSpec(name=f"{model}:{random}", device=device, dtype=dtype)
    else:
        spec = registry.resolve(model, device=device, dtype=dtype)
    plugin = registry.backend(spec.family).plugin
    launch = launch_for(registry, spec.family, progress=on_progress, prefer_here=isolate != "always")
    found: list[wire.Checked] = []

    def collect(item: wire.Checked) -> None:
        found.append(item)
        on_result(item)

    with Worker(launch, spec.family) as worker:
        request = wire.RunChecks(
            plugin_module=plugin.module_name,
            family=spec.family,
            model=spec,
            names=list(names),
            random=random,
        )
        worker.ask(request, timeout_s=timeout_s, on_message=collect)
    return found
