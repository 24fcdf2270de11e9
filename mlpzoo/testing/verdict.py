"""What pytest is told of a check."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlpzoo.testing.report import CheckResult


def judge(result: CheckResult, known_failures: Mapping[str, str]) -> None:
    """Pass, skip, fail, or fail as expected.

    Args:
        result: What became of the check.
        known_failures: Check name to the reason why it fails; it is an error if it passes.
    """
    import pytest

    reason = known_failures.get(result.name, "")
    if result.status == "skipped":
        pytest.skip(result.message)
    if result.status == "failed":
        if reason:
            pytest.xfail(f"{reason}: {result.message}")
        pytest.fail(f"broken: {result.promise}\n{result.message}", pytrace=False)
    if reason:
        pytest.fail(f"'{result.name}' is kept now: remove it from known_failures", pytrace=False)
