"""The benchmark ``diffusion``: columns, cells without a number, trajectories, and starting again after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zoo_trouble import KilledError, Troubled

import mlpzoo
from mlpzoo.benchmark import Case, Job, Outcome, RunSettings
from mlpzoo.benchmarks import diffusion
from mlpzoo.data.registry import available
from mlpzoo.errors import CalculationError
from mlpzoo.physics import defect_dynamics, md
from mlpzoo.physics.defect_dynamics import DefectRun
from mlpzoo.physics.diffusion import Estimate, Hops
from mlpzoo.physics.trajectory import STEP_ANG, decode
from mlpzoo.results import pack, unpack
from mlpzoo.units import BOLTZMANN_EV_PER_KELVIN

SMOKE = RunSettings(profile="smoke")
CALLS = 201  # of each of the three runs: 0.4 ps in steps of 2 fs
TEMPERATURES = (1050.0, 1200.0, 1350.0)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those of the crystals that come along."""
    return {case.name: case for case in diffusion.SPEC.cases(list(available()))}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """31 atoms, for speed."""
    monkeypatch.setattr(diffusion, "supercell_repeat", lambda *_: 2)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[DefectRun]:
    """What each run gave to the benchmark."""
    runs: list[DefectRun] = []
    real = defect_dynamics.run_defect

    def run_defect(*args, **kwargs) -> DefectRun:
        runs.append(real(*args, **kwargs))
        return runs[-1]

    monkeypatch.setattr(defect_dynamics, "run_defect", run_defect)
    return runs


def check(outcome: Outcome) -> None:
    """What any outcome has to obey."""
    names = {quantity.name for quantity in diffusion.SPEC.quantities}
    assert outcome.values.keys() <= names
    assert outcome.absent.keys() <= names
    assert not outcome.values.keys() & outcome.absent.keys()
    assert outcome.interval.keys() <= outcome.values.keys()
    assert np.isfinite(list(outcome.values.values())).all()
    for name, (low, high) in outcome.interval.items():
        assert low <= outcome.values[name] <= high < np.inf
    for array in outcome.arrays.values():
        pack(np.asarray(array), compress=True)


def same(one: Outcome, other: Outcome) -> None:
    """Bit by bit."""
    assert replace(one, arrays={}) == replace(other, arrays={})
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert np.asarray(array).tobytes() == np.asarray(other.arrays[name]).tobytes(), name


def found(
    temperature: float, *, energy_ev: float = 0.5, prefactor: float = 1e-3, hops: int = 40
) -> DefectRun:
    """A run with a diffusivity that obeys Arrhenius' law."""
    value = prefactor * np.exp(-energy_ev / (BOLTZMANN_EV_PER_KELVIN * temperature))
    around = Estimate(value=value, low=0.8 * value, high=1.2 * value)
    return DefectRun(
        diffusivity=around,
        hops=Hops(
            number=hops,
            jump_diffusivity=Estimate(value=2 * value, low=1.5 * value, high=2.6 * value),
            residence_fs=Estimate(value=250.0, low=180.0, high=350.0),
        ),
        lag_fs=620.0,
        mean_temperature_kelvin=temperature + 5,
        positions_ang=np.zeros((0, 107, 3)),
        frame_fs=20.0,
    )


def run_with(monkeypatch: pytest.MonkeyPatch, case: Case, *runs: DefectRun) -> Outcome:
    """The benchmark on EMT, whose runs give these."""
    given = iter(runs)
    monkeypatch.setattr(defect_dynamics, "run_defect", lambda *_, **__: next(given))
    outcome = diffusion.SPEC.run(mlpzoo.load("emt/emt"), case, SMOKE, Job())
    check(outcome)
    return outcome


def test_two_cases_a_crystal(cases: dict[str, Case]) -> None:
    expected = {
        f"{system}-{defect}" for system in ("si", "cu", "al", "ni") for defect in ("vacancy", "interstitial")
    }
    assert expected <= cases.keys()
    assert cases["cu-vacancy"].params["defect"] == "vacancy"


def test_columns_are_those_of_the_runs_in_their_units(
    monkeypatch: pytest.MonkeyPatch, cases: dict[str, Case]
) -> None:
    outcome = run_with(monkeypatch, cases["cu-vacancy"], *map(found, TEMPERATURES))
    assert outcome.values.keys() == {quantity.name for quantity in diffusion.SPEC.quantities}
    assert outcome.absent == {}
    assert outcome.values["activation_energy"] == pytest.approx(0.5)
    assert outcome.values["prefactor"] == pytest.approx(1e3)  # 10⁻⁶ cm²/s
    for number, temperature in enumerate(TEMPERATURES, start=1):
        value = 1e3 * np.exp(-0.5 / (BOLTZMANN_EV_PER_KELVIN * temperature))
        assert outcome.values[f"d_{number}"] == pytest.approx(value)
        assert outcome.interval[f"d_{number}"] == pytest.approx((0.8 * value, 1.2 * value))
        assert outcome.values[f"d_hops_{number}"] == pytest.approx(2 * value)
        assert outcome.values[f"hops_{number}"] == 40
        assert outcome.values[f"residence_{number}"] == pytest.approx(0.25)
        assert outcome.values[f"mean_t_{number}"] == temperature + 5
    assert outcome.values["correlation"] == pytest.approx(0.5)
    assert outcome.values["n_atoms"] == 107
    assert "T1, T2, T3 = 1050, 1200, 1350 K" in outcome.message
    assert "0.7815 by theory" in outcome.message


def test_what_has_no_number_says_why(monkeypatch: pytest.MonkeyPatch, cases: dict[str, Case]) -> None:
    few = replace(found(1050.0, hops=2), diffusivity=None, problem="too few hops")
    melted = DefectRun(
        problem="melted", detail="melted after 1.20 ps", positions_ang=np.zeros((0, 107, 3)), frame_fs=20.0
    )
    outcome = run_with(monkeypatch, cases["cu-vacancy"], few, found(1200.0), melted)
    assert outcome.absent == {
        "d_1": "too few hops",
        "d_3": "melted",
        "hops_3": "melted",
        "activation_energy": "too few T",
        "prefactor": "too few T",
    }
    assert outcome.values["hops_1"] == 2
    assert outcome.values["correlation"] == pytest.approx(0.5), "of the runs that have both"
    assert "1350 K: melted after 1.20 ps" in outcome.message


def test_run_without_a_hop_has_no_residence(monkeypatch: pytest.MonkeyPatch, cases: dict[str, Case]) -> None:
    none = Hops(
        number=0,
        jump_diffusivity=Estimate(value=0.0, low=0.0, high=1e-6),
        residence_fs=Estimate(value=np.inf, low=100.0, high=np.inf),
    )
    still = replace(found(1050.0), hops=none, diffusivity=None, problem="too few hops")
    outcome = run_with(monkeypatch, cases["cu-vacancy"], still, still, still)
    assert outcome.values["hops_1"] == outcome.values["d_hops_1"] == 0
    assert outcome.interval["d_hops_1"] == pytest.approx((0.0, 1.0))
    assert "residence_1" not in outcome.values
    assert outcome.absent["correlation"] == "too few hops"


@pytest.mark.parametrize(
    ("name", "model", "n_atoms", "kinds"),
    [
        ("cu-vacancy", "emt/emt", 107, {"lattice"}),
        ("cu-interstitial", "emt/emt", 109, {"lattice", "octahedral", "tetrahedral"}),
        ("si-vacancy", "tersoff/si", 63, {"lattice"}),
        ("si-interstitial", "tersoff/si", 65, {"lattice", "tetrahedral", "hexagonal"}),
    ],
)
def test_runs_are_those_of_the_crystal(
    monkeypatch: pytest.MonkeyPatch,
    cases: dict[str, Case],
    name: str,
    model: str,
    n_atoms: int,
    kinds: set[str],
) -> None:
    asked: list[tuple[object, ...]] = []

    def run_defect(atoms, sites, calculator, *, temperature_kelvin, seed, **_: object) -> DefectRun:
        asked.append((len(atoms), set(sites.kinds), temperature_kelvin, seed))
        assert atoms.cell.array == pytest.approx(sites.cell_ang)
        return found(temperature_kelvin)

    monkeypatch.setattr(defect_dynamics, "run_defect", run_defect)
    diffusion.SPEC.run(mlpzoo.load(model), cases[name], RunSettings(profile="smoke", seed=7), Job())
    known = cases[name].params["diffusion_temperatures_kelvin"]
    assert asked == [(n_atoms, kinds, t, 7) for t in (known[0], known[len(known) // 2], known[-1])]


@pytest.mark.usefixtures("_small")
def test_stored_trajectories_are_those_that_were_run(
    cases: dict[str, Case], recorded: list[DefectRun]
) -> None:
    told: list[tuple[int, int, str]] = []
    outcome = diffusion.SPEC.run(
        Troubled(), cases["cu-vacancy"], SMOKE, Job(progress=lambda *said: told.append(said))
    )
    check(outcome)
    assert len(recorded) == 3
    for number, run in enumerate(recorded):
        assert run.positions_ang.shape == (16, 31, 3)  # 0.1 to 0.4 ps, every 20 fs
        steps = unpack(pack(outcome.arrays[f"trajectory:{number}"], compress=True))
        assert steps.dtype == np.int16
        assert outcome.arrays[f"frame_fs:{number}"] == 20.0
        positions = decode(steps, outcome.arrays[f"first_ang:{number}"])
        np.testing.assert_allclose(positions, run.positions_ang, atol=0.5 * STEP_ANG + 1e-9)
        r, g = outcome.arrays[f"r_ang:{number}"], outcome.arrays[f"g:{number}"]
        assert r[np.argmax(g)] == pytest.approx(2.5, abs=0.2)
    assert outcome.arrays["temperatures_kelvin"].tolist() == list(TEMPERATURES)
    assert outcome.values["mean_t_3"] == pytest.approx(1350.0, rel=0.25)
    assert {outcome.absent[f"d_{i}"] for i in (1, 2, 3)} == {"too few hops"}  # in 0.3 ps
    fractions = [done / of for done, of, what in told if "MD" in what]
    assert fractions == sorted(fractions)
    assert {of for _, of, what in told if "MD" in what} <= {3 * (CALLS - 1)}


@pytest.mark.usefixtures("_small")
def test_melting_and_exploding_are_results(cases: dict[str, Case]) -> None:
    case = cases["cu-vacancy"]
    hot = replace(case, params={**case.params, "diffusion_temperatures_kelvin": [300.0, 15000.0, 400.0]})
    # The second run melts without an end before its time; the third meets a bad number at 0.1 ps.
    outcome = diffusion.SPEC.run(Troubled(bad_at=(2 * CALLS + 51,)), hot, SMOKE, Job())
    check(outcome)
    assert outcome.absent["d_2"] == outcome.absent["hops_2"] == "melted"
    assert outcome.absent["d_3"] == outcome.absent["hops_3"] == "exploded"
    assert outcome.absent["d_1"] == "too few hops"
    assert outcome.absent["activation_energy"] == "too few T"
    assert outcome.values["hops_1"] == 0
    assert "15000 K: melted after" in outcome.message
    assert "400 K: exploded after 0.10 ps" in outcome.message


@pytest.mark.usefixtures("_small")
def test_started_again_after_each_kill_it_gives_the_same(
    cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(md, "SAVE_EVERY_S", 0.0)
    monkeypatch.setitem(diffusion._TOTAL_PS, "smoke", (0.24, 0.04))
    case, job = cases["cu-vacancy"], Job(directory=tmp_path)
    first = Troubled()
    whole = diffusion.SPEC.run(first, case, SMOKE, Job())
    calls = []
    for killed_at in (70, 121 + 60, 0, 0):  # in the first run, in the second of what is left, not at all
        calculator = Troubled(killed_at=killed_at)
        if killed_at:
            with pytest.raises(KilledError):
                diffusion.SPEC.run(calculator, case, SMOKE, job)
        else:
            same(diffusion.SPEC.run(calculator, case, SMOKE, job), whole)
        calls.append(calculator.calls)
    # Of 120 steps each, saved every 50 and at the end.
    assert calls[2] < first.calls - 120 - 50
    assert calls[3] == 0, "no step twice"


def test_model_without_a_lattice_constant_fails(
    cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise CalculationError("no minimum")

    monkeypatch.setattr("mlpzoo.physics.eos.equation_of_state", nowhere)
    with pytest.raises(CalculationError, match="no minimum"):
        diffusion.SPEC.run(Troubled(), cases["cu-vacancy"], SMOKE, Job())


def test_figure_has_a_line_a_run(monkeypatch: pytest.MonkeyPatch, cases: dict[str, Case]) -> None:
    pytest.importorskip("matplotlib")
    walked = [
        replace(found(t), positions_ang=np.random.default_rng(0).uniform(0, 10, (3, 107, 3)))
        for t in TEMPERATURES
    ]
    outcome = run_with(monkeypatch, cases["cu-vacancy"], *walked)
    assert diffusion.SPEC.draw is not None
    figure = diffusion.SPEC.draw({"EMT": outcome.arrays}, {}, "Copper")
    labels = [line.get_label() for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    assert labels == [f"EMT, {t:g} K" for t in TEMPERATURES]
