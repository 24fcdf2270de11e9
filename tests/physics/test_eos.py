"""Equation of state: an exact curve, published Tersoff values, the stress-free volume, no minimum."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from mlpzoo.backends.tersoff import T3
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.errors import CalculationError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.eos import N_VOLUMES, equation_of_state, fit_birch_murnaghan
from mlpzoo.units import EV_PER_ANG3_IN_GPA

SI = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.431)


def birch_murnaghan(
    volumes: np.ndarray, e0: float, v0: float, b0: float, b1: float
) -> np.ndarray:  # eV and Å³; b0 in GPa
    """The textbook form: Birch 1947, integrated."""
    x = (v0 / volumes) ** (2 / 3)
    return e0 + 9 * v0 * b0 / EV_PER_ANG3_IN_GPA / 16 * ((x - 1) ** 3 * b1 + (x - 1) ** 2 * (6 - 4 * x))


class Curve(Calculator):
    """A crystal whose energy per atom is a function of its volume per atom."""

    implemented_properties = ["energy"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, energy_of) -> None:
        super().__init__()
        self.energy_of, self.calls = energy_of, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """The energy."""
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        self.results = {"energy": len(atoms) * float(self.energy_of(atoms.get_volume() / len(atoms)))}


def test_parameters_of_an_exact_curve_are_found() -> None:
    volumes = np.linspace(18.0, 22.0, 7)
    fit = fit_birch_murnaghan(volumes, birch_murnaghan(volumes, -4.63, 20.1, 97.6, 4.3))
    assert fit.volume_ang3 == pytest.approx(20.1, rel=1e-8)
    assert fit.energy_ev == pytest.approx(-4.63, abs=1e-9)
    assert fit.bulk_modulus_gpa == pytest.approx(97.6, rel=1e-6)
    assert fit.bulk_modulus_derivative == pytest.approx(4.3, rel=1e-5)
    assert fit.residual_ev < 1e-9


@pytest.mark.parametrize("off", [0.85, 0.97, 1.0, 1.06, 1.15])
def test_minimum_is_found_from_a_start_that_is_off(off: float) -> None:
    calculator = Curve(lambda v: birch_murnaghan(v, -4.63, 5.431**3 / 8, 97.6, 4.3))
    eos = equation_of_state(SI.with_lattice_constant(5.431 * off), calculator)
    assert eos.lattice_constant_ang == pytest.approx(5.431, rel=1e-7)
    assert eos.fit.bulk_modulus_gpa == pytest.approx(97.6, rel=1e-5)
    assert eos.residual_mev < 1e-6
    middle = (eos.volumes_ang3[N_VOLUMES // 2] / eos.fit.volume_ang3) ** (1 / 3)
    assert abs(middle - 1) < 0.01, "the minimum is in the middle third of the window"


def test_energies_and_volumes_are_per_atom() -> None:
    calculator = Curve(lambda v: birch_murnaghan(v, -4.63, 5.431**3 / 8, 97.6, 4.3))
    eos = equation_of_state(SI, calculator)
    assert eos.volumes_ang3.shape == eos.energies_ev.shape == (N_VOLUMES,)
    assert eos.energies_ev == pytest.approx(birch_murnaghan(eos.volumes_ang3, -4.63, 5.431**3 / 8, 97.6, 4.3))
    assert calculator.calls == N_VOLUMES


def test_tersoff_silicon_is_the_published_one() -> None:
    """Tersoff, Phys. Rev. B 38, 9902 (1988): 4.63 eV, 5.432 Å, 0.98 Mbar."""
    eos = equation_of_state(SI, TersoffCalculator({("Si", "Si", "Si"): T3}))
    assert eos.lattice_constant_ang == pytest.approx(5.432, abs=5e-4)
    assert eos.fit.energy_ev == pytest.approx(-4.63, abs=5e-3)
    assert eos.fit.bulk_modulus_gpa == pytest.approx(98.0, abs=0.5)


def test_volume_of_the_minimum_is_free_of_stress_and_its_curvature_is_the_bulk_modulus() -> None:
    start = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.61)
    eos = equation_of_state(start, EMT())

    def pressure_gpa(a: float) -> float:
        return -float(EMT().get_property("stress", start.with_lattice_constant(a).cubic())[:3].mean()) * (
            EV_PER_ANG3_IN_GPA
        )

    a = eos.lattice_constant_ang
    assert pressure_gpa(a) == pytest.approx(0.0, abs=0.01)
    step = 1e-4
    modulus = -a / 3 * (pressure_gpa(a + step) - pressure_gpa(a - step)) / (2 * step)
    assert eos.fit.bulk_modulus_gpa == pytest.approx(modulus, rel=0.01)


@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_crystal_without_a_minimum_is_an_error(slope: float) -> None:
    with pytest.raises(CalculationError, match=r"minimum|lattice constant") as caught:
        equation_of_state(SI, Curve(lambda v: slope * v))
    assert caught.value.hint
