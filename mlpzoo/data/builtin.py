"""The data sets that come with mlpzoo or that it knows how to fetch, registered through the hook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlpzoo.hookspecs import hookimpl

if TYPE_CHECKING:
    from mlpzoo.data.spec import DatasetSpec


@hookimpl
def mlpzoo_register_datasets() -> Iterable[DatasetSpec]:
    """Embedded and public sets."""
    from mlpzoo.data.registry import available

    return available()
