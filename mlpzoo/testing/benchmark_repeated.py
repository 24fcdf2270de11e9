"""Promises about running again: the same numbers, whoever runs it, wherever, in how many pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpzoo.testing.benchmark_report import BenchmarkCheck
from mlpzoo.testing.benchmark_runs import difference
from mlpzoo.testing.report import NotApplicableError, require

if TYPE_CHECKING:
    from mlpzoo import wire
    from mlpzoo.testing.benchmark_runs import Ran
    from mlpzoo.testing.benchmark_subject import BenchmarkSubject


def repeatable(subject: BenchmarkSubject) -> None:
    """A second run with a fresh calculator and the same seed."""
    require(not subject.again.failure, f"the second run fails: {subject.again.failure}")
    _require_same(subject, subject.again, "a second run")


def any_calculator(subject: BenchmarkSubject) -> None:
    """With an ASE calculator that is not mlpzoo's, such as a DFT program's."""
    ran = subject.plain
    require(not ran.failure, f"with a plain ASE calculator it fails: {ran.failure}")
    _require_same(subject, ran, "with a plain ASE calculator")


def other_process(subject: BenchmarkSubject) -> None:
    """In a worker, as ``mlpzoo compare`` does it: other random states, other hashes of strings."""
    report = subject.elsewhere
    require(report.status == "ok", f"in another process it is {report.status}: {report.message}")
    _require_equal(subject, report, "in another process")


def resumed(subject: BenchmarkSubject) -> None:
    """Interrupted twice, at some force call of its own, and started again with the same directory."""
    if subject.expected.n_evaluations < 2:  # noqa: PLR2004
        raise NotApplicableError("it makes a single force call")
    found = subject.resumed
    stops = " and ".join(map(str, found.stops))
    what = f"interrupted after {stops} force calls and started again"
    require(not found.ran.failure, f"{what}: {found.ran.failure}")
    _require_same(subject, found.ran, what)
    require(found.found or not found.kept, f"{what}, it saved a checkpoint and did not look for it")


def _require_same(subject: BenchmarkSubject, ran: Ran, what: str) -> None:
    assert ran.report is not None  # noqa: S101  (no failure)
    _require_equal(subject, ran.report, what)


def _require_equal(subject: BenchmarkSubject, report: wire.Report, what: str) -> None:
    expected = subject.expected.report
    assert expected is not None  # noqa: S101  (the check 'runs' comes first)
    differs = difference(report, expected, names_only=not subject.spec.deterministic)
    require(not differs, f"{subject.quickest.case.name}, {what}: {differs}")


_REPEATABLE = ("runs", "repeatable")
CHECKS = (
    BenchmarkCheck(
        name="repeatable",
        promise="the same seed gives the same result, to the last bit unless deterministic=False",
        function=repeatable,
        needs=("runs",),
    ),
    BenchmarkCheck(
        name="any-calculator",
        promise="any ASE calculator will do",
        function=any_calculator,
        needs=_REPEATABLE,
    ),
    BenchmarkCheck(
        name="other-process",
        promise="another process gives the same result",
        function=other_process,
        needs=(*_REPEATABLE, "cases", "progress", "untouched"),
    ),
    BenchmarkCheck(
        name="resumed",
        promise="a run that was interrupted and goes on gives the result of one that was not",
        function=resumed,
        needs=_REPEATABLE,
    ),
)
