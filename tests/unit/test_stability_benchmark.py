"""The benchmark ``stability``: an energy that is conserved, and crystals that melt or fly apart as results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zoo_trouble import KilledError, Troubled

import mlpzoo
from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import stability
from mlpzoo.data.registry import available
from mlpzoo.errors import CalculationError
from mlpzoo.physics import md

SMOKE = RunSettings(profile="smoke")
NVE_CALLS = 101  # 0.1 ps in steps of 1 fs; NVT: as many of 2 fs


@pytest.fixture(scope="module")
def case() -> Case:
    """Copper."""
    (found,) = (case for case in stability.SPEC.cases(list(available())) if case.name == "cu")
    return found


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 atoms, for speed."""
    monkeypatch.setattr(stability, "supercell_repeat", lambda *_: 2)


def at(case: Case, melting_kelvin: float) -> Case:
    """The case of a crystal that is said to melt elsewhere."""
    return replace(case, params={**case.params, "melting_temperature_kelvin": melting_kelvin})


def test_one_case_a_crystal() -> None:
    assert {"si", "cu", "al", "ni"} <= {case.name for case in stability.SPEC.cases(list(available()))}


def test_smooth_model_conserves_its_energy_and_keeps_its_crystal(case: Case) -> None:
    outcome = stability.SPEC.run(mlpzoo.load("emt/emt"), case, SMOKE, Job())
    assert outcome.values.keys() == {quantity.name for quantity in stability.SPEC.quantities}
    assert (outcome.absent, outcome.message) == ({}, "")
    assert outcome.values["n_atoms"] == 108
    assert outcome.values["survived"] == 0.2
    assert outcome.values["survival"] == 100.0
    # Half of the first velocities' energy goes to the potential.
    assert outcome.values["nve_temperature"] == pytest.approx(0.5 * 1358.0, rel=0.2)
    # Of 90 meV/atom of kinetic energy; the shadow Hamiltonian's ripple goes with (ωΔt)²/8: 45 THz, 1 fs.
    assert 0 < outcome.values["energy_fluctuation"] < 0.2
    assert 0 <= outcome.values["energy_drift"] < 2.0
    time_ps, total = outcome.arrays["time_ps"], outcome.arrays["total_energy_mev_per_atom"]
    assert time_ps.shape == total.shape == (101,)
    assert time_ps[-1] == pytest.approx(0.1)
    slope, level = np.polyfit(time_ps, total, 1)
    assert outcome.values["energy_drift"] == pytest.approx(abs(slope))
    assert outcome.values["energy_fluctuation"] == pytest.approx(np.std(total - level - slope * time_ps))


@pytest.mark.usefixtures("_small")
def test_melting_ends_the_survival(case: Case) -> None:
    outcome = stability.SPEC.run(Troubled(), at(case, 15000.0), SMOKE, Job())
    assert 0 <= outcome.values["survived"] < 0.2
    assert outcome.values["survival"] == pytest.approx(100 * outcome.values["survived"] / 0.2)
    assert "NVT at 13500 K melted after" in outcome.message
    assert outcome.absent == {}, "NVE is another matter"


@pytest.mark.usefixtures("_small")
def test_explosions_are_results(case: Case) -> None:
    outcome = stability.SPEC.run(Troubled(bad_at=(41, 41 + 31)), case, SMOKE, Job())
    assert outcome.absent == {"energy_drift": "exploded", "energy_fluctuation": "exploded"}
    assert outcome.values == {
        "n_atoms": 32.0,
        "survived": pytest.approx(0.06),
        "survival": pytest.approx(30.0),
    }
    assert outcome.message == "NVE exploded after 0.04 ps; NVT at 1222 K exploded after 0.06 ps"
    assert outcome.arrays == {}


@pytest.mark.usefixtures("_small")
def test_explosion_of_nvt_alone_leaves_the_drift(case: Case) -> None:
    outcome = stability.SPEC.run(Troubled(bad_at=(NVE_CALLS + 51,)), case, SMOKE, Job())
    assert outcome.absent == {}
    assert "energy_drift" in outcome.values
    assert outcome.values["survival"] == pytest.approx(50.0)


@pytest.mark.usefixtures("_small")
def test_started_again_after_each_kill_it_gives_the_same(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(md, "SAVE_EVERY_S", 0.0)
    job = Job(directory=tmp_path)
    whole = stability.SPEC.run(Troubled(), case, SMOKE, Job())
    calculator = Troubled()
    for killed_at in (70, 60 + 60, 0, 0):
        calculator = Troubled(killed_at=killed_at)
        if killed_at:
            with pytest.raises(KilledError):
                stability.SPEC.run(calculator, case, SMOKE, job)
            continue
        again = stability.SPEC.run(calculator, case, SMOKE, job)
        assert replace(again, arrays={}) == replace(whole, arrays={})
        assert again.arrays.keys() == whole.arrays.keys()
        for name, array in whole.arrays.items():
            np.testing.assert_array_equal(again.arrays[name], array)
    assert calculator.calls == 0, "no step twice"


def test_model_without_a_lattice_constant_fails(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise CalculationError("no minimum")

    monkeypatch.setattr("mlpzoo.physics.eos.equation_of_state", nowhere)
    with pytest.raises(CalculationError, match="no minimum"):
        stability.SPEC.run(Troubled(), case, SMOKE, Job())
