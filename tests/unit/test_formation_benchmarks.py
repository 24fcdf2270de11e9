"""The benchmarks ``vacancy-formation`` and ``interstitial-formation``: cases, columns, cells without a number."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mlpzoo
from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import interstitial_formation, vacancy_formation
from mlpzoo.data.registry import available
from mlpzoo.errors import CalculationError
from mlpzoo.physics import defects
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.defect_sites import INTERSTITIALS, interstitial_starts
from mlpzoo.physics.defects import Interstitial, InterstitialFormation
from mlpzoo.physics.eos import equation_of_state
from mlpzoo.physics.relax import Relaxed

SMOKE = RunSettings(profile="smoke")
STANDARD = RunSettings(profile="standard")
SPECS = (vacancy_formation.SPEC, interstitial_formation.SPEC)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those of the crystals that come along."""
    return {case.name: case for spec in SPECS for case in spec.cases(list(available()))}


def interstitial(energy: float, became: str, displaced_to: str = "", displaced_ev: float = 0.0):
    """What became of one configuration."""
    atoms = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6).supercell(2)
    relaxed = Relaxed(atoms=atoms, energy_ev=0.0, start_energy_ev=0.0, fmax_ev_per_ang=0.0, n_steps=0)
    return Interstitial(
        formation_ev=energy,
        became=became,
        relaxed=relaxed,
        displaced_to=displaced_to,
        displaced_ev=displaced_ev or energy,
    )


def test_one_case_a_crystal(cases: dict[str, Case]) -> None:
    expected = {
        f"{system}-{defect}" for system in ("si", "cu", "al", "ni") for defect in ("vacancy", "interstitial")
    }
    assert expected <= cases.keys()


def test_every_configuration_has_a_column() -> None:
    names = {quantity.name for quantity in interstitial_formation.SPEC.quantities}
    assert names == {f"formation_{name}" for name in INTERSTITIALS} | {"formation_lowest", "n_sites"}


def test_vacancy_is_made_at_the_lattice_constant_of_the_model(cases: dict[str, Case]) -> None:
    outcome = vacancy_formation.SPEC.run(mlpzoo.load("emt/emt"), cases["cu-vacancy"], SMOKE, Job())
    crystal = Crystal.from_params(cases["cu-vacancy"].params)
    a = equation_of_state(crystal, mlpzoo.load("emt/emt")).lattice_constant_ang
    assert abs(a - crystal.lattice_constant_ang) > 0.01, "not that of the case"
    found = defects.vacancy_formation(
        crystal.with_lattice_constant(a), mlpzoo.load("emt/emt"), repeat=3, fmax_ev_per_ang=0.05
    )
    assert outcome.values.keys() == {quantity.name for quantity in vacancy_formation.SPEC.quantities}
    assert outcome.values["vacancy_formation"] == pytest.approx(found.relaxed_ev, abs=1e-9)
    assert outcome.values["vacancy_formation_unrelaxed"] == pytest.approx(found.unrelaxed_ev, abs=1e-9)
    assert outcome.values["n_sites"] == 108
    assert outcome.arrays["cell_ang"] == pytest.approx(np.eye(3) * 3 * a)
    assert outcome.arrays["positions_ang"].shape == (107, 3)
    assert 0.005 < outcome.values["largest_displacement"] < 0.05
    assert outcome.message == ""


def test_start_that_did_not_win_is_told(cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.4).supercell(2)
    del atoms[0]
    found = SimpleNamespace(
        n_sites=64,
        unrelaxed_ev=4.1,
        relaxed_ev=3.6,
        start="paired",
        by_start_ev={"ideal": 3.85, "paired": 3.6},
        relaxed=SimpleNamespace(atoms=atoms),
    )
    monkeypatch.setattr(defects, "vacancy_formation", lambda *_, **__: found)
    outcome = vacancy_formation.SPEC.run(mlpzoo.load("tersoff/si"), cases["si-vacancy"], SMOKE, Job())
    assert outcome.message == "the start 'ideal' ends 0.250 eV above 'paired'"


def test_standard_cells_are_large_and_their_saddles_are_named(cases: dict[str, Case]) -> None:
    calculator = mlpzoo.load("emt/emt")
    outcome = interstitial_formation.SPEC.run(calculator, cases["cu-interstitial"], STANDARD, Job())
    assert outcome.values["n_sites"] == 108
    assert outcome.values.keys() == {
        "n_sites",
        "formation_lowest",
        "formation_dumbbell_100",
        "formation_octahedral",
        "formation_tetrahedral",
    }
    assert outcome.values["formation_lowest"] <= outcome.values["formation_dumbbell_100"]
    assert outcome.message.startswith("lowest: ⟨100⟩ dumbbell; octahedral is unstable: ⟨100⟩ dumbbell, 3.5")
    assert outcome.arrays["positions_ang:octahedral"].shape == (109, 3)


def test_smoke_does_not_look_for_saddles(cases: dict[str, Case]) -> None:
    outcome = interstitial_formation.SPEC.run(
        mlpzoo.load("tersoff/si"), cases["si-interstitial"], SMOKE, Job()
    )
    assert outcome.message == "lowest: tetrahedral"
    assert outcome.absent == {}
    standard = interstitial_formation.SPEC.run(
        mlpzoo.load("tersoff/si"), cases["si-interstitial"], STANDARD, Job()
    )
    assert standard.message.startswith("lowest: tetrahedral; hexagonal is unstable: distorted, 4.1")


def test_what_became_something_else_has_no_number(
    cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = InterstitialFormation(
        n_sites=64,
        found={
            "split_110": interstitial(3.6, "split_110"),
            "hexagonal": interstitial(3.61, "split_110"),
            "tetrahedral": interstitial(4.0, "tetrahedral", "distorted", 3.5),
        },
        failed={"octahedral": "it exploded", "split_110 displaced": "did not converge"},
    )
    monkeypatch.setattr(defects, "interstitial_formation", lambda *_, **__: found)
    outcome = interstitial_formation.SPEC.run(
        mlpzoo.load("tersoff/si"), cases["si-interstitial"], STANDARD, Job()
    )
    assert outcome.values == {
        "formation_lowest": 3.5,
        "formation_split_110": 3.6,
        "formation_tetrahedral": 4.0,
        "n_sites": 64.0,
    }
    assert outcome.absent == {"formation_hexagonal": "→ split ⟨110⟩", "formation_octahedral": "failed"}
    assert outcome.message.split("; ") == [
        "lowest: distorted",
        "hexagonal relaxed into split ⟨110⟩, 3.610 eV",
        "tetrahedral is unstable: distorted, 3.500 eV, when displaced",
        "octahedral: it exploded",
        "split_110 displaced: did not converge",
    ]


@pytest.mark.parametrize("spec", SPECS)
def test_started_again_it_relaxes_nothing_again(spec, cases: dict[str, Case], tmp_path: Path) -> None:
    [case] = [case for case in spec.cases(list(available())) if case.system == "si"]
    first, second = mlpzoo.load("tersoff/si"), mlpzoo.load("tersoff/si")
    outcome = spec.run(first, case, STANDARD, Job(directory=tmp_path))
    again = spec.run(second, case, STANDARD, Job(directory=tmp_path))
    assert again.values == outcome.values
    assert second.n_evaluations == 9 + 1 < first.n_evaluations, "the volumes, and the perfect supercell"


def test_relaxation_that_does_not_converge_fails_the_vacancy(
    cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(*_: object, **__: object) -> None:
        raise CalculationError("the relaxation did not converge")

    monkeypatch.setattr(defects, "relax", stuck)
    for spec, name in zip(SPECS, ("cu-vacancy", "cu-interstitial"), strict=True):
        with pytest.raises(CalculationError, match="did not converge"):
            spec.run(mlpzoo.load("emt/emt"), cases[name], SMOKE, Job())


def test_starts_of_a_case_are_those_of_its_structure(cases: dict[str, Case]) -> None:
    crystal = Crystal.from_params(cases["si-interstitial"].params)
    assert interstitial_starts(crystal, 2).keys() == {"split_110", "tetrahedral", "hexagonal"}


def test_negative_formation_energy_is_told() -> None:
    found = InterstitialFormation(
        n_sites=32, found={"octahedral": interstitial(-1.0, "octahedral")}, failed={}
    )
    outcome = interstitial_formation._outcome(found)
    assert "a negative formation energy: the crystal is not the ground state" in outcome.message
