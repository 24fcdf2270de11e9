"""The promises of a benchmark as a pytest class: three lines in the author's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mlpzoo.testing.benchmark_kit import BENCHMARK_CHECKS, run_benchmark_checks
from mlpzoo.testing.benchmark_subject import BenchmarkSubject
from mlpzoo.testing.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlpzoo.testing.report import CheckResult


class BenchmarkConformance:
    """All promises of a benchmark as pytest tests.

    Three lines::

        from mlpzoo.testing import BenchmarkConformance


        class TestBulkEnergy(BenchmarkConformance):
            benchmark = "bulk-energy"

    Attributes:
        benchmark: The name of the benchmark.
        models: Names of models to run it with; by default the built-in potentials.  Each case gets the
            first one that knows its elements.
        systems: Names of systems or cases, or globs; by default all that can run on this machine.
        cpu_limit_s: Processor time that a case may take in the profile ``smoke``.
        known_failures: Check name to the reason why it fails: reported as an expected failure, and an
            error as soon as it passes.
    """

    benchmark: ClassVar[str]
    models: ClassVar[tuple[str, ...]] = ()
    systems: ClassVar[tuple[str, ...]] = ("*",)
    cpu_limit_s: ClassVar[float] = 60.0
    known_failures: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """One test per promise."""
        if "promise" in metafunc.fixturenames:
            metafunc.parametrize("promise", [check.name for check in BENCHMARK_CHECKS])

    @classmethod
    def subject(cls) -> BenchmarkSubject:
        """What is tested; override it for a benchmark that is not installed."""
        from mlpzoo.registry import default_registry

        return BenchmarkSubject(
            registry=default_registry(),
            name=cls.benchmark,
            models=cls.models,
            systems=cls.systems,
            cpu_limit_s=cls.cpu_limit_s,
        )

    def test_promise(self, promise: str) -> None:
        """The promise is kept."""
        judge(_results(type(self))[promise], self.known_failures)

    def test_known_failures_are_checks(self) -> None:
        """No leftovers of renamed checks."""
        unknown = set(self.known_failures) - {check.name for check in BENCHMARK_CHECKS}
        assert not unknown, f"no such checks: {sorted(unknown)}"  # noqa: S101


_done: dict[type[BenchmarkConformance], dict[str, CheckResult]] = {}


def _results(suite: type[BenchmarkConformance]) -> dict[str, CheckResult]:
    """All results of a benchmark, computed once."""
    if suite not in _done:
        _done[suite] = {result.name: result for result in run_benchmark_checks(suite.subject())}
    return _done[suite]
