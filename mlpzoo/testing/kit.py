"""The promises, and how they are run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlpzoo.errors import UsageError
from mlpzoo.testing import (
    checks_declared,
    checks_derivatives,
    checks_limits,
    checks_many,
    checks_scale,
    checks_state,
    checks_symmetry,
    checks_training,
)
from mlpzoo.testing.report import BrokenPromiseError, Check, CheckResult, NotApplicableError
from mlpzoo.testing.structures import isolated, molecule, perturbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlpzoo.testing.report import Status
    from mlpzoo.testing.subject import Subject

CHECKS: tuple[Check, ...] = (
    *checks_declared.CHECKS,
    *checks_derivatives.CHECKS,
    *checks_symmetry.CHECKS,
    *checks_limits.CHECKS,
    *checks_state.CHECKS,
    *checks_many.CHECKS,
    *checks_scale.CHECKS,
    *checks_training.CHECKS,
)
"""Every promise, in the order in which it is tested."""


def run_checks(subject: Subject, names: Sequence[str] | None = None) -> Iterator[CheckResult]:
    """Test promises one after the other; a broken one never stops the rest.

    A model that cannot evaluate anything fails every one: nothing was shown to hold.

    Args:
        subject: The model.
        names: Which; all if None.

    Raises:
        UsageError: A name is not known.
    """
    return _run(subject, chosen(names or ()))


def chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names, in their order; all if none is named.

    Raises:
        UsageError: A name is not known.
    """
    by_name = {check.name: check for check in CHECKS}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UsageError(f"unknown check '{unknown[0]}'", hint=f"choose of {', '.join(by_name)}")
    return [by_name[name] for name in names] or list(CHECKS)


def _run(subject: Subject, checks: Sequence[Check]) -> Iterator[CheckResult]:
    nothing_works = _why_nothing_works(subject)
    for check in checks:
        start = time.perf_counter()
        status, message = _outcome(check, subject) if not nothing_works else ("failed", nothing_works)
        yield CheckResult(
            name=check.name,
            promise=check.promise,
            status=status,
            message=message,
            seconds=time.perf_counter() - start,
        )


def _outcome(check: Check, subject: Subject) -> tuple[Status, str]:
    try:
        missing = [p for p in check.needs if p not in subject.card.properties]
        if missing:
            return "skipped", f"the card does not declare {', '.join(missing)}"
        if check.conservative and not subject.card.conservative:
            return "skipped", "the card says that forces are not the gradient of the energy"
        check.function(subject)
    except NotApplicableError as reason:
        return "skipped", str(reason)
    except (BrokenPromiseError, AssertionError) as error:
        return "failed", str(error) or "AssertionError"
    except Exception as error:  # noqa: BLE001  (a stranger's code: recorded, reported)
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""


def _why_nothing_works(subject: Subject) -> str:
    """The first error if no structure at all can be evaluated; empty if one can."""
    reason = ""
    for make in (lambda card: perturbed(card, "probe"), molecule, isolated):
        try:
            subject.evaluate(make(subject.card))
        except Exception as error:  # noqa: BLE001, PERF203
            reason = reason or f"no structure could be evaluated: {type(error).__name__}: {error}"
        else:
            return ""
    return reason
