"""Models that need no extra install: classical potentials, some of ASE's and one of our own.

They make every command work right after installation, and they are the baseline that an MLIP must beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpzoo.hookspecs import hookimpl

if TYPE_CHECKING:
    from mlpzoo.models import Backend


@hookimpl
def mlpzoo_register_backends() -> list[Backend]:
    """The built-in families; none of them imports ASE before it is asked for a calculator."""
    from mlpzoo.backends.emt import EmtBackend
    from mlpzoo.backends.lj import LennardJonesBackend
    from mlpzoo.backends.tersoff import TersoffBackend

    return [EmtBackend(), LennardJonesBackend(), TersoffBackend()]
