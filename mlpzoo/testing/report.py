"""What a check is, what it may say, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlpzoo.testing.subject import Subject

Status = Literal["passed", "failed", "skipped"]


class BrokenPromiseError(AssertionError):
    """A promise is not kept; the message says by how much."""


class NotApplicableError(Exception):
    """A promise does not concern this model; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise of every calculator, and the function that tests it.

    Attributes:
        name: Short, ``kebab-case``.
        promise: What holds, in one sentence without a full stop.
        function: Raises `BrokenPromiseError` (or anything else) if it does not hold and
            `NotApplicableError` if the promise does not concern the model.
        needs: Properties that the card must declare; skipped if it does not.
        conservative: Whether it concerns only models whose forces are a gradient.
    """

    name: str
    promise: str
    function: Callable[[Subject], None]
    needs: tuple[str, ...] = ("energy",)
    conservative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What became of one check.

    Attributes:
        name: Of the check.
        promise: Of the check.
        status: ``skipped`` means that it does not concern the model; see the message.
        message: The reason; empty if it passed.
        seconds: Wall time.
    """

    name: str
    promise: str
    status: Status
    message: str = ""
    seconds: float = 0.0


def require(condition: object, message: str) -> None:
    """Break the promise unless the condition holds.

    Raises:
        BrokenPromiseError: It does not hold.
    """
    if not condition:
        raise BrokenPromiseError(message)
