"""Small models with random weights, of a framework's own making: for families whose weights must be fetched.

Their numbers mean nothing, so no card names one and no comparison sees one; but units, signs, derivatives,
symmetries, cells, elements and side effects are those of the family's calculator.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlpzoo.errors import ModelError, UsageError
from mlpzoo.models import ModelSpec
from mlpzoo.testing.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlpzoo.models import Backend, DType


@runtime_checkable
class RandomModels(Protocol):
    """What a backend defines in addition, so that the kit can test it without any weights."""

    @property
    def random_kinds(self) -> Sequence[str]:
        """Names of what differs in how it must be handled; known without the framework."""

    def random_model(self, kind: str, directory: Path) -> Path:
        """Write a tiny model with random weights.

        Called where the framework is importable.  The same kind gives the same numbers each time.

        Args:
            kind: One of ``random_kinds``.
            directory: An empty one of its own.

        Returns:
            A file or directory as users name it in ``FAMILY:PATH``; ``calculator`` and ``describe`` read it.
        """


def kinds_of(backend: Backend, kind: str) -> RandomModels:
    """The backend as one that can make such a model.

    Raises:
        UsageError: It cannot, or not of this kind.
    """
    if not isinstance(backend, RandomModels):
        raise UsageError(
            f"family '{backend.family}' makes no random models", hint=f"mlpzoo check {backend.family}"
        )
    if kind not in backend.random_kinds:
        raise UsageError(
            f"family '{backend.family}' makes no random model '{kind}'",
            hint=f"choose of {', '.join(backend.random_kinds)}",
        )
    return backend


@contextmanager
def random_subject(
    backend: Backend, kind: str, *, device: str = "cpu", dtype: DType = "float64"
) -> Iterator[Subject]:
    """A subject whose weights are random; its files are gone afterwards.

    Raises:
        UsageError: The backend makes no such model.
        ModelError: It made none.
    """
    maker = kinds_of(backend, kind)
    with tempfile.TemporaryDirectory(prefix="mlpzoo-random-", ignore_cleanup_errors=True) as folder:
        path = maker.random_model(kind, Path(folder))
        if not path.exists():
            raise ModelError(
                f"{backend.family}: random_model({kind!r}) made no {path}", hint="return what it wrote"
            )
        spec = ModelSpec(name=f"{backend.family}:{path}", path=str(path), device=device, dtype=dtype)
        yield Subject(backend=backend, spec=spec, random=True)
