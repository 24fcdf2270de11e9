"""Models with random weights: made by a backend for the kit, gone afterwards, their numbers never looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
import zoo_harness as harness
from zoo_trainable import PairsBackend

from mlpzoo import conformance
from mlpzoo.backends.lj import LennardJonesBackend
from mlpzoo.errors import ModelError, UsageError
from mlpzoo.testing import check_model, random_subject, run_checks

pytest_plugins = ["pytester"]

NUMBERS = ("golden", "lattice-constant", "bulk-modulus")


def test_promises_are_tested_but_those_about_numbers_and_the_files_are_gone() -> None:
    with random_subject(PairsBackend(), "gaussian") as subject:
        path = Path(subject.spec.path or "")
        assert path.is_file()
        assert subject.card.elements == ("Cu",)
        names = ("card", "forces", "stress", "rotation", "unknown-element", *NUMBERS)
        found = {r.name: (r.status, r.message) for r in run_checks(subject, names)}
    assert not path.parent.exists()
    for name, (status, message) in found.items():
        assert status == ("skipped" if name in NUMBERS else "passed"), f"{name}: {message}"
    assert all("random" in found[name][1] for name in NUMBERS)


def test_a_broken_promise_is_found_in_a_worker_too(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = harness.registry_of("zoo_trainable")
    names = ("forces", "float32", "golden")
    found = conformance.check_model("pairs", names, random="gaussian", registry=registry)
    # its pairs are float64 whatever is asked for, and no card says so
    assert [r.status for r in found] == ["passed", "failed", "skipped"]
    monkeypatch.setattr("mlpzoo.registry.default_registry", lambda: registry)
    here = check_model("pairs", names, random="gaussian")
    assert [(r.name, r.status) for r in here] == [(r.name, r.status) for r in found]


def test_a_kind_that_is_not_made_is_named_with_those_that_are() -> None:
    registry = harness.registry_of("zoo_trainable")
    with pytest.raises(UsageError, match="makes no random model 'lorentzian'") as caught:
        conformance.check_model("pairs", random="lorentzian", registry=registry)
    assert "gaussian, forgotten" in caught.value.hint


def test_a_family_that_makes_none_says_so_before_anything_is_started() -> None:
    with pytest.raises(UsageError, match="family 'lj' makes no random models") as caught:
        conformance.check_model("lj", random="gaussian", registry=harness.registry_of())
    assert caught.value.hint == "mlpzoo check lj"
    with (
        pytest.raises(UsageError, match="makes no random models"),
        random_subject(LennardJonesBackend(), "x"),
    ):
        pass


def test_a_backend_that_wrote_nothing_is_at_fault() -> None:
    with (
        pytest.raises(ModelError, match=r"made no .*forgotten"),
        random_subject(PairsBackend(), "forgotten"),
    ):
        pass


def test_a_class_of_promises_takes_a_kind(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import zoo_harness as harness
        from mlpzoo.testing import BackendConformance

        class TestPairs(BackendConformance):
            model = "pairs"
            random = "gaussian"
            promises = ("forces", "golden")

            def run_check(self, name, known=harness.registry_of("zoo_trainable")):
                from unittest.mock import patch
                with patch("mlpzoo.registry.default_registry", return_value=known):
                    return super().run_check(name)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, skipped=1)
