"""The benchmark ``vibrations``: cases, columns, what is derived from references, continuation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mlpzoo
from mlpzoo.benchmark import Case, Job, Outcome, RunSettings
from mlpzoo.benchmarks import vibrations
from mlpzoo.data.registry import available
from mlpzoo.physics import phonons
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.eos import equation_of_state
from mlpzoo.physics.phonons import crystal_phonons, mode_names

SMOKE = RunSettings(profile="smoke")


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those of the crystals that come along."""
    return {case.name: case for case in vibrations.SPEC.cases(list(available()))}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of 32 sites."""
    monkeypatch.setattr(vibrations, "supercell_repeat", lambda *_: 2)


def without_vacancy(case: Case) -> Case:
    """The crystal alone."""
    return replace(case, params={**case.params, "vacancy": False})


def test_one_case_a_crystal_and_a_column_for_every_mode(cases: dict[str, Case]) -> None:
    assert {"si", "cu", "al", "ni"} <= cases.keys()
    columns = {quantity.name for quantity in vibrations.SPEC.quantities}
    for structure in ("diamond", "fcc", "bcc"):
        assert set(mode_names(structure)) <= columns


@pytest.mark.usefixtures("small")
def test_values_are_those_at_the_lattice_constant_of_the_model(cases: dict[str, Case]) -> None:
    outcome = vibrations.SPEC.run(mlpzoo.load("emt/emt"), cases["cu"], SMOKE, Job())
    crystal = Crystal.from_params(cases["cu"].params)
    a = equation_of_state(crystal, mlpzoo.load("emt/emt")).lattice_constant_ang
    found = crystal_phonons(crystal.with_lattice_constant(a), mlpzoo.load("emt/emt"), repeat=2)
    values = outcome.values
    assert {name: values[name] for name in found.modes_thz} == pytest.approx(found.modes_thz, rel=1e-6)
    assert values["mean_frequency"] == pytest.approx(found.mean_thz, rel=1e-6)
    assert values["n_sites"] == 32
    assert values["n_imaginary"] == values["vacancy_n_imaginary"] == 0
    declared = {quantity.name for quantity in vibrations.SPEC.quantities}
    others = {name for s in ("diamond", "bcc") for name in mode_names(s)} - set(mode_names("fcc"))
    assert declared - values.keys() == others | {"frequency_mae"}
    assert values.keys() <= declared

    vacancy = outcome.arrays["vacancy_thz"]
    assert vacancy.shape == (3 * 31 - 3,)
    assert (values["vacancy_lowest"], values["vacancy_highest"]) == (vacancy[0], vacancy[-1])
    assert 0 < values["vacancy_lowest"] < values["vacancy_highest"] < 12
    assert abs(values["vacancy_mean_shift"]) < 0.3, "one of 32 atoms is missing"
    assert values["vacancy_mean_shift"] < 0, "and with it, the bonds of its neighbours"
    assert outcome.arrays["weights"].sum() == 12**3


@pytest.mark.usefixtures("small")
def test_vacancy_can_be_left_out(cases: dict[str, Case]) -> None:
    calculator = mlpzoo.load("emt/emt")
    outcome = vibrations.SPEC.run(calculator, without_vacancy(cases["cu"]), SMOKE, Job())
    assert not any(name.startswith("vacancy") for name in outcome.values)
    assert outcome.arrays.keys() == {"mesh_thz", "weights"}
    assert calculator.n_evaluations < 25, "the volumes, and one displacement"


@pytest.mark.usefixtures("small")
def test_started_again_it_computes_no_force_twice(cases: dict[str, Case], tmp_path: Path) -> None:
    first, second, volumes = (mlpzoo.load("emt/emt") for _ in range(3))
    outcome = vibrations.SPEC.run(first, cases["al"], SMOKE, Job(directory=tmp_path))
    again = vibrations.SPEC.run(second, cases["al"], SMOKE, Job(directory=tmp_path))
    equation_of_state(Crystal.from_params(cases["al"].params), volumes)
    assert again.values == outcome.values
    assert np.array_equal(again.arrays["vacancy_thz"], outcome.arrays["vacancy_thz"])
    assert second.n_evaluations == volumes.n_evaluations + 1 < first.n_evaluations


@pytest.mark.parametrize(("profile_repeat", "used"), [(2, 2), (3, 4), (4, 4)])
def test_waves_of_the_named_modes_fit_into_the_supercell(
    cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch, profile_repeat: int, used: int
) -> None:
    asked: list[int] = []

    def note(crystal, calculator, *, repeat, **_):
        asked.append(repeat)
        return crystal_phonons(crystal, calculator, repeat=2)

    monkeypatch.setattr(vibrations, "supercell_repeat", lambda *_: profile_repeat)
    monkeypatch.setattr(phonons, "crystal_phonons", note)
    vibrations.SPEC.run(mlpzoo.load("emt/emt"), without_vacancy(cases["cu"]), SMOKE, Job())
    assert asked == [used]


# -- references --------------------------------------------------------------------------------------


def test_mean_error_is_over_the_modes_that_the_reference_has() -> None:
    references = {"x_ta": 5.0, "x_la": 7.0, "mean_frequency": 4.0}
    values = {"x_ta": 5.3, "x_la": 6.9, "l_ta": 99.0, "mean_frequency": 1.0}
    assert vibrations.derive(values, references) == pytest.approx({"frequency_mae": 0.2})


def test_no_mean_error_if_a_mode_of_the_reference_is_missing() -> None:
    references = {"x_ta": 5.0, "x_la": 7.0}
    assert vibrations.derive({"x_ta": 5.0}, references) == {}
    assert vibrations.derive({"x_ta": 5.0, "x_la": 7.0}, {"mean_frequency": 4.0}) == {}
    assert vibrations.derive({}, {}) == {}
    assert vibrations.SPEC.derive is vibrations.derive


def test_imaginary_mode_counts_with_its_sign() -> None:
    assert vibrations.derive({"x_ta": -1.0}, {"x_ta": 2.0}) == {"frequency_mae": 3.0}


@pytest.mark.usefixtures("small")
def test_model_has_no_error_against_itself(cases: dict[str, Case]) -> None:
    outcome: Outcome = vibrations.SPEC.run(mlpzoo.load("emt/emt"), without_vacancy(cases["ni"]), SMOKE, Job())
    assert vibrations.derive(outcome.values, outcome.values) == {"frequency_mae": 0.0}
