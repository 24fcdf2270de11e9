"""The benchmarks ``vacancy-migration`` and ``interstitial-migration``: cases, columns, remarks, failures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mlpzoo
from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import interstitial_migration, migration, vacancy_migration
from mlpzoo.data.registry import available
from mlpzoo.errors import CalculationError
from mlpzoo.physics import neb as neb_module
from mlpzoo.physics import neb_band as band_module
from mlpzoo.physics import relax as relax_module
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.eos import equation_of_state
from mlpzoo.physics.hops import vacancy_hops
from mlpzoo.physics.neb import Path as Band
from mlpzoo.physics.neb import find_path
from mlpzoo.physics.relax import Relaxed, relax

SMOKE = RunSettings(profile="smoke")
SPECS = (vacancy_migration.SPEC, interstitial_migration.SPEC)
NAMES = {quantity.name for quantity in migration.QUANTITIES}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those of the crystals that come along."""
    return {case.name: case for spec in SPECS for case in spec.cases(list(available()))}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of 32 sites."""
    for module in (vacancy_migration, interstitial_migration):
        monkeypatch.setattr(module, "supercell_repeat", lambda *_: 2)


def ended(energy_ev: float = 0.0) -> Relaxed:
    """An end of a path."""
    atoms = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6).supercell(1)
    return Relaxed(
        atoms=atoms, energy_ev=energy_ev, start_energy_ev=energy_ev, fmax_ev_per_ang=0.01, n_steps=3
    )


def band(energies: list[float], **by_start: float | str) -> Band:
    """A path of the atoms of `ended` along x."""
    atoms = ended().atoms
    steps = np.linspace(0.0, 2.0, len(energies))
    positions = np.repeat(atoms.positions[None], len(steps), axis=0)
    positions[:, 0, 0] += steps
    return Band(
        positions_ang=positions,
        energies_ev=np.array(energies),
        fmax_ev_per_ang=0.02,
        n_iterations=17,
        start="straight",
        by_start_ev=by_start,
    )


def test_one_case_a_crystal(cases: dict[str, Case]) -> None:
    expected = {
        f"{system}-{defect}" for system in ("si", "cu", "al", "ni") for defect in ("vacancy", "interstitial")
    }
    assert expected <= cases.keys()
    assert cases["cu-vacancy"].system == "cu"


# -- what a path becomes -----------------------------------------------------------------------------


def test_values_are_those_of_the_path() -> None:
    path = band([0.0, 0.4, 0.9, 0.3, 0.002], straight=0.9, bowed=0.902)
    outcome = migration.outcome(path, ended(0.0), ended(0.002), [])
    assert outcome.values == pytest.approx(
        {
            "migration_barrier": 0.9,
            "reverse_barrier": 0.898,
            "endpoint_difference": 2.0,
            "max_force": 0.02,
            "path_length": 2.0,
            "n_iterations": 17,
            "n_images": 5,
            "n_atoms": 4,
        }
    )
    assert outcome.values.keys() == NAMES
    assert outcome.message == ""
    assert outcome.arrays["coordinate_ang"] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    assert outcome.arrays["cell_ang"] == pytest.approx(np.eye(3) * 3.6)


def test_what_makes_a_barrier_uncertain_is_told() -> None:
    path = band([0.0, 0.1, 0.9, 0.3, -0.3], straight=0.9, bowed="the path did not converge")
    outcome = migration.outcome(path, ended(0.0), ended(-0.3), ["between some interstitials"])
    assert outcome.message.split("; ") == [
        "between some interstitials",
        (
            "the ends are equivalent by symmetry but differ by -300.0 meV: "
            "one of them relaxed into another structure"
        ),
        "from the bowed start the path did not converge",
    ]
    path = band([0.0, 0.4, -0.05, 0.3, 0.0], straight=0.4, bowed=0.65)
    assert path.intermediate_minimum_ev == pytest.approx(-0.05)
    assert migration.outcome(path, ended(), ended(), []).message.split("; ") == [
        "the path leads through a minimum 50 meV below its ends",
        "from the bowed start the barrier is 0.650 eV",
    ]
    path = band([0.0, 0.4, 0.1, 0.3, -0.002], straight=0.4)
    assert migration.outcome(path, ended(), ended(-0.002), []).message == (
        "the path leads through a minimum 0.102 eV above its ends"
    )
    shallow = band([0.0, 0.004, -0.0005, 0.4, 0.0], straight=0.4)
    assert migration.outcome(shallow, ended(), ended(), []).message == ""


def test_larger_profiles_are_finer() -> None:
    settings = [migration.neb_settings(profile, 3) for profile in ("smoke", "standard", "paper")]
    assert [s.n_images for s in settings] == [5, 7, 9]
    assert [s.fmax_ev_per_ang for s in settings] == [0.025, 0.01, 0.005]
    assert {s.seed for s in settings} == {3}


def test_figure_starts_at_zero() -> None:
    rows = {
        name: migration.outcome(band([e, e + 1.0, e]), ended(), ended(), []).arrays
        for name, e in (("first", -100.0), ("second", 3.0))
    }
    [axes] = migration.draw(rows, {}, "cu-vacancy").axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert lines["first"] == pytest.approx([0.0, 1.0, 0.0])
    assert lines["second"] == pytest.approx([0.0, 1.0, 0.0])


# -- EMT ---------------------------------------------------------------------------------------------


def test_vacancy_hops_at_the_lattice_constant_of_the_model(cases: dict[str, Case]) -> None:
    calculator = mlpzoo.load("emt/emt")
    outcome = vacancy_migration.SPEC.run(calculator, cases["cu-vacancy"], SMOKE, Job())
    assert outcome.values.keys() == NAMES
    assert outcome.values["n_atoms"] == 107
    assert outcome.values["endpoint_difference"] == pytest.approx(0.0, abs=0.5)
    assert outcome.values["migration_barrier"] == pytest.approx(outcome.values["reverse_barrier"], abs=1e-3)
    assert outcome.message == ""

    crystal = Crystal.from_params(cases["cu-vacancy"].params)
    a = equation_of_state(crystal, mlpzoo.load("emt/emt")).lattice_constant_ang
    assert abs(a - crystal.lattice_constant_ang) > 0.01, "not that of the case"
    assert outcome.arrays["cell_ang"] == pytest.approx(np.eye(3) * 3 * a)
    hop = vacancy_hops(crystal.with_lattice_constant(a), 3, neighbour=5)["ideal"]
    initial, final = (
        relax(atoms, mlpzoo.load("emt/emt"), fmax_ev_per_ang=0.01) for atoms in (hop.initial, hop.final)
    )
    path = find_path(initial, final, mlpzoo.load("emt/emt"), migration.neb_settings("smoke", 5))
    assert outcome.values["migration_barrier"] == pytest.approx(path.barrier_ev, abs=2e-3), (
        "another neighbour"
    )


@pytest.mark.usefixtures("small")
def test_end_that_is_not_relaxed_is_flagged(cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(atoms, calculator, **_: object) -> Relaxed:
        energy = float(calculator.get_property("energy", atoms))
        return Relaxed(atoms=atoms, energy_ev=energy, start_energy_ev=energy, fmax_ev_per_ang=0.0, n_steps=0)

    monkeypatch.setattr(relax_module, "relax", lazy)  # the benchmark's own; that of the formation is bound
    outcome = vacancy_migration.SPEC.run(mlpzoo.load("emt/emt"), cases["cu-vacancy"], SMOKE, Job())
    difference = outcome.values["endpoint_difference"]
    assert difference > migration.UNEQUAL_MEV
    assert f"differ by {difference:.1f} meV: one of them relaxed into another structure" in outcome.message


@pytest.mark.usefixtures("small")
def test_path_that_does_not_converge_fails_the_task(
    cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = neb_module.NebSettings(n_images=5, max_iterations=2)
    monkeypatch.setattr(migration, "neb_settings", lambda *_: hurried)
    with pytest.raises(CalculationError, match="no path converged"):
        vacancy_migration.SPEC.run(mlpzoo.load("emt/emt"), cases["cu-vacancy"], SMOKE, Job())


@pytest.mark.usefixtures("small")
def test_started_again_it_relaxes_nothing_again(
    cases: dict[str, Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third, volumes = (mlpzoo.load("emt/emt") for _ in range(4))
    with monkeypatch.context() as patch:
        patch.setattr(band_module, "evaluate_many", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            vacancy_migration.SPEC.run(first, cases["al-vacancy"], SMOKE, Job(directory=tmp_path))
    again = vacancy_migration.SPEC.run(second, cases["al-vacancy"], SMOKE, Job(directory=tmp_path))
    fresh = vacancy_migration.SPEC.run(third, cases["al-vacancy"], SMOKE, Job())
    assert again.values == pytest.approx(fresh.values, abs=1e-9)
    saved = third.n_evaluations - second.n_evaluations
    equation_of_state(Crystal.from_params(cases["al-vacancy"].params), volumes)
    assert saved == first.n_evaluations - volumes.n_evaluations - 1, "all but these and the perfect supercell"
    assert saved > 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_dumbbell_of_copper_turns_on_its_way(cases: dict[str, Case]) -> None:
    outcome = interstitial_migration.SPEC.run(mlpzoo.load("emt/emt"), cases["cu-interstitial"], SMOKE, Job())
    assert outcome.values.keys() == NAMES
    assert outcome.values["n_atoms"] == 109
    assert outcome.message.split("; ")[0] == "between ⟨100⟩ dumbbell interstitials"
    assert outcome.values["migration_barrier"] == pytest.approx(outcome.values["reverse_barrier"], abs=5e-3)
    assert 0.0 < outcome.values["migration_barrier"] < 0.5
