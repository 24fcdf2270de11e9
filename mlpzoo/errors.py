"""Every error that mlpzoo raises on purpose.

Each one says what went wrong (``message``) and what to type next (``hint``).  The command line prints
both without a traceback and exits with 2; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """Root of the hierarchy.

    Args:
        message: What is wrong, in one sentence that names the thing.
        hint: The next command to type or the value to change; empty if there is none.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Both parts: what a script that does not catch it shows."""
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class UsageError(ZooError):
    """A name, an option or a combination of them that does not exist."""


class PluginError(ZooError):
    """A plugin that cannot be loaded, or two that claim one name."""


class DataError(ZooError):
    """A data set, a download or a reference that is not what it should be."""


class ModelError(ZooError):
    """A model that cannot be built: missing framework, missing or altered weights."""


class EnvError(ZooError):
    """An environment that cannot be made or found."""


class CalculationError(ZooError):
    """A force call whose result cannot be used: non-finite values, wrong shapes."""


class UnsupportedElementError(CalculationError):
    """A structure holds an element that the model does not know."""


class WorkerError(ZooError):
    """A worker that died, hung or answered with an exception.

    Args:
        message: The reason, in one sentence.
        hint: What to try next.
        remote_traceback: Traceback of the exception inside the worker; empty after a sudden death.
        stderr_tail: The last lines that the worker wrote to its standard error.
        kind: Name of the class of the exception inside the worker; empty after a sudden death.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        remote_traceback: str = "",
        stderr_tail: str = "",
        kind: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.remote_traceback = remote_traceback
        self.stderr_tail = stderr_tail
        self.kind = kind


class BadNumberError(CalculationError):
    """NaN or infinity where a number is needed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The beginning of a hint, ``did you mean 'x'? ``, if something near is known; else empty."""
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.5)
    return f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
