"""The pytest class that authors of benchmarks write three lines with."""

from __future__ import annotations

import pytest

from mlpzoo.testing import BENCHMARK_CHECKS

pytest_plugins = ["pytester"]

AUTHORS_TEST = """
import zoo_harness
from mlpzoo.testing import BenchmarkConformance, BenchmarkSubject


class TestEinstein(BenchmarkConformance):
    benchmark = "einstein"
    systems = ("ag",)
    known_failures = {KNOWN}

    @classmethod
    def subject(cls):
        registry = zoo_harness.registry_of("zoo_einstein", "planted_benchmarks")
        return BenchmarkSubject(registry=registry, name=cls.benchmark, systems=cls.systems)
"""


def test_each_promise_is_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(AUTHORS_TEST.replace("{KNOWN}", "{}"))
    result = pytester.runpytest_inprocess("-ra", "-p", "no:cacheprovider")
    # no reference rows, no paired comparison, nothing derived
    result.assert_outcomes(passed=len(BENCHMARK_CHECKS) - 3 + 1, skipped=3)
    result.stdout.fnmatch_lines_random(["SKIPPED*no case has such rows"])


def test_broken_promises_are_failures_with_their_reason(pytester: pytest.Pytester) -> None:
    text = AUTHORS_TEST.replace("{KNOWN}", "{'units': 'for now', 'quick': 'fixed', 'quik': 'renamed'}")
    text = text.replace('"einstein"', '"planted-no-unit"').replace('("ag",)', '("cu",)')
    pytester.makepyfile(text)
    result = pytester.runpytest_inprocess("-ra", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=2, xfailed=1, passed=len(BENCHMARK_CHECKS) - 2)
    result.stdout.fnmatch_lines_random(
        [
            "XFAIL*for now: mean_energy has no unit*",
            "*'quick' is kept now: remove it from known_failures",
            "*no such checks: *'quik'*",
        ]
    )


def test_three_lines_are_enough_for_an_installed_benchmark(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "from mlpzoo.testing import BenchmarkConformance\n\n\n"
        "class TestBulk(BenchmarkConformance):\n    benchmark = 'bulk'\n    systems = ('cu',)\n"
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", "declared or references or runs")
    result.assert_outcomes(passed=3, deselected=len(BENCHMARK_CHECKS) - 2)
