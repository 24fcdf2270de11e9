"""Promises about one run: what it returns, says and leaves behind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.benchmark import Outcome
from mlpzoo.results import unpack
from mlpzoo.task_run import report_of
from mlpzoo.testing.benchmark_report import BenchmarkCheck
from mlpzoo.testing.report import NotApplicableError, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlpzoo import wire
    from mlpzoo.testing.benchmark_runs import Ran
    from mlpzoo.testing.benchmark_subject import BenchmarkSubject

LONGEST_WORD = 30
"""Characters of the reason why a quantity is absent: it is printed in a cell."""


def runs(subject: BenchmarkSubject) -> None:
    """Every case runs to its end, and gives what a table can take."""
    require(
        subject.picks,
        "no case can run with a built-in potential: name 'models' that know its elements, or fetch its data",
    )
    for name, ran in subject.first.items():
        require(ran.error is None, f"{name}: {ran.failure}")
        kind = type(ran.outcome).__name__
        require(isinstance(ran.outcome, Outcome), f"{name}: it returned a {kind} instead of an Outcome")
        require(not ran.failure, f"{name}: {ran.failure}")


def complete(subject: BenchmarkSubject) -> None:
    """Each declared quantity is returned, derived, or said to be absent, in at least one case."""
    seen = {name for _, report in _reports(subject) for name in (*report.values, *report.absent)}
    seen |= {name for _, derived in _derived(subject) for name in derived}
    missing = [q.name for q in subject.spec.quantities if q.name not in seen and not q.conditional]
    tried = ", ".join(pick.case.name for pick in subject.picks)
    require(not missing, f"{', '.join(missing)}: in no case ({tried}) returned or absent")


def absent(subject: BenchmarkSubject) -> None:
    """Why a quantity has no number is a word or two: it stands in its cell."""
    for name, report in _reports(subject):
        for quantity, why in report.absent.items():
            fits = why.strip() and len(why) <= LONGEST_WORD and "\n" not in why
            require(
                fits, f"{name}: {quantity} is absent because of {why!r}: one to {LONGEST_WORD} characters"
            )


def intervals(subject: BenchmarkSubject) -> None:
    """An interval holds its value."""
    for name, report in _reports(subject):
        for quantity, (low, high) in report.interval.items():
            require(quantity in report.values, f"{name}: {quantity} has an interval and no value")
            value = report.values[quantity]
            require(low <= value <= high, f"{name}: {quantity} = {value} is not in [{low}, {high}]")


def arrays(subject: BenchmarkSubject) -> None:
    """Arrays come back from the store as they were."""
    for name, report in _reports(subject):
        for label, packed in report.arrays.items():
            given = np.asarray(subject.first[name].outcome.arrays[label])
            found = unpack(packed)
            same = found.shape == given.shape and found.dtype == given.dtype
            require(same, f"{name}: the array {label} is {given.dtype} {given.shape}, stored {found.dtype}")
            require(given.dtype.kind in "biufcUS", f"{name}: the array {label} holds {given.dtype}")


def progress(subject: BenchmarkSubject) -> None:
    """It says how far it is: whole numbers, never more than all."""
    for name, ran in subject.first.items():
        require(ran.told, f"{name}: job.progress was never called")
        for done, total, what in ran.told:
            whole = all(isinstance(n, (int, np.integer)) for n in (done, total))
            sane = whole and 0 <= done <= total and total > 0
            require(sane, f"{name}: job.progress({done!r}, {total!r}, {what!r})")
            require(isinstance(what, str) and what.strip(), f"{name}: progress of {what!r}: say what is done")


def quick(subject: BenchmarkSubject) -> None:
    """The smoke profile is for trying things."""
    for name, ran in subject.first.items():
        limit = subject.cpu_limit_s
        require(ran.cpu_s <= limit, f"{name}: {ran.cpu_s:.1f} s of CPU for 'smoke' (allowed {limit:g} s)")


def quiet(subject: BenchmarkSubject) -> None:
    """Printing is the command line's business."""
    for name, ran in subject.first.items():
        require(not ran.printed, f"{name}: it printed {ran.printed[:80]!r}")


def untouched(subject: BenchmarkSubject) -> None:
    """The same case and the same model serve the next benchmark."""
    for name, ran in subject.first.items():
        changed = [what for what in ran.changed if what in ("the case", "the model")]
        require(not changed, f"{name}: the run changed {' and '.join(changed)}")


def global_state(subject: BenchmarkSubject) -> None:
    """A second run (imports are done) leaves the process as it was."""
    changed = [what for what in subject.again.changed if what not in ("the case", "the model")]
    require(not changed, f"a run changed {', '.join(changed)}")


def floors(subject: BenchmarkSubject) -> None:
    """Each row that no model computes gives declared quantities."""
    run_floor = subject.spec.run_floor
    rows = [(pick.case, name) for pick in subject.picks for name in pick.case.floors]
    if not rows:
        raise NotApplicableError("no case has such rows")
    if run_floor is None:
        raise AssertionError("cases have floors, but there is no run_floor")
    declared = {q.name for q in subject.spec.quantities}
    for case, name in rows:
        report = report_of(run_floor(case, name, subject.settings), declared)
        require(report.status == "ok", f"{case.name}, {name}: {report.message}")


def derive(subject: BenchmarkSubject) -> None:
    """What is derived when a table is made is declared and finite, and needs no reference to be there."""
    if subject.spec.derive is None:
        raise NotApplicableError("it derives nothing")
    declared = {q.name for q in subject.spec.quantities}
    for name, derived in _derived(subject):
        undeclared = sorted(set(derived) - declared)
        require(not undeclared, f"{name}: it derives {', '.join(undeclared)}, not declared")
        for quantity, value in derived.items():
            finite = isinstance(value, (int, float)) and math.isfinite(value)
            require(finite, f"{name}: the derived {quantity} is {value!r}")


def compare(subject: BenchmarkSubject) -> None:
    """A model compared with itself is a tie."""
    if subject.spec.compare is None:
        raise NotApplicableError("it has no paired comparison")
    declared = {q.name for q in subject.spec.quantities}
    for name, report in _reports(subject):
        stored = {label: unpack(array) for label, array in report.arrays.items()}
        for quantity, (low, high) in subject.spec.compare(stored, stored, subject.settings).items():
            require(quantity in declared, f"{name}: it compares {quantity}, which is not declared")
            require(
                low <= 0 <= high, f"{name}: {quantity} of a model differs from its own by [{low}, {high}]"
            )


def _derived(subject: BenchmarkSubject) -> Iterator[tuple[str, dict[str, float]]]:
    """With no reference, with those of the case, and with one for each quantity that is compared with one."""
    function = subject.spec.derive
    if function is None:
        return
    closer = {q.name for q in subject.spec.quantities if q.better == "closer"}
    for pick in subject.picks:
        values = _report(subject.first[pick.case.name]).values
        every = {name: value for name, value in values.items() if name in closer}
        of_case = {r.quantity: r.value for r in pick.case.references if math.isfinite(r.value)}
        for references in ({}, of_case, every):
            given = dict(values)
            yield pick.case.name, function(given, dict(references))
            require(given == values, f"{pick.case.name}: derive changes the values it is given")


def _reports(subject: BenchmarkSubject) -> Iterator[tuple[str, wire.Report]]:
    for name, ran in subject.first.items():
        yield name, _report(ran)


def _report(ran: Ran) -> wire.Report:
    assert ran.report is not None  # noqa: S101  (the check 'runs' comes first)
    return ran.report


_RAN = ("runs",)
CHECKS = (
    BenchmarkCheck(
        name="runs",
        promise="every case runs, and returns declared quantities that are finite numbers",
        function=runs,
    ),
    BenchmarkCheck(
        name="complete",
        promise="every declared quantity is returned, or absent with a reason, in some case",
        function=complete,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="absent",
        promise="the reason why a quantity is absent fits into its cell",
        function=absent,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="intervals",
        promise="every interval holds its value",
        function=intervals,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="arrays",
        promise="arrays hold numbers or text and can be stored",
        function=arrays,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="progress",
        promise="progress is told, and never more than all of it",
        function=progress,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="quick",
        promise="the smoke profile takes seconds",
        function=quick,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="quiet",
        promise="a run prints nothing",
        function=quiet,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="untouched",
        promise="the case and the model are left as they were",
        function=untouched,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="global-state",
        promise="a run leaves the process alone",
        function=global_state,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="floors",
        promise="rows that no model computes give declared quantities",
        function=floors,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="derive",
        promise="what is derived from references is declared and finite, also without any reference",
        function=derive,
        needs=_RAN,
    ),
    BenchmarkCheck(
        name="compare",
        promise="a model compared with itself is a tie",
        function=compare,
        needs=_RAN,
    ),
)
