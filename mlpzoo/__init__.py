"""mlpzoo: many machine-learned interatomic potentials, one calculator, one fair comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlpzoo.api import load
    from mlpzoo.benchmark import BenchmarkSpec, Case, Outcome, Quantity, Reference, RunSettings
    from mlpzoo.data.dataset import DatasetSpec
    from mlpzoo.errors import ZooError
    from mlpzoo.hookspecs import hookimpl
    from mlpzoo.models import Backend, Checkpoint, ModelCard, ModelSpec
    from mlpzoo.runner import compare

__version__ = "0.1.0"

_HOMES = {
    "Backend": "models",
    "BenchmarkSpec": "benchmark",
    "Case": "benchmark",
    "Checkpoint": "models",
    "DatasetSpec": "data.dataset",
    "ModelCard": "models",
    "ModelSpec": "models",
    "Outcome": "benchmark",
    "Quantity": "benchmark",
    "Reference": "benchmark",
    "RunSettings": "benchmark",
    "ZooError": "errors",
    "compare": "runner",
    "hookimpl": "hookspecs",
    "load": "api",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import mlpzoo`` costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlpzoo' has no attribute '{name}'")
    import importlib  # noqa: PLC0415

    value = getattr(importlib.import_module(f"mlpzoo.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
