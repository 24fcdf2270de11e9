"""The data sets that come with mlpzoo or that it knows how to fetch, and its DFT engines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlpzoo.hookspecs import hookimpl

if TYPE_CHECKING:
    from mlpzoo.data.engines import ReferenceEngine
    from mlpzoo.data.spec import DatasetSpec


@hookimpl
def mlpzoo_register_datasets() -> Iterable[DatasetSpec]:
    """Embedded and public sets."""
    from mlpzoo.data.registry import available

    return available()


@hookimpl
def mlpzoo_register_engines() -> Iterable[ReferenceEngine]:
    """Quantum ESPRESSO, the default, and ABINIT, to cross-check."""
    from mlpzoo.data.abinit import AbinitEngine
    from mlpzoo.data.espresso_engine import PwEngine

    return [PwEngine(), AbinitEngine()]
