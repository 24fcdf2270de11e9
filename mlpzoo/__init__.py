"""mlpzoo: many machine-learned interatomic potentials, one calculator, one fair comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlpzoo.api import load as load
    from mlpzoo.benchmark import (
        BenchmarkSpec as BenchmarkSpec,
    )
    from mlpzoo.benchmark import (
        Case as Case,
    )
    from mlpzoo.benchmark import (
        Outcome as Outcome,
    )
    from mlpzoo.benchmark import (
        Quantity as Quantity,
    )
    from mlpzoo.benchmark import (
        Reference as Reference,
    )
    from mlpzoo.benchmark import (
        RunSettings as RunSettings,
    )
    from mlpzoo.data.dataset import DatasetSpec as DatasetSpec
    from mlpzoo.errors import ZooError as ZooError
    from mlpzoo.hookspecs import hookimpl as hookimpl
    from mlpzoo.models import (
        Backend as Backend,
    )
    from mlpzoo.models import (
        Checkpoint as Checkpoint,
    )
    from mlpzoo.models import (
        ModelCard as ModelCard,
    )
    from mlpzoo.models import (
        ModelSpec as ModelSpec,
    )
    from mlpzoo.runner import compare as compare

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
    import importlib

    value = getattr(importlib.import_module(f"mlpzoo.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
