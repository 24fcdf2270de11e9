"""The pytest class that plugin authors write three lines with."""

from __future__ import annotations

import pytest

from mlpzoo.testing import CHECKS, check_model

pytest_plugins = ["pytester"]

PLUGIN_TEST = """
from mlpzoo.testing import BackendConformance, CHECKS, CheckResult


class TestFake(BackendConformance):
    model = "fake/model"
    known_failures = {"slab": "no partial periodicity", "rotation": "fixed in 2.0"}

    def run_check(self, name):
        failing = {"forces", "slab"}
        status = "failed" if name in failing else "skipped" if name == "golden" else "passed"
        return CheckResult(name=name, promise="holds", status=status, message="off by 3 eV/A")
"""


def test_each_promise_is_a_test_with_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLUGIN_TEST)
    result = pytester.runpytest_inprocess("-ra", "-p", "no:cacheprovider")
    # 'forces' is broken; 'rotation' is listed as broken and is not
    result.assert_outcomes(failed=2, skipped=1, xfailed=1, passed=len(CHECKS) - 4 + 1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *test_promise?forces?*",
            "broken: holds",
            "off by 3 eV/A",
            "*'rotation' is kept now: remove it from known_failures",
            "SKIPPED*off by 3 eV/A",
            "XFAIL*no partial periodicity: off by 3 eV/A",
        ]
    )


def test_a_leftover_known_failure_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLUGIN_TEST.replace("'slab': ", "'slap': ").replace('"slab": ', '"slap": '))
    result = pytester.runpytest_inprocess("-k", "known_failures", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, deselected=len(CHECKS))


def test_check_model_takes_names_and_returns_their_results() -> None:
    results = check_model("tersoff/si", ["card", "one-atom"])
    assert [(r.name, r.status, r.message) for r in results] == [
        ("card", "passed", ""),
        ("one-atom", "passed", ""),
    ]
    assert all(r.seconds >= 0 for r in results)


def test_a_suite_can_be_held_to_some_promises(pytester: pytest.Pytester) -> None:
    some = PLUGIN_TEST.replace("    known_failures", '    promises = ("forces", "card")\n    known_failures')
    pytester.makepyfile(some)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=2)
    pytester.makepyfile(some.replace('"card")', '"crad")'))
    result = pytester.runpytest_inprocess("-k", "known_failures", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, deselected=2)
