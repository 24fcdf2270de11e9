"""The promises of a benchmark, and how they are tested."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlpzoo.errors import UsageError
from mlpzoo.task_run import reason
from mlpzoo.testing import benchmark_declared, benchmark_repeated, benchmark_returned
from mlpzoo.testing.report import CheckResult, NotApplicableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlpzoo.testing.benchmark_report import BenchmarkCheck
    from mlpzoo.testing.benchmark_subject import BenchmarkSubject

BENCHMARK_CHECKS: tuple[BenchmarkCheck, ...] = (
    *benchmark_declared.CHECKS,
    *benchmark_returned.CHECKS,
    *benchmark_repeated.CHECKS,
)
"""Every promise of a benchmark, in the order in which it is tested."""


def run_benchmark_checks(
    subject: BenchmarkSubject, names: Sequence[str] | None = None
) -> Iterator[CheckResult]:
    """Test promises one after the other; a broken one stops only those that rest on it.

    Args:
        subject: The benchmark.
        names: Which; all if None.

    Raises:
        UsageError: A name is not known.
    """
    by_name = {check.name: check for check in BENCHMARK_CHECKS}
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        raise UsageError(f"unknown check '{unknown[0]}'", hint=f"choose of {', '.join(by_name)}")
    return _run(subject, list(names or by_name), by_name)


def _run(
    subject: BenchmarkSubject, names: Sequence[str], by_name: dict[str, BenchmarkCheck]
) -> Iterator[CheckResult]:
    done: dict[str, CheckResult] = {}

    def result_of(name: str) -> CheckResult:
        if name not in done:
            check = by_name[name]
            broken = [need for need in check.needs if result_of(need).status != "passed"]
            if broken:
                message = f"see the check '{broken[0]}'"
                done[name] = CheckResult(name=name, promise=check.promise, status="skipped", message=message)
            else:
                done[name] = _result(check, subject)
        return done[name]

    for name in names:
        yield result_of(name)


def _result(check: BenchmarkCheck, subject: BenchmarkSubject) -> CheckResult:
    start = time.perf_counter()
    message = ""
    try:
        check.function(subject)
    except NotApplicableError as error:
        status, message = "skipped", str(error)
    except AssertionError as error:
        status, message = "failed", str(error) or "AssertionError"
    except Exception as error:  # noqa: BLE001  (a stranger's code: recorded, reported)
        status, message = "failed", reason(error)
    else:
        status = "passed"
    return CheckResult(
        name=check.name,
        promise=check.promise,
        status=status,  # type: ignore[arg-type]
        message=message,
        seconds=time.perf_counter() - start,
    )
