"""The kit finds what it must: each promise has a planted bug, and a correct calculator has none."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from planted_bugs import BUGS, EVERYTHING, Bug
from toy_potential import CARD, Toy, ToyBackend

from mlpzoo.errors import DataError, UsageError
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.testing import CHECKS, Subject, check_model, run_checks, write_golden
from mlpzoo.testing.golden import read_golden
from mlpzoo.testing.tolerances import DERIVATIVE


def subject_of(
    make: type[Toy] = Toy, card: ModelCard = CARD, backend: type[ToyBackend] = ToyBackend, **more: object
) -> Subject:
    return Subject(backend=backend(make, card), spec=ModelSpec(name=card.name, card=card), **more)


def outcome(subject: Subject, *names: str) -> dict[str, tuple[str, str]]:
    return {r.name: (r.status, r.message) for r in run_checks(subject, names)}


def broken(subject: Subject) -> set[str]:
    return {name for name, (status, _) in outcome(subject).items() if status == "failed"}


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The few functions of torch that the kit looks at."""
    fake = ModuleType("torch")
    fake.float32, fake.float64, fake.default = "float32", "float64", "float32"
    fake.set_default_dtype = lambda dtype: setattr(fake, "default", dtype)
    fake.get_default_dtype = lambda: fake.default
    fake.is_grad_enabled = lambda: True
    fake.get_rng_state = lambda: np.zeros(3)
    fake.set_rng_state = fake.manual_seed = lambda _: None
    fake.get_num_threads = lambda: 1
    monkeypatch.setitem(sys.modules, "torch", fake)
    return fake


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch):
    """Keeps what planted bugs do to the process inside of one test."""
    monkeypatch.setenv("MLPZOO_PLANTED_BUG", "")
    monkeypatch.delenv("MLPZOO_PLANTED_BUG")
    with warnings.catch_warnings(), np.errstate():
        yield


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
@pytest.mark.usefixtures("torch", "process")
def test_planted_bug_breaks_its_promise_and_no_other(bug: Bug, tmp_path) -> None:
    golden = write_golden(subject_of(), tmp_path / "golden.json") if "golden" in bug.fails else None
    card = replace(CARD, **bug.card)
    found = broken(subject_of(bug.make, card, bug.backend, golden=golden))
    if bug.fails == EVERYTHING:
        assert found == {check.name for check in CHECKS}
    elif bug.exactly:
        assert found == set(bug.fails)
    else:
        assert found >= set(bug.fails)


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_every_promise_has_a_bug_that_breaks_it_alone(check: str) -> None:
    assert [bug.name for bug in BUGS if bug.fails == (check,) and bug.exactly]


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_correct_calculator_keeps_every_promise(dtype: str, tmp_path) -> None:
    golden = write_golden(subject_of(), tmp_path / "golden.json")
    subject = subject_of(golden=golden).with_dtype(dtype)
    results = outcome(subject)
    assert not {n: r for n, r in results.items() if r[0] == "failed"}
    skipped = {name for name, (status, _) in results.items() if status == "skipped"}
    assert skipped == (set() if dtype == "float64" else {"float64", "float32"})


class Rippled(Toy):
    """An energy with waves of 0.025 Å: correct, and sharper than the kit's first step."""

    def pair(self, vectors, first, second):
        energies, gradients = super().pair(vectors, first, second)
        distances = np.linalg.norm(vectors, axis=1)
        slope = 250.0 * 1e-4 * np.cos(250.0 * distances)
        return energies + 1e-4 * np.sin(250.0 * distances), gradients + (slope / distances)[:, None] * vectors


def test_a_sharp_energy_is_not_a_wrong_force(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {status for status, _ in outcome(subject_of(Rippled), "forces", "stress").values()} == {"passed"}
    monkeypatch.setitem(DERIVATIVE, "float64", replace(DERIVATIVE["float64"], finer=1))
    assert outcome(subject_of(Rippled), "forces")["forces"][0] == "failed"


def test_names_are_unique_and_promises_are_sentences() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert all(check.promise and not check.promise.endswith(".") for check in CHECKS)


def test_undeclared_properties_are_skipped_with_the_reason() -> None:
    card = replace(CARD, properties=("energy",))
    results = outcome(subject_of(card=card))
    assert results["forces"] == ("skipped", "the card does not declare forces")
    assert results["stress"] == ("skipped", "the card does not declare stress")
    assert results["rotation"] == ("passed", "")
    assert not [name for name, (status, _) in results.items() if status == "failed"]


def test_forces_that_are_no_gradient_are_skipped_if_the_card_says_so() -> None:
    card = replace(CARD, conservative=False)
    status, message = outcome(subject_of(card=card), "forces")["forces"]
    assert status == "skipped"
    assert "gradient" in message


def test_an_unknown_check_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="choose of card, properties"):
        run_checks(subject_of(), ["forcs"])


def test_a_selection_runs_in_the_order_asked_for() -> None:
    assert list(outcome(subject_of(), "wrapping", "card")) == ["wrapping", "card"]


def test_the_reason_says_how_much_where_and_what_is_allowed() -> None:
    bug = next(bug for bug in BUGS if bug.name == "ForcesOnePercentOff")
    _, message = outcome(subject_of(bug.make), "forces")["forces"]
    assert "on atom" in message
    assert "eV/Å" in message
    assert "allowed" in message


def test_golden_numbers_survive_the_file(tmp_path) -> None:
    subject = subject_of()
    path = write_golden(subject, tmp_path / "new" / "golden.json")
    for _, atoms, expected in read_golden(path):
        found = subject.evaluate(atoms)
        assert found.energy == expected.energy
        assert np.array_equal(found.forces, expected.forces)


@pytest.mark.parametrize("text", ["", "{}", '{"schema":"x","model":"","dtype":"","structures":{}}'])
def test_a_file_without_golden_numbers_is_a_failure_with_a_way_out(text: str, tmp_path) -> None:
    path = tmp_path / "golden.json"
    path.write_text(text)
    with pytest.raises(DataError, match="write_golden"):
        list(read_golden(path))
    assert outcome(subject_of(golden=path), "golden")["golden"][0] == "failed"


def test_backend_that_cannot_be_trained_is_not_asked_to() -> None:
    results = {r.name: (r.status, r.message) for r in check_model("emt", ["trains", "training-seed", "card"])}
    reason = "the backend does not define 'presets' and 'train'"
    assert results["trains"] == results["training-seed"] == ("skipped", reason)
    assert results["card"] == ("passed", "")
