"""Diffusivities of random walks on lattices, whose true values are known, and the intervals around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from ase.calculators.emt import EMT

from mlpzoo.errors import DataError
from mlpzoo.physics import defect_dynamics
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.diffusion import (
    EXPOSURE_FS,
    N_WINDOWS,
    VACANCY_CORRELATION,
    Estimate,
    count_hops,
    lag_frames,
    mean_squared_displacement,
    poisson_interval,
    tracer_diffusivity,
)
from mlpzoo.physics.events import MigrationEvent, find_events
from mlpzoo.physics.md import MDFrame

HOP_ANG = 2.35
FRAME_FS = 20.0
N_ATOMS = 64
NOISE_ANG = 0.15
AXES = np.vstack([np.eye(3), -np.eye(3)])
CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.615)
SITES = CU.sites(3, interstitials=False)


def holds(interval: Estimate, value: float) -> bool:
    """Whether a value is in an interval."""
    return interval.low <= value <= interval.high


def walk(seed: int, *, n_frames: int, rate: float, together: bool) -> np.ndarray:
    """Simple cubic random walks with vibration noise; `rate` is the hops of an atom in a frame.

    Together: at most one atom in a frame hops, as with a vacancy.
    """
    generator = np.random.default_rng(seed)
    steps = np.zeros((n_frames, N_ATOMS, 3))
    if together:
        frame = np.flatnonzero(generator.random(n_frames) < rate * N_ATOMS)
        atom = generator.integers(N_ATOMS, size=len(frame))
    else:
        frame, atom = np.nonzero(generator.random((n_frames, N_ATOMS)) < rate)
    steps[frame, atom] = HOP_ANG * AXES[generator.integers(6, size=len(frame))]
    noise = NOISE_ANG * generator.standard_normal(steps.shape)
    return np.cumsum(steps, axis=0) + noise


@dataclass(frozen=True)
class Exchange:
    """A vacancy's walk on the fcc lattice."""

    positions_ang: np.ndarray
    n_hops: int
    diffusivity: float  # true, with the correlation of an infinite crystal


def vacancy_walk(seed: int, *, n_frames: int = 3000, wait: float = 15.0, least: int = 8) -> Exchange:
    """One vacancy of 108 sites changes places with a random neighbour, every `least` + geometric frames.

    Atoms are at their sites but for noise; the whole crystal drifts.
    """
    generator = np.random.default_rng(seed)
    lattice, cell = SITES.positions_ang, SITES.cell_ang
    vectors = lattice[:, None] - lattice
    vectors -= np.rint(vectors @ np.linalg.inv(cell)) @ cell
    near = np.linalg.norm(vectors, axis=-1) < 1.1 * SITES.neighbour_distance_ang
    neighbours = [[j for j in np.flatnonzero(near[i]).tolist() if j != i] for i in range(len(lattice))]
    assert {len(one) for one in neighbours} == {12}
    vacancy, atom_at = 0, {site: site - 1 for site in range(1, len(lattice))}
    steps = np.zeros((n_frames, len(lattice) - 1, 3))
    steps[0] = lattice[1:]
    frame, n_hops = 0, 0
    while True:
        frame += least - 1 + generator.geometric(1 / wait)
        if frame >= n_frames - least:
            break
        source = neighbours[vacancy][generator.integers(12)]
        atom = atom_at.pop(source)
        steps[frame, atom] = vectors[vacancy, source]
        atom_at[vacancy], vacancy = atom, source
        n_hops += 1
    noise = 0.1 * generator.standard_normal(steps.shape)
    drift = np.linspace(0, 3.0, n_frames)[:, None, None] * np.array([1.0, -0.4, 0.3])
    rate = 1 / ((least - 1 + wait) * FRAME_FS)
    jump = rate * SITES.neighbour_distance_ang**2 / (6 * (len(lattice) - 1)) * 0.1
    return Exchange(
        positions_ang=np.cumsum(steps, axis=0) + noise + drift,
        n_hops=n_hops,
        diffusivity=VACANCY_CORRELATION["fcc"] * jump,
    )


def test_ballistic_motion_has_its_closed_form_and_no_width() -> None:
    speed = np.array([1e-3, -2e-3, 2e-3])  # Å/fs
    positions = np.arange(320)[:, None, None] * FRAME_FS * speed + np.array([[0.0, 0, 0], [1.0, 2, 3]])
    lag = lag_frames(320)
    assert lag == 320 // (2 * N_WINDOWS)
    found = tracer_diffusivity(positions, frame_fs=FRAME_FS)
    expected = 0.5 * (speed @ speed) * lag * FRAME_FS * 0.1  # (4 - 1) v²τ² / 6τ; 1 Å²/fs = 0.1 cm²/s
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert found.high - found.low == pytest.approx(0.0, abs=1e-9 * expected)
    lags = np.array([1, 5, 100])
    np.testing.assert_allclose(
        mean_squared_displacement(positions, lags), (speed @ speed) * (lags * FRAME_FS) ** 2
    )


def test_mean_squared_displacement_of_a_walk_is_its_line_above_the_noise() -> None:
    rate = 0.01
    positions = np.concatenate(
        [walk(seed, n_frames=2000, rate=rate, together=False) for seed in range(4)], axis=1
    )
    lags = np.array([1, 10, 50])
    expected = rate * HOP_ANG**2 * lags + 6 * NOISE_ANG**2
    np.testing.assert_allclose(mean_squared_displacement(positions, lags), expected, rtol=0.05)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("n_frames", "rate"), [(1600, 5e-4), (600, 1e-3), (600, 2e-4)])
def test_interval_holds_the_diffusivity_of_a_random_walk(together: bool, n_frames: int, rate: float) -> None:
    true = rate * HOP_ANG**2 / (6 * FRAME_FS) * 0.1
    found = [
        tracer_diffusivity(walk(seed, n_frames=n_frames, rate=rate, together=together), frame_fs=FRAME_FS)
        for seed in range(100)
    ]
    assert sum(holds(one, true) for one in found) >= 90
    error = np.std([one.value for one in found]) / 10
    assert np.mean([one.value for one in found]) == pytest.approx(true, abs=3.5 * error)
    if n_frames * rate * N_ATOMS > 50:
        assert np.mean([one.high - one.low for one in found]) / 2 < 0.5 * true


def test_wave_of_the_period_that_is_averaged_over_does_not_diffuse() -> None:
    """Long waves of a small cell are coherent for longer than a short run's lag."""
    frames = np.arange(208)  # of 25 fs: τ is 13 of them, where cos(2πτ/T) is not cos(4πτ/T)
    wave = np.zeros((len(frames), 2, 3))
    wave[:, :, 0] = np.sin(2 * np.pi * frames / (EXPOSURE_FS / 25.0))[:, None] * [0.3, -0.3]
    found = tracer_diffusivity(wave, frame_fs=25.0)
    assert abs(found.value) < 1e-18
    assert found.high < 1e-17


@pytest.mark.parametrize("fixed", [True, False])
def test_drift_of_the_lattice_is_taken_out(monkeypatch: pytest.MonkeyPatch, fixed: bool) -> None:
    """A crystal that drifts as a whole, 8 Å in the run; the positions that are analysed stay."""
    crystal = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6)
    atoms = crystal.supercell(2)
    del atoms[0]
    speed = np.zeros(3) if fixed else np.array([0.01, 0.0, -0.003])  # Å/fs

    def drifting(*_: object, **__: object):
        for step in range(41):
            yield MDFrame(
                step=10 * step,
                time_fs=20.0 * step,
                positions_ang=atoms.positions + 20.0 * step * speed,
                potential_energy_ev=0.0,
                kinetic_energy_ev=1.0,
            )

    monkeypatch.setattr(defect_dynamics, "langevin", drifting)
    found = defect_dynamics.run_defect(
        atoms,
        crystal.sites(2, interstitials=False),
        EMT(),
        temperature_kelvin=300.0,
        length=defect_dynamics.RunLength(total_fs=800.0, equilibration_fs=100.0),
        seed=0,
    )
    assert found.positions_ang.shape == (36, 31, 3)
    assert np.abs(found.positions_ang - atoms.positions).max() < 1e-9


def test_a_vibrating_crystal_has_none() -> None:
    """Atoms on damped springs: frames 4 fs apart know of each other."""
    true_of_fifty_hops = 50 * HOP_ANG**2 / (6 * N_ATOMS * 1600 * 4.0) * 0.1
    decay, beat = 0.98, np.exp(2j * np.pi / 25)
    consistent = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        noise = generator.standard_normal((1600, N_ATOMS, 3)) + 1j * generator.standard_normal(
            (1600, N_ATOMS, 3)
        )
        amplitude = np.zeros((N_ATOMS, 3), dtype=complex)
        positions = np.empty(noise.shape)
        for frame, kick in enumerate(noise):
            amplitude = decay * beat * amplitude + NOISE_ANG * np.sqrt(1 - decay**2) * kick
            positions[frame] = amplitude.real
        found = tracer_diffusivity(positions[200:], frame_fs=4.0)
        consistent += found.low == 0.0
        assert abs(found.value) < 0.2 * true_of_fifty_hops
    assert consistent >= 95


def test_hops_of_a_vacancy_are_all_found() -> None:
    for seed in range(8):
        made = vacancy_walk(seed)
        analysis = find_events(made.positions_ang, SITES, frame_fs=FRAME_FS)
        assert len(analysis.events) == made.n_hops > 80
        hops = count_hops(analysis.events, SITES, n_atoms=107, time_fs=3000 * FRAME_FS)
        assert hops.number == made.n_hops
        assert hops.residence_fs.value == pytest.approx(3000 * FRAME_FS / made.n_hops)
        expected = made.n_hops * SITES.neighbour_distance_ang**2 / (6 * 107 * 3000 * FRAME_FS) * 0.1
        assert hops.jump_diffusivity.value == pytest.approx(expected)


def test_hops_times_the_correlation_factor_are_the_displacements() -> None:
    factor = VACANCY_CORRELATION["fcc"]
    einstein, jumps, true = [], [], 0.0
    for seed in range(40):
        made = vacancy_walk(100 + seed)
        analysis = find_events(made.positions_ang, SITES, frame_fs=FRAME_FS)
        still = made.positions_ang - analysis.drift_ang[:, None]
        einstein.append(tracer_diffusivity(still, frame_fs=FRAME_FS))
        hops = count_hops(analysis.events, SITES, n_atoms=107, time_fs=3000 * FRAME_FS).jump_diffusivity
        jumps.append(Estimate(value=factor * hops.value, low=factor * hops.low, high=factor * hops.high))
        true = made.diffusivity
    assert sum(holds(one, true) for one in einstein) >= 36
    assert sum(holds(one, true) for one in jumps) >= 36
    overlap = [max(a.low, b.low) <= min(a.high, b.high) for a, b in zip(einstein, jumps, strict=True)]
    assert sum(overlap) >= 36
    ratio = np.mean([one.value for one in einstein]) / np.mean([one.value for one in jumps])
    error = np.std([one.value for one in einstein]) / np.sqrt(40) / true
    assert ratio == pytest.approx(1.0, abs=3 * error)
    assert error < 0.06


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        # Garwood, Biometrika 28, 437 (1936), as tabulated in textbooks
        (0, 0.0, 3.689),
        (1, 0.0253, 5.572),
        (2, 0.2422, 7.225),
        (3, 0.6187, 8.767),
        (5, 1.623, 11.668),
        (10, 4.795, 18.390),
        (20, 12.217, 30.888),
        (50, 37.111, 65.919),
        (100, 81.364, 121.627),
    ],
)
def test_interval_of_a_number_is_that_of_the_table(number: int, low: float, high: float) -> None:
    assert poisson_interval(number) == pytest.approx((low, high), abs=6e-4)


def test_hop_across_the_border_has_the_length_of_its_nearest_image() -> None:
    target = int(np.argmax(SITES.positions_ang @ np.array([1.0, 1.0, 0.01])))
    others = SITES.positions_ang - SITES.positions_ang[target]
    lengths = np.linalg.norm(
        others - np.rint(others @ np.linalg.inv(SITES.cell_ang)) @ SITES.cell_ang, axis=1
    )
    near = [i for i in np.argsort(lengths)[1:13].tolist() if np.linalg.norm(others[i]) > 5.0]
    assert near
    event = MigrationEvent(atom=0, site_from=near[0], site_to=target, start_frame=1, end_frame=2)
    hops = count_hops((event,), SITES, n_atoms=107, time_fs=1000.0)
    assert hops.jump_diffusivity.value == pytest.approx(0.1 * 3.615**2 / 2 / (6 * 107 * 1000.0))
    assert hops.residence_fs.value == 1000.0
    assert hops.residence_fs.low == pytest.approx(1000.0 / 5.572, rel=1e-3)
    assert hops.residence_fs.high == pytest.approx(1000.0 / 0.02532, rel=1e-3)


def test_no_hops_bound_the_diffusivity_from_above() -> None:
    hops = count_hops((), SITES, n_atoms=107, time_fs=1000.0)
    assert (hops.number, hops.jump_diffusivity.value, hops.jump_diffusivity.low) == (0, 0.0, 0.0)
    assert hops.jump_diffusivity.high == pytest.approx(
        3.689 * 0.1 * SITES.neighbour_distance_ang**2 / (6 * 107 * 1000.0), rel=1e-3
    )
    assert hops.residence_fs.value == hops.residence_fs.high == np.inf
    assert hops.residence_fs.low == pytest.approx(1000.0 / 3.689, rel=1e-3)


def test_a_short_trajectory_is_refused_and_says_how_long_it_must_be() -> None:
    shortest = 4 * N_WINDOWS
    positions = np.random.default_rng(0).normal(size=(shortest, 3, 3))
    assert np.isfinite(tracer_diffusivity(positions, frame_fs=1.0).high)
    with pytest.raises(DataError, match="too few") as caught:
        tracer_diffusivity(positions[1:], frame_fs=1.0)
    assert str(shortest) in caught.value.hint
