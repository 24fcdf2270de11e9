"""Universal PET models for mlpzoo: the hook, and nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpzoo.hookspecs import hookimpl
from mlpzoo_upet.backend import UpetBackend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlpzoo.models import Backend


@hookimpl
def mlpzoo_register_backends() -> Iterable[Backend]:
    """The one family that this distribution brings."""
    return [UpetBackend()]
