"""The checked calculator: never stale, never silent about a bad number, and it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    all_changes,
)
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.io import Trajectory
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from mlpzoo.calculator import ZooCalculator, build, card_of
from mlpzoo.errors import BadNumberError, CalculationError, UnsupportedElementError
from mlpzoo.models import ModelCard, ModelSpec

CARD = ModelCard(
    name="toy/toy", family="toy", elements=("Cu", "Al", "Ni"), properties=("energy", "forces", "stress")
)


def numbers_of(atoms: Atoms) -> dict[str, Any]:
    """Results that depend on all of the structure: no two of the tests' structures share any of them."""
    weight = float(atoms.numbers @ np.arange(1, len(atoms) + 1))
    cell = atoms.cell.array
    x = float(
        np.sin(atoms.positions).sum() + 7.0 * np.cos(cell).sum() + 100.0 * (atoms.pbc @ [1, 2, 4]) + weight
    )
    return {
        "energy": x,
        "forces": np.cos(atoms.positions) + x,
        "stress": np.arange(6.0) + x,
    }


class Toy(Calculator):
    """An inner calculator that computes everything, or only what it is asked for.

    Attributes:
        change: Applied to the results of each call.
        asked: What it was called with.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, *, lazy: bool = False, change: Callable[[dict[str, Any]], object] = lambda _: None):
        super().__init__()
        self.lazy = lazy
        self.change = change
        self.asked: list[tuple[list[str], list[str]]] = []

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        self.asked.append((list(properties), list(system_changes)))
        found = numbers_of(atoms)
        self.change(found)
        self.results.update({k: v for k, v in found.items() if not self.lazy or k in properties})


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=3)
    return atoms


def zoo(inner: Calculator | None = None, **card: Any) -> ZooCalculator:
    from dataclasses import replace

    return ZooCalculator(inner or Toy(), replace(CARD, **card))


def check_all(atoms: Atoms) -> None:
    """All three results are those of the structure as it is now."""
    expected = numbers_of(atoms)
    assert atoms.get_potential_energy() == expected["energy"]
    assert np.array_equal(atoms.get_forces(), expected["forces"])
    assert np.array_equal(atoms.get_stress(), expected["stress"])


# -- never stale ---------------------------------------------------------------------------------------


def swap_species(atoms: Atoms) -> None:
    atoms.numbers[[0, 1]] = [13, 28]


def permute_species(atoms: Atoms) -> None:
    atoms.numbers[:] = atoms.numbers[::-1].copy()


CHANGES: dict[str, Callable[[Atoms], object]] = {
    "species at equal count": swap_species,
    "all species": lambda a: a.set_chemical_symbols(["Al"] * len(a)),
    "one coordinate a little": lambda a: a.positions.__setitem__((2, 1), a.positions[2, 1] + 1e-9),
    "positions": lambda a: a.rattle(0.1, seed=5),
    "the cell": lambda a: a.set_cell(a.cell.array * 1.01),
    "the cell with the atoms": lambda a: a.set_cell(a.cell.array * 1.01, scale_atoms=True),
    "one boundary condition": lambda a: a.set_pbc((True, True, False)),
    "an atom less": lambda a: a.pop(),
    "an atom more": lambda a: a.append("Cu"),
    "the order of the atoms": lambda a: a.positions.__setitem__(slice(None), a.positions[::-1].copy()),
}


@pytest.mark.parametrize("lazy", [False, True], ids=["computes all", "computes what is asked"])
@pytest.mark.parametrize("change", CHANGES)
def test_results_are_new_after_a_change_in_place_of(change: str, *, lazy: bool):
    atoms = copper()
    atoms.calc = zoo(Toy(lazy=lazy))
    check_all(atoms)
    CHANGES[change](atoms)
    check_all(atoms)


@pytest.mark.parametrize("lazy", [False, True], ids=["computes all", "computes what is asked"])
@pytest.mark.parametrize("change", CHANGES)
def test_results_are_new_for_another_object_with_a_change_of(change: str, *, lazy: bool):
    calc = zoo(Toy(lazy=lazy))
    first, second = copper(), copper()
    CHANGES[change](second)
    for atoms in (first, second, first):
        atoms.calc = calc
        check_all(atoms)


@pytest.mark.parametrize("first", ["energy", "forces", "stress"])
@pytest.mark.parametrize("second", ["energy", "forces", "stress"])
def test_an_inner_calculator_that_computes_only_what_is_asked_leaves_nothing_behind(first: str, second: str):
    calc = zoo(Toy(lazy=True))
    before, after = copper(), copper()
    after.positions += 0.25
    for name in ("energy", "forces", "stress"):
        calc.get_property(name, before)
    calc.get_property(first, after)
    assert np.array_equal(calc.get_property(second, after), numbers_of(after)[second])


def test_a_change_and_back_again_gives_the_first_numbers():
    atoms = copper()
    atoms.calc = zoo()
    here = atoms.positions.copy()
    energy = atoms.get_potential_energy()
    atoms.positions[0] += 0.1
    assert atoms.get_potential_energy() != energy
    atoms.positions[:] = here
    assert atoms.get_potential_energy() == energy


def test_a_direct_call_of_calculate_forgets_the_results_of_the_last_structure():
    calc = zoo(Toy(lazy=True))
    first, second = copper(), copper()
    second.positions += 0.25
    calc.calculate(first, ["energy", "forces", "stress"])
    calc.calculate(second, ["energy"])
    assert calc.results["energy"] == numbers_of(second)["energy"]
    second.calc = calc
    check_all(second)


def test_results_survive_a_change_of_what_does_not_matter():
    atoms = copper()
    atoms.calc = zoo()
    energy = atoms.get_potential_energy()
    atoms.set_tags(range(len(atoms)))
    atoms.set_constraint(FixAtoms([0]))
    atoms.info["note"] = "x"
    assert atoms.get_potential_energy() == energy
    assert atoms.calc.n_evaluations == 1


def test_a_real_inner_calculator_follows_every_change():
    """EMT sums over its neighbour list in the order in which the list grew: the last bit may differ."""
    atoms = copper()
    atoms.calc = zoo(EMT())
    for change in CHANGES.values():
        change(atoms)
        fresh = atoms.copy()
        fresh.calc = EMT()
        assert atoms.get_potential_energy() == pytest.approx(fresh.get_potential_energy(), abs=1e-11)
        assert np.allclose(atoms.get_forces(), fresh.get_forces(), rtol=0, atol=1e-11)


# -- after an exception --------------------------------------------------------------------------------


class Sudden(Toy):
    """Sets itself up when the species change, as ASE's EMT does, and fails once when told to."""

    fail: type[BaseException] | None = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if self.fail is not None:
            kind, self.fail = self.fail, None
            raise kind("a transient failure")
        super().calculate(atoms, properties, system_changes)
        if "numbers" in system_changes:
            self.species = atoms.numbers.copy()
        self.results["energy"] = float(self.species.sum())


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, KeyboardInterrupt])
def test_a_retry_after_an_exception_tells_the_inner_calculator_what_changed(kind: type[BaseException]):
    inner = Sudden()
    atoms = copper()
    atoms.calc = zoo(inner)
    assert atoms.get_potential_energy() == 4 * 29
    atoms.numbers[:] = 13
    inner.fail = kind
    with pytest.raises(kind):
        atoms.get_potential_energy()
    assert atoms.get_potential_energy() == 4 * 13


@pytest.mark.parametrize("lazy", [False, True])
def test_an_exception_leaves_no_results_of_the_structure_before(*, lazy: bool):
    inner = Toy(lazy=lazy)
    atoms = copper()
    atoms.calc = zoo(inner)
    check_all(atoms)
    before = atoms.copy()
    atoms.positions[0] += 0.3

    def explode(_: object) -> None:
        raise RuntimeError("in the middle")

    inner.change = explode
    for ask in (atoms.get_potential_energy, atoms.get_forces, atoms.get_stress, atoms.get_forces):
        with pytest.raises(RuntimeError, match="in the middle"):
            ask()
    assert atoms.calc.results == {}
    inner.change = lambda _: None
    check_all(atoms)
    before.calc = atoms.calc
    check_all(before)


def test_a_refused_result_is_not_served_at_the_second_try():
    atoms = copper()
    atoms.calc = zoo(Toy(change=lambda r: r.update(energy=np.nan)))
    for _ in range(2):
        with pytest.raises(BadNumberError):
            atoms.get_potential_energy()
        with pytest.raises(BadNumberError):
            atoms.get_forces()


def test_a_bad_number_on_one_structure_does_not_spoil_the_next():
    inner = Toy(change=lambda r: r["forces"].__setitem__((0, 0), np.nan))
    atoms = copper()
    atoms.calc = zoo(inner)
    with pytest.raises(BadNumberError):
        atoms.get_forces()
    inner.change = lambda _: None
    atoms.positions[0] += 0.1
    check_all(atoms)


# -- elements ------------------------------------------------------------------------------------------


def test_an_unknown_element_is_named_before_the_model_runs():
    inner = Toy()
    atoms = copper()
    atoms.symbols[1:3] = ["Si", "O"]
    atoms.calc = zoo(inner)
    with pytest.raises(
        UnsupportedElementError, match=r"toy/toy does not know O, Si; it knows Cu, Al, Ni"
    ) as caught:
        atoms.get_potential_energy()
    assert caught.value.hint
    assert inner.asked == []
    assert atoms.calc.n_evaluations == 0


def test_an_unknown_element_is_refused_each_time_and_known_ones_go_on():
    atoms = copper()
    atoms.calc = zoo()
    for _ in range(2):
        atoms.symbols[0] = "Si"
        for _ in range(2):
            with pytest.raises(UnsupportedElementError):
                atoms.get_forces()
        atoms.symbols[0] = "Cu"
        check_all(atoms)


def test_a_card_without_elements_takes_any():
    atoms = molecule("H2O", vacuum=4.0, pbc=True)
    atoms.calc = zoo(elements=())
    check_all(atoms)


def test_a_structure_without_a_full_cell_has_forces_and_no_stress():
    atoms = molecule("H2O")
    calculator = zoo(elements=())
    atoms.calc = calculator
    inner_calculate = calculator.inner.calculate

    def with_nan_stress(*arguments: Any) -> None:  # what NequIP does for a molecule
        inner_calculate(*arguments)
        calculator.inner.results["stress"] = np.full(6, np.nan)

    calculator.inner.calculate = with_nan_stress
    assert np.isfinite(atoms.get_forces()).all()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


# -- bad numbers and shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["energy", "forces", "stress"])
def test_a_non_finite_result_is_an_error_that_names_it(name: str, bad: float):
    def spoil(results: dict[str, Any]) -> None:
        array = np.array(results[name], dtype=float)
        array.flat[-1] = bad
        results[name] = array

    atoms = copper()
    atoms.calc = zoo(Toy(change=spoil))
    with pytest.raises(BadNumberError, match=f"toy/toy returned a non-finite {name}.* for 4 atoms"):
        atoms.calc.get_property(name, atoms)


def test_a_non_finite_result_is_an_error_even_when_another_was_asked_for():
    atoms = copper()
    atoms.calc = zoo(Toy(change=lambda r: r["forces"].__setitem__((2, 1), np.nan)))
    with pytest.raises(BadNumberError, match="forces on atom 2 "):
        atoms.get_potential_energy()


WRONG = {
    "forces of another structure": ("forces", np.zeros((3, 3))),
    "flat forces": ("forces", np.zeros(12)),
    "transposed forces": ("forces", np.zeros((3, 4))),
    "one force too many": ("forces", np.zeros((5, 3))),
    "a full stress tensor": ("stress", np.zeros((3, 3))),
    "a single stress": ("stress", 0.0),
    "energies per atom": ("energy", np.zeros(4)),
    "forces that are None": ("forces", None),
    "an energy that is None": ("energy", None),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_result_of_the_wrong_shape_is_an_error_that_names_it(case: str):
    name, value = WRONG[case]
    atoms = copper()
    atoms.calc = zoo(Toy(change=lambda r: r.update({name: value})))
    with pytest.raises(CalculationError, match=f"toy/toy returned .* for the {name} of 4 atoms"):
        atoms.calc.get_property(name, atoms)


@pytest.mark.parametrize("name", ["energy", "forces", "stress"])
def test_an_inner_calculator_that_lacks_the_wanted_property_is_an_error(name: str):
    atoms = copper()
    atoms.calc = zoo(Toy(change=lambda r: r.pop(name)))
    with pytest.raises(CalculationError, match=f"nothing for the {name}"):
        atoms.calc.get_property(name, atoms)


def test_a_property_that_was_not_wanted_may_be_missing():
    atoms = copper()
    atoms.calc = zoo(Toy(change=lambda r: r.pop("stress")))
    assert atoms.get_potential_energy() == numbers_of(atoms)["energy"]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_an_energy_as_an_array_of_one_number_becomes_a_float(shape: tuple[int, ...]):
    atoms = copper()
    atoms.calc = zoo(Toy(change=lambda r: r.update(energy=np.full(shape, -1.5))))
    assert type(atoms.get_potential_energy()) is float
    assert atoms.get_potential_energy() == -1.5


def test_single_precision_results_become_double():
    atoms = copper()
    atoms.calc = zoo(
        Toy(change=lambda r: r.update(forces=r["forces"].astype(np.float32), energy=np.float32(0.5)))
    )
    assert atoms.get_forces().dtype == np.float64
    assert type(atoms.get_potential_energy()) is float


# -- properties ----------------------------------------------------------------------------------------


def test_an_undeclared_property_does_not_exist():
    atoms = copper()
    atoms.calc = zoo(properties=("energy", "forces"))
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()
    assert atoms.calc.n_evaluations == 0
    atoms.get_forces()
    assert "stress" not in atoms.calc.results


@pytest.mark.parametrize(
    "ask", ["get_dipole_moment", "get_magnetic_moments", "get_stresses", "get_potential_energies"]
)
def test_other_properties_do_not_exist(ask: str):
    atoms = copper()
    atoms.calc = zoo()
    with pytest.raises(PropertyNotImplementedError):
        getattr(atoms, ask)()


def test_what_the_inner_calculator_gives_beyond_the_card_is_not_passed_on():
    atoms = copper()
    atoms.calc = zoo(
        Toy(change=lambda r: r.update(dipole=np.ones(3), energies=np.ones(4))), properties=("energy",)
    )
    atoms.get_potential_energy()
    assert set(atoms.calc.results) == {"energy", "free_energy"}
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_forces()


def test_the_free_energy_is_the_energy():
    atoms = copper()
    atoms.calc = zoo(Toy(lazy=True))
    free = atoms.get_potential_energy(force_consistent=True)
    assert free == atoms.get_potential_energy() == numbers_of(atoms)["energy"]
    assert atoms.calc.n_evaluations == 1
    assert atoms.calc.inner.asked[0][0] == ["energy"]


def test_a_model_without_energy_has_no_free_energy():
    assert zoo(properties=("forces",)).implemented_properties == ["forces"]


def test_two_calculators_do_not_share_their_properties():
    less, more = zoo(properties=("energy",)), zoo()
    assert "forces" not in less.implemented_properties
    assert "forces" in more.implemented_properties


def test_the_name_is_the_models():
    assert zoo().name == "toy/toy"


# -- counting ------------------------------------------------------------------------------------------


def test_energy_forces_and_stress_of_one_structure_are_one_evaluation():
    atoms = copper()
    atoms.calc = zoo()
    for _ in range(2):
        atoms.get_potential_energy()
        atoms.get_forces()
        atoms.get_stress()
        atoms.get_potential_energy(force_consistent=True)
    assert atoms.calc.n_evaluations == 1 == len(atoms.calc.inner.asked)


def test_several_properties_asked_for_at_once_are_one_evaluation():
    calc = zoo(Toy(lazy=True))
    calc.calculate(copper(), ["energy", "forces", "stress"])
    assert calc.n_evaluations == 1 == len(calc.inner.asked)


def test_each_new_structure_is_one_evaluation():
    atoms = copper()
    atoms.calc = zoo()
    for step in range(5):
        atoms.positions[0, 0] += 0.01
        atoms.get_forces()
        atoms.get_potential_energy()
        assert atoms.calc.n_evaluations == step + 1 == len(atoms.calc.inner.asked)


def test_every_call_of_an_inner_calculator_that_computes_what_is_asked_counts():
    atoms = copper()
    atoms.calc = zoo(Toy(lazy=True))
    atoms.get_potential_energy()
    atoms.get_forces()
    atoms.get_forces()
    assert atoms.calc.n_evaluations == 2 == len(atoms.calc.inner.asked)


def test_a_copy_of_the_atoms_is_not_a_new_structure():
    atoms = copper()
    calc = atoms.calc = zoo()
    atoms.get_forces()
    again = atoms.copy()
    again.calc = calc
    again.get_forces()
    assert calc.n_evaluations == 1


def test_reset_forgets_the_results():
    atoms = copper()
    atoms.calc = zoo()
    atoms.get_forces()
    atoms.calc.reset()
    assert atoms.calc.results == {}
    check_all(atoms)
    assert atoms.calc.n_evaluations == 2


# -- what is handed in and out belongs to the caller ---------------------------------------------------


class Vandal(Toy):
    """Alters the atoms that it is given, and the arrays of its earlier results."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        for array in self.results.values():
            if isinstance(array, np.ndarray):
                array[:] = -1e9
        super().calculate(atoms, properties, system_changes)
        self.buffer = self.results["forces"]
        atoms.positions += 5.0
        atoms.numbers[:] = 1
        atoms.wrap()
        atoms.info["seen"] = True


def test_the_atoms_are_not_touched():
    atoms = copper()
    atoms.info["mine"] = [1, 2]
    before = atoms.copy()
    atoms.calc = zoo(Vandal())
    check_all(atoms)
    assert atoms == before
    assert atoms.info == {"mine": [1, 2]}
    check_all(atoms)
    assert atoms.calc.n_evaluations == 1


def test_an_inner_calculator_that_reuses_its_arrays_cannot_alter_results_given_before():
    inner = Vandal()
    atoms = copper()
    atoms.calc = zoo(inner)
    forces = atoms.get_forces()
    kept = forces.copy()
    inner.buffer[:] = 17.0
    assert np.array_equal(atoms.get_forces(), kept)
    atoms.positions[0] += 0.1
    atoms.get_forces()
    assert np.array_equal(forces, kept)


@pytest.mark.parametrize("name", ["forces", "stress"])
def test_altering_returned_arrays_does_not_poison_the_cache(name: str):
    atoms = copper()
    calc = atoms.calc = zoo()
    calc.get_property(name, atoms)[:] = 1e9
    assert np.array_equal(calc.get_property(name, atoms), numbers_of(atoms)[name])
    assert calc.n_evaluations == 1


def test_constraints_act_on_a_copy_of_the_forces():
    atoms = copper()
    atoms.set_constraint(FixAtoms([0]))
    atoms.calc = zoo()
    assert not atoms.get_forces()[0].any()
    assert np.array_equal(atoms.get_forces(apply_constraint=False), numbers_of(atoms)["forces"])


# -- used by ASE ---------------------------------------------------------------------------------------


def test_a_relaxation_goes_the_same_way_as_with_the_inner_calculator():
    ends = []
    for calc in (EMT(), zoo(EMT())):
        atoms = copper()
        atoms.calc = calc
        with BFGS(atoms, logfile=None) as relaxation:
            assert relaxation.run(fmax=0.01, steps=50)
        ends.append(atoms)
    assert np.array_equal(ends[0].positions, ends[1].positions)
    # BFGS asks for the forces of each structure once, and so for one evaluation a structure
    assert ends[1].calc.n_evaluations == relaxation.nsteps + 1


def test_molecular_dynamics_conserves_the_energy():
    """A stale force anywhere in 50 steps would be seen: Verlet at 2 fs holds 1 meV here."""
    atoms = bulk("Cu", cubic=True)
    rng = np.random.default_rng(1)
    atoms.set_momenta(rng.normal(scale=2.0, size=(4, 3)))
    atoms.calc = zoo(EMT())
    start = atoms.get_total_energy()
    VelocityVerlet(atoms, timestep=2.0 * units.fs).run(50)
    assert atoms.get_kinetic_energy() > 0.01
    assert abs(atoms.get_total_energy() - start) < 1e-3
    assert atoms.calc.n_evaluations == 51


def test_a_trajectory_keeps_the_results(tmp_path: Path):
    atoms = copper()
    atoms.calc = zoo()
    atoms.get_forces()
    atoms.get_stress()
    with Trajectory(tmp_path / "a.traj", "w") as out:
        out.write(atoms)
    with Trajectory(tmp_path / "a.traj") as found:
        again = found[0]
    assert again.get_potential_energy() == numbers_of(atoms)["energy"]
    assert np.array_equal(again.get_forces(), numbers_of(atoms)["forces"])


def test_a_trajectory_holds_no_results_of_another_structure(tmp_path: Path):
    atoms = copper()
    atoms.calc = zoo()
    atoms.get_forces()
    atoms.positions[0] += 0.1
    with Trajectory(tmp_path / "a.traj", "w") as out:
        out.write(atoms)
    with Trajectory(tmp_path / "a.traj") as found:
        again = found[0]
    assert np.array_equal(again.positions, atoms.positions)
    assert again.calc is None or again.calc.results == {}


# -- cards of calculators ------------------------------------------------------------------------------


class Plain:
    """A backend as a plugin would write it."""

    family = "plain"
    requires = ()
    lock_file = None

    def cards(self):
        return [CARD]

    def calculator(self, spec):
        return Toy()


class Describing(Plain):
    """A backend that can read elements from the user's own weights."""

    def describe(self, spec):
        return ModelCard(name=spec.name, family="plain", elements=("Al",), properties=("energy", "forces"))


def test_a_named_model_is_checked_against_its_card():
    calc = build(Describing(), ModelSpec(name="toy/toy", card=CARD))
    assert calc.card is CARD


def test_the_users_own_weights_are_described_by_the_backend():
    calc = build(Describing(), ModelSpec(name="plain:/w", path="/w"))
    assert calc.card.name == "plain:/w"
    assert calc.implemented_properties == ["energy", "forces", "free_energy"]
    with pytest.raises(UnsupportedElementError, match="Cu"):
        calc.get_property("energy", copper())


def test_the_users_own_weights_without_a_description_know_any_element():
    card = card_of(Plain(), ModelSpec(name="plain:/w", path="/w"), Toy())
    assert card.elements == ()
    assert card.properties == ("energy", "forces", "stress")
    assert card.family == "plain"
