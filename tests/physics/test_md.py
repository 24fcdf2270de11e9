"""Molecular dynamics: a canonical temperature, a conserved energy, the same numbers from the same seed.

Also after a kill: a trajectory that was interrupted is, bit by bit, the one that was not.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import BadNumberError, UsageError
from mlpzoo.physics import md
from mlpzoo.physics.md import ExplodedError, langevin, velocity_verlet
from mlpzoo.physics.md_store import generator_words, set_generator


class Oscillators(Calculator):
    """Independent harmonic oscillators; a negative spring constant makes the crystal fly apart."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, home: np.ndarray, spring: float) -> None:
        super().__init__()
        self.home, self.spring = home, spring
        self.calls, self.fails_after = 0, 10**9

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        """Energy and forces of the springs."""
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        if self.calls > self.fails_after:
            msg = "a force is not finite"
            raise BadNumberError(msg)
        displacement = atoms.get_positions() - self.home
        energy = 0.5 * self.spring * float((displacement**2).sum())
        self.results = {"energy": energy, "forces": -self.spring * displacement}


def oscillators(spring: float = 10.0):  # type: ignore[no-untyped-def]
    """64 silicon atoms on springs."""
    atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(2)
    atoms.calc = Oscillators(atoms.get_positions(), spring)
    return atoms


def test_langevin_keeps_the_temperature_and_shares_it_with_the_springs() -> None:
    frames = list(
        langevin(
            oscillators(),
            temperature_kelvin=600.0,
            time_fs=8000.0,
            seed=1,
            friction_per_fs=0.02,
            sample_every=10,
        )
    )[100:]
    # 192 oscillators, 6 ps at a correlation time of 50 fs: sqrt(2 / 192 / 60) = 1.3 %; four of these.
    assert np.mean([f.temperature_kelvin for f in frames]) == pytest.approx(600.0, rel=0.055)
    potential = 0.5 * 192 * units.kB * 600.0
    assert np.mean([f.potential_energy_ev for f in frames]) == pytest.approx(potential, rel=0.055)


def test_velocity_verlet_conserves_the_energy() -> None:
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.calc = EMT()
    frames = list(velocity_verlet(atoms, temperature_kelvin=600.0, time_fs=200.0, seed=1, timestep_fs=1.0))
    total = np.array([f.kinetic_energy_ev + f.potential_energy_ev for f in frames])
    assert np.ptp(total) / len(atoms) < 1e-4  # of 0.08 eV of kinetic energy per atom
    assert frames[0].temperature_kelvin == pytest.approx(600.0, rel=0.3)


def test_same_seed_same_trajectory_and_the_input_is_untouched() -> None:
    atoms = oscillators()
    before = atoms.get_positions()
    settings = {"temperature_kelvin": 600.0, "time_fs": 40.0, "sample_every": 5}
    first = list(langevin(atoms, seed=1, **settings))
    again = list(langevin(atoms, seed=1, **settings))
    other = list(langevin(atoms, seed=2, **settings))
    assert [f.step for f in first] == [0, 5, 10, 15, 20]
    assert first[-1].time_fs == 40.0
    np.testing.assert_array_equal(first[-1].positions_ang, again[-1].positions_ang)
    assert np.abs(first[-1].positions_ang - other[-1].positions_ang).max() > 1e-3
    np.testing.assert_array_equal(atoms.get_positions(), before)


@pytest.mark.parametrize("run", [langevin, velocity_verlet])
def test_an_explosion_is_an_error_with_its_time(run) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ExplodedError, match=r"exploded at .* fs") as caught:
        list(run(oscillators(-50.0), temperature_kelvin=300.0, time_fs=2000.0, seed=1))
    assert 0 < caught.value.time_fs < 2000.0


def test_a_force_that_is_not_finite_is_an_explosion() -> None:
    atoms = oscillators()
    atoms.calc.fails_after = 20
    with pytest.raises(ExplodedError, match="exploded at 40 fs"):
        list(langevin(atoms, temperature_kelvin=300.0, time_fs=100.0, seed=1))


def test_times_and_temperatures_must_be_positive() -> None:
    with pytest.raises(UsageError, match="time_fs"):
        next(langevin(oscillators(), temperature_kelvin=300.0, time_fs=0.0, seed=1))
    with pytest.raises(UsageError, match="temperature_kelvin"):
        next(velocity_verlet(oscillators(), temperature_kelvin=-1.0, time_fs=10.0, seed=1))


KILLED = """
import sys
from pathlib import Path
from ase.build import bulk
from ase.calculators.emt import EMT
from mlpzoo.checkpoint import Checkpoint
from mlpzoo.physics import md, md_store

md.SAVE_EVERY_S, md.SEGMENT_STEPS, md_store.CHUNK_FRAMES = 0.0, 10, 25
atoms = bulk("Cu", cubic=True).repeat(2)
del atoms[0]
atoms.calc = EMT()
run = getattr(md, sys.argv[2])
for frame in run(atoms, temperature_kelvin=900.0, time_fs=280.0, seed=3, timestep_fs=2.0, sample_every=2,
                 checkpoint=Checkpoint(Path(sys.argv[1]))):
    numbers = [frame.potential_energy_ev, frame.kinetic_energy_ev, *frame.positions_ang.ravel()]
    print(frame.step, *(float(number).hex() for number in numbers), flush=True)
"""


def test_killed_at_any_moment_and_started_again_it_is_the_same_trajectory(tmp_path: Path) -> None:
    """140 steps of EMT, whose neighbour lists depend on the past; files of samples fill up on the way."""
    ensemble = "langevin"  # NVE is saved by the same code, and has no generator to forget
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path / name), ensemble]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def stored() -> int:
        found = Checkpoint(tmp_path / "killed").load()
        return 0 if found is None else int(found["n_frames"])

    whole, _ = start("whole").communicate()
    assert len(whole.splitlines()) == 71
    moments = random.Random(ensemble)
    reached = [0]
    for _ in range(3):
        process = start("killed")
        assert process.stdout is not None
        for _ in range(reached[-1] + moments.randrange(7, 18)):
            process.stdout.readline()
        time.sleep(moments.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        reached.append(stored())
    assert reached == sorted(reached)
    assert 0 < reached[-1] < 71  # it went on, and was really interrupted
    again, _ = start("killed").communicate()
    assert again == whole


def test_a_finished_run_costs_no_force_call(tmp_path: Path) -> None:
    settings = {"temperature_kelvin": 300.0, "time_fs": 100.0, "seed": 1, "sample_every": 10}
    first = list(langevin(oscillators(), checkpoint=Checkpoint(tmp_path / "md"), **settings))
    atoms = oscillators()
    again = list(langevin(atoms, checkpoint=Checkpoint(tmp_path / "md"), **settings))
    assert atoms.calc.calls == 0
    assert len(again) == 6
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.positions_ang, other.positions_ang)
        assert (one.step, one.temperature_kelvin) == (other.step, other.temperature_kelvin)


def test_a_stored_run_from_another_start_or_with_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    settings = {"temperature_kelvin": 300.0, "time_fs": 100.0, "seed": 1}
    checkpoint = Checkpoint(tmp_path / "md")
    first = list(langevin(oscillators(), checkpoint=checkpoint, **settings))
    other = oscillators()
    other.rattle(0.01, seed=1)
    list(langevin(other, checkpoint=checkpoint, **settings))
    assert other.calc.calls == 51
    checkpoint.child("frames-00000").save(positions=np.zeros((1, 64, 3)), potential=[0.0], kinetic=[0.0])
    again = list(langevin(oscillators(), checkpoint=checkpoint, **settings))
    np.testing.assert_array_equal(again[-1].positions_ang, first[-1].positions_ang)


def test_the_state_of_the_generator_goes_through_words() -> None:
    generator = np.random.default_rng((3, 1))
    generator.standard_normal(7)
    generator.integers(2**31, dtype=np.uint32)
    words = generator_words(generator)
    other = np.random.default_rng(0)
    set_generator(other, words)
    assert other.bit_generator.state == generator.bit_generator.state


def test_progress_is_told_a_few_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, str]] = []
    monkeypatch.setattr(md, "REPORT_EVERY_S", 0.0)
    list(
        langevin(
            oscillators(),
            temperature_kelvin=300.0,
            time_fs=20.0,
            seed=1,
            progress=lambda *said: told.append(said),
        )
    )
    assert told[-1] == (10, 10, "MD steps at 300 K")
    monkeypatch.setattr(md, "REPORT_EVERY_S", 1e9)
    told.clear()
    list(langevin(oscillators(), temperature_kelvin=300.0, time_fs=20.0, seed=1, progress=told.append))  # type: ignore[arg-type]
    assert told == []


def test_atoms_at_their_sites_that_start_twice_as_hot_have_the_right_temperature_soon() -> None:
    frames = list(
        langevin(
            oscillators(),
            temperature_kelvin=600.0,
            start_temperature_kelvin=1200.0,
            time_fs=600.0,
            seed=1,
            friction_per_fs=1e-6,
        )
    )
    assert frames[0].temperature_kelvin == pytest.approx(1200.0, rel=0.25)
    # Without a thermostat: half of the first kinetic energy, to the accuracy of a mean over oscillations.
    mean = np.mean([f.temperature_kelvin for f in frames[50:]])
    assert mean == pytest.approx(0.5 * frames[0].temperature_kelvin, rel=0.05)


@pytest.mark.parametrize("start_kelvin", [300.0, 1200.0])
def test_the_whole_does_not_move(start_kelvin: float) -> None:
    """The first velocities have no net momentum, and NVE gives it none."""
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.calc = EMT()
    frames = list(velocity_verlet(atoms, temperature_kelvin=start_kelvin, time_fs=40.0, seed=1))
    centres = np.array([frame.positions_ang.mean(axis=0) for frame in frames])
    assert np.abs(frames[-1].positions_ang - frames[0].positions_ang).max() > 0.05
    assert np.abs(centres - centres[0]).max() < 1e-10
