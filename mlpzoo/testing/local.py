"""From a model's name to a subject, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpzoo.models import ModelName
from mlpzoo.registry import Registry, default_registry
from mlpzoo.testing.subject import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from mlpzoo.models import DType


def subject_of(
    model: str,
    *,
    device: str = "cpu",
    dtype: DType = "float64",
    golden: Path | None = None,
    registry: Registry | None = None,
) -> Subject:
    """The subject of a model whose framework is importable here.

    Raises:
        UsageError: There is no such model.
        ModelError: Its weights are missing or altered.
    """
    known = registry or default_registry()
    spec = known.resolve(model, device=device, dtype=dtype)
    backend = known.backend(ModelName.parse(model).family).item
    return Subject(backend=backend, spec=spec, golden=golden)
