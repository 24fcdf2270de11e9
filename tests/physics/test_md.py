"""Molecular dynamics: a canonical temperature, a conserved energy, the same numbers from the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from mlpzoo.errors import CalculationError, UsageError
from mlpzoo.physics.md import langevin, velocity_verlet


class Oscillators(Calculator):
    """Independent harmonic oscillators; a negative spring constant makes the crystal fly apart."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, home: np.ndarray, spring: float) -> None:
        super().__init__()
        self.home, self.spring = home, spring

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        """Energy and forces of the springs."""
        super().calculate(atoms, properties, system_changes)
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
    mass = atoms.get_masses()[:, None]
    frames = list(velocity_verlet(atoms, temperature_kelvin=600.0, time_fs=200.0, seed=1, timestep_fs=1.0))
    kinetic = [0.5 * (mass * (f.velocities_ang_per_fs / units.fs) ** 2).sum() for f in frames]
    total = np.array(kinetic) + [f.potential_energy_ev for f in frames]
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
    with pytest.raises(CalculationError, match=r"exploded at .* fs"):
        list(run(oscillators(-50.0), temperature_kelvin=300.0, time_fs=2000.0, seed=1))


def test_times_and_temperatures_must_be_positive() -> None:
    with pytest.raises(UsageError, match="time_fs"):
        next(langevin(oscillators(), temperature_kelvin=300.0, time_fs=0.0, seed=1))
    with pytest.raises(UsageError, match="temperature_kelvin"):
        next(velocity_verlet(oscillators(), temperature_kelvin=-1.0, time_fs=10.0, seed=1))
