"""The kit as a pytest class: three lines in a plugin's tests."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from mlpzoo.testing.kit import CHECKS, run_checks
from mlpzoo.testing.report import CheckResult
from mlpzoo.testing.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def check_model(model: str, names: Sequence[str] = (), *, random: str = "") -> list[CheckResult]:
    """Run checks on a model, wherever its framework lives.

    Args:
        model: Its name; that of its family if ``random`` is given.
        names: Names of checks; all if empty.
        random: Kind of a model with random weights that the backend makes; see `RandomModels`.

    Raises:
        UsageError: There is no such model or check.
    """
    from mlpzoo.models import ModelName
    from mlpzoo.registry import default_registry
    from mlpzoo.testing.local import subject_of
    from mlpzoo.testing.random_models import random_subject

    family, registry = ModelName.parse(model).family, default_registry()
    if registry.runs_here(family):
        backend = registry.backend(family).item
        with random_subject(backend, random) if random else nullcontext(subject_of(model)) as subject:
            return list(run_checks(subject, names or None))
    from mlpzoo import conformance

    return [
        CheckResult(
            name=found.name,
            promise=found.promise,
            status=found.status,  # type: ignore[arg-type]
            message=found.message,
            seconds=found.seconds,
        )
        for found in conformance.check_model(model, names, random=random)
    ]


@cache
def _results(model: str, names: tuple[str, ...], random: str) -> dict[str, CheckResult]:
    """Results of a model, computed once: building a model or starting a worker is not free."""
    return {result.name: result for result in check_model(model, names, random=random)}


class BackendConformance:
    """All promises as pytest tests.

    Three lines::

        from mlpzoo.testing import BackendConformance


        class TestMace(BackendConformance):
            model = "mace/si-small"

    Attributes:
        model: The name of the model; that of the family if ``random`` is given.
        random: Kind of a model with random weights that the backend makes, where published weights cannot be
            had without a network; see `mlpzoo.testing.RandomModels`.
        promises: Names of the checks to run; all if empty.  For further models of a family whose first one is
            held to all of them, where a force call takes seconds.
        known_failures: Check name to the reason why it fails: reported as an expected failure, and an
            error as soon as it passes.
    """

    model: ClassVar[str]
    random: ClassVar[str] = ""
    promises: ClassVar[Sequence[str]] = ()
    known_failures: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """One test per promise."""
        if "promise" in metafunc.fixturenames:
            metafunc.parametrize("promise", cls.promises or [check.name for check in CHECKS])

    def run_check(self, name: str) -> CheckResult:
        """The result of one check; override it to run them elsewhere."""
        return _results(self.model, tuple(self.promises), self.random)[name]

    def test_promise(self, promise: str) -> None:
        """The promise is kept."""
        judge(self.run_check(promise), self.known_failures)

    def test_known_failures_are_checks(self) -> None:
        """No leftovers of renamed checks."""
        unknown = {*self.known_failures, *self.promises} - {check.name for check in CHECKS}
        assert not unknown, f"no such checks: {sorted(unknown)}"  # noqa: S101
