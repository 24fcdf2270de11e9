"""Several structures in one call: the same numbers and the same checks as one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError

from mlpzoo.backends.emt_calculator import EmtCalculator
from mlpzoo.calculator import MAX_ATOMS_AT_ONCE, ZooCalculator
from mlpzoo.errors import BadNumberError, CalculationError, UnsupportedElementError
from mlpzoo.models import ModelCard
from mlpzoo.physics.evaluate import Evaluated, ManyAtOnce, evaluate_many

CARD = ModelCard(
    name="emt/many", family="emt", elements=("Cu", "Al", "H", "O"), properties=("energy", "forces", "stress")
)


class Batching(EmtCalculator):
    """EMT that takes several structures at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def evaluate_many(self, frames: list[Atoms]) -> list[Evaluated]:
        self.batches.append(len(frames))
        return evaluate_many(EmtCalculator(), frames)


@pytest.fixture
def frames() -> list[Atoms]:
    """Structures that differ in everything."""
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.05, seed=1)
    alloy = bulk("Al", cubic=True).repeat((2, 1, 1))
    alloy.numbers[0] = 29
    alloy.rattle(0.05, seed=2)
    return [crystal, alloy, molecule("H2O"), crystal.copy()]


def batching(**changes: Callable[..., Any]) -> tuple[ZooCalculator, Batching]:
    """A calculator and its inner one, with these methods instead."""
    inner = Batching()
    for name, method in changes.items():
        setattr(inner, name, method)
    return ZooCalculator(inner, CARD), inner


def test_at_once_as_one_after_the_other(frames: list[Atoms]) -> None:
    before = [atoms.copy() for atoms in frames]
    calculator, inner = batching()
    at_once = evaluate_many(calculator, frames)
    alone = evaluate_many(ZooCalculator(EmtCalculator(), CARD), frames)
    plain = evaluate_many(EmtCalculator(), frames)
    assert inner.batches == [4]
    for atoms, a, b, c in zip(frames, at_once, alone, plain, strict=True):
        assert a.energy_ev == b.energy_ev == c.energy_ev
        np.testing.assert_array_equal(a.forces_ev_per_ang, b.forces_ev_per_ang)
        np.testing.assert_array_equal(a.forces_ev_per_ang, c.forces_ev_per_ang)
        assert a.forces_ev_per_ang.shape == (len(atoms), 3)
    assert frames == before
    assert calculator.n_evaluations == 4
    assert calculator.calculation_time_s > 0


def test_one_structure_or_none_is_no_batch(frames: list[Atoms]) -> None:
    calculator, inner = batching()
    assert calculator.evaluate_many([]) == []
    assert len(calculator.evaluate_many(frames[:1])) == 1
    assert inner.batches == []
    assert calculator.n_evaluations == 1


def test_batches_are_as_large_as_memory_allows_and_keep_the_order() -> None:
    calculator, inner = batching()
    large = bulk("Cu", cubic=True).repeat((4, 4, 8))  # 512 atoms
    small = [bulk("Cu", a=3.5 + 0.01 * n, cubic=True).repeat(4) for n in range(5)]  # 256 atoms each
    assert len(large) == MAX_ATOMS_AT_ONCE
    found = calculator.evaluate_many([small[0], small[1], small[2], large, small[3], small[4]])
    assert inner.batches == [2, 2]
    single = [EmtCalculator().get_property("energy", atoms) for atoms in (*small[:3], large, *small[3:])]
    assert [one.energy_ev for one in found] == single


def test_what_is_asked_afterwards_is_not_stale(frames: list[Atoms]) -> None:
    calculator, _ = batching()
    first = calculator.get_property("energy", frames[0])
    calculator.evaluate_many(frames)
    assert calculator.get_property("energy", frames[0]) == first
    assert calculator.get_property("energy", frames[1]) != first
    forces = calculator.get_property("forces", frames[1])
    calculator.evaluate_many(frames[1:2])[0].forces_ev_per_ang[:] = 0.0
    np.testing.assert_array_equal(calculator.get_property("forces", frames[1]), forces)


def test_a_result_too_few_is_an_error(frames: list[Atoms]) -> None:
    calculator, _ = batching(evaluate_many=lambda given: evaluate_many(EmtCalculator(), given)[:-1])
    with pytest.raises(CalculationError, match="3 results for 4 structures"):
        calculator.evaluate_many(frames)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy_ev": float("nan")}, "non-finite energy for 4 atoms"),
        ({"forces_ev_per_ang": np.full((4, 3), np.inf)}, "non-finite forces on atom 0 for 4 atoms"),
    ],
)
def test_numbers_that_are_not_finite_are_an_error(
    frames: list[Atoms], changes: dict[str, Any], message: str
) -> None:
    def bad(given: list[Atoms]) -> list[Evaluated]:
        found = evaluate_many(EmtCalculator(), given)
        return [*found[:-1], replace(found[-1], **changes)]

    calculator, _ = batching(evaluate_many=bad)
    with pytest.raises(BadNumberError, match=message):
        calculator.evaluate_many(frames)


def test_forces_of_another_shape_are_an_error(frames: list[Atoms]) -> None:
    def bad(given: list[Atoms]) -> list[Evaluated]:
        found = evaluate_many(EmtCalculator(), given)
        return [replace(one, forces_ev_per_ang=one.forces_ev_per_ang[:1]) for one in found]

    calculator, _ = batching(evaluate_many=bad)
    with pytest.raises(CalculationError, match="shape"):
        calculator.evaluate_many(frames)


def test_an_unknown_species_stops_before_anything_is_computed(frames: list[Atoms]) -> None:
    calculator, inner = batching()
    with pytest.raises(UnsupportedElementError, match="Si"):
        calculator.evaluate_many([*frames, bulk("Si")])
    assert inner.batches == []
    assert calculator.n_evaluations == 0


def test_a_model_without_forces_says_so(frames: list[Atoms]) -> None:
    calculator = ZooCalculator(Batching(), replace(CARD, properties=("energy",)))
    with pytest.raises(PropertyNotImplementedError, match="emt/many: forces"):
        calculator.evaluate_many(frames)


def test_only_calculators_with_the_method_take_several() -> None:
    assert isinstance(Batching(), ManyAtOnce)
    assert not isinstance(EmtCalculator(), ManyAtOnce)
