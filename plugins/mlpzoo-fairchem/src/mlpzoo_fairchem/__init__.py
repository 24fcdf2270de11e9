"""UMA models of fairchem for mlpzoo: the hook, and nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpzoo.hookspecs import hookimpl
from mlpzoo_fairchem.backend import FairchemBackend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlpzoo.models import Backend


@hookimpl
def mlpzoo_register_backends() -> Iterable[Backend]:
    """The one family that this distribution brings."""
    return [FairchemBackend()]
