"""The whole plugin API.

A plugin is a Python distribution with an entry point in the group ``mlpzoo``::

    [project.entry-points.mlpzoo]
    mace = "mlpzoo_mace"

and a module that implements any of these hooks.  Hooks return things; they must not import a framework::

    from mlpzoo import hookimpl

    MLPZOO_API = 1  # the version of this API that it was written for

    @hookimpl
    def mlpzoo_register_backends():
        return [MaceBackend()]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from mlpzoo.benchmark import BenchmarkSpec
    from mlpzoo.data.dataset import DatasetSpec
    from mlpzoo.data.engines import ReferenceEngine
    from mlpzoo.models import Backend

PROJECT: Final = "mlpzoo"
API_VERSION: Final = 1
"""Of this plugin API: it grows when a hook, or a type that passes through one, changes.

A plugin says which it was written for, in its module: ``MLPZOO_API = 1``; without it, the first."""
OLDEST_API_VERSION: Final = 1
"""Plugins that were written for an older one are refused."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def mlpzoo_register_backends() -> Iterable[Backend]:  # type: ignore[empty-body]
    """Families of models.  Must not import the ML framework."""


@hookspec
def mlpzoo_register_benchmarks() -> Iterable[BenchmarkSpec]:  # type: ignore[empty-body]
    """Benchmarks.  The core's own come this way too."""


@hookspec
def mlpzoo_register_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
    """Data sets that benchmarks can run on."""


@hookspec
def mlpzoo_register_engines() -> Iterable[ReferenceEngine]:  # type: ignore[empty-body]
    """Programs that label structures with reference energies and forces."""
