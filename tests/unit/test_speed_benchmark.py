"""The benchmark ``speed``: what is timed, on which structures, and how it is told."""

from __future__ import annotations

import time

import pytest
from ase.calculators.calculator import Calculator, all_changes

from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import speed
from mlpzoo.data.registry import available

SMOKE = RunSettings(profile="smoke")


class Sleeping(Calculator):
    """Takes a known time for a new structure, the first ones longer; remembers what it saw."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, seconds: float = 0.0, slow_start: float = 0.0) -> None:
        super().__init__()
        self.seconds, self.slow_start = seconds, slow_start
        self.seen: list[bytes] = []
        self.numbers: list[int] = []

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Sleep."""
        super().calculate(atoms, properties, system_changes)
        time.sleep(self.slow_start if len(self.seen) < speed._WARM_UP else self.seconds)
        self.seen.append(atoms.positions.tobytes())
        self.numbers.append(len(atoms))
        self.results = {"energy": 0.0, "forces": 0.0 * atoms.positions}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those of the crystals that come along."""
    return {case.name: case for case in speed.SPEC.cases(list(available()))}


def test_time_of_a_call_is_the_time_it_takes(cases: dict[str, Case]) -> None:
    """A machine may be busy: a sleep is never shorter than asked, but may be longer."""
    outcome = speed.SPEC.run(Sleeping(0.03, slow_start=0.5), cases["cu"], SMOKE, Job())
    values = outcome.values
    assert values.keys() == {quantity.name for quantity in speed.SPEC.quantities}
    assert 29.0 < values["call_ms"] < 250.0, "the warm-up is not in it"
    low, high = outcome.interval["call_ms"]
    assert low <= values["call_ms"] <= high <= values["slow_call_ms"] * (1 + 1e-9)
    assert values["n_atoms"] == 108
    assert values["atom_us"] == pytest.approx(1e3 * values["call_ms"] / 108)
    assert outcome.interval["atom_us"] == pytest.approx((1e3 * low / 108, 1e3 * high / 108))
    assert values["steps_per_day"] == pytest.approx(86400.0 / (values["call_ms"] / 1e3) / 1e6)


def test_no_structure_comes_twice(cases: dict[str, Case]) -> None:
    calculator = Sleeping()
    outcome = speed.SPEC.run(calculator, cases["si"], RunSettings(profile="standard"), Job())
    assert outcome.values["n_calls"] == 40
    assert len(calculator.seen) == len(set(calculator.seen)) == 43, "energy and forces are one evaluation"
    assert set(calculator.numbers) == {64}
    again, other = Sleeping(), Sleeping()
    speed.SPEC.run(again, cases["si"], RunSettings(profile="smoke"), Job())
    speed.SPEC.run(other, cases["si"], RunSettings(profile="smoke", seed=1), Job())
    assert again.seen == calculator.seen[: len(again.seen)], "the same for every model"
    assert not set(other.seen) & set(again.seen)


def test_machine_and_threads_are_told(cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    message = speed.SPEC.run(Sleeping(), cases["cu"], SMOKE, Job()).message
    assert message.startswith("3 threads on ")
    assert message.endswith("; the interval holds half of the calls")


def test_progress_counts_all_calls(cases: dict[str, Case]) -> None:
    told: list[tuple[int, int, str]] = []
    speed.SPEC.run(Sleeping(), cases["al"], SMOKE, Job(progress=lambda *step: told.append(step)))
    assert told == [(done, 8, "force calls") for done in range(8)]
