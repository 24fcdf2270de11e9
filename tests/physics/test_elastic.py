"""Elastic constants: springs in closed form, published potentials, energies, matscipy, wrong stresses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from ase.optimize import LBFGS
from matscipy.elasticity import fit_elastic_constants

from mlpzoo.backends.tersoff import T3
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import CalculationError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.elastic import elastic_constants, strained
from mlpzoo.physics.eos import equation_of_state
from mlpzoo.units import EV_PER_ANG3_IN_GPA

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
AL = Crystal(symbol="Al", structure="fcc", lattice_constant_ang=3.995)
NI = Crystal(symbol="Ni", structure="fcc", lattice_constant_ang=3.487)
SI = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.431986)


class Springs(Calculator):
    """Harmonic springs between nearest (k1) and next-nearest (k2) neighbours of an fcc crystal, at rest."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, a: float, k1: float, k2: float) -> None:
        super().__init__()
        self.a, self.k1, self.k2 = a, k1, k2

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy, forces and stress of the springs."""
        super().calculate(atoms, properties, system_changes)
        first, vectors, lengths = neighbor_list("iDd", atoms, 1.15 * self.a)
        near = lengths < 0.85 * self.a
        stiffness = np.where(near, self.k1, self.k2)
        stretch = lengths - np.where(near, self.a / np.sqrt(2), self.a)
        pulls = (stiffness * stretch / lengths)[:, None] * vectors
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, first, pulls)
        virial = 0.5 * pulls.T @ vectors / atoms.get_volume()
        self.results = {
            "energy": 0.25 * float((stiffness * stretch**2).sum()),
            "forces": forces,
            "stress": virial.ravel()[[0, 4, 8, 5, 2, 1]],
        }


class Changed(Calculator):
    """Another calculator, with a changed stress, or without one."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, inner: Calculator, change=None) -> None:
        super().__init__()
        self.inner, self.change = inner, change
        if change is None:
            self.implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """What the inner calculator gives, changed."""
        super().calculate(atoms, properties, system_changes)
        copy = atoms.copy()
        self.results = {name: self.inner.get_property(name, copy) for name in ("energy", "forces")}
        if self.change is not None:
            self.results["stress"] = self.change(self.inner.get_property("stress", copy))


def tersoff() -> TersoffCalculator:
    """Silicon."""
    return TersoffCalculator({("Si", "Si", "Si"): T3})


def found(crystal: Crystal, calculator: Calculator, **options):
    """C11, C12, C44 in GPa."""
    constants = elastic_constants(crystal, calculator, **options)
    return [constants.c11_gpa, constants.c12_gpa, constants.c44_gpa]


@pytest.mark.parametrize(("k1", "k2"), [(3.0, 0.0), (2.0, 0.7), (2.0, -0.2)])
def test_springs_have_their_closed_form(k1: float, k2: float) -> None:
    """C = (1 / 2 Ω) Σ k r² n n n n over the bonds of an atom: C11 = (2 k1 + 4 k2) / a, C12 = C44 = k1 / a."""
    a = 3.6
    expected = np.array([2 * k1 + 4 * k2, k1, k1]) / a * EV_PER_ANG3_IN_GPA
    crystal = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=a)
    constants = elastic_constants(crystal, Springs(a, k1, k2))
    assert constants.method == "stress"
    assert [constants.c11_gpa, constants.c12_gpa, constants.c44_gpa] == pytest.approx(expected, rel=2e-4)
    assert constants.bulk_modulus_gpa == pytest.approx((expected[0] + 2 * expected[1]) / 3, rel=2e-4)
    assert constants.zener == pytest.approx(2 * k1 / (k1 + 4 * k2), rel=1e-3)
    assert constants.asymmetry_gpa < 1e-6
    assert constants.pressure_gpa == pytest.approx(0.0, abs=1e-3)
    assert found(crystal, Changed(Springs(a, k1, k2))) == pytest.approx(expected, rel=2e-3), "from energies"


def test_tersoff_silicon_is_the_published_one() -> None:
    """Balamane et al., Phys. Rev. B 46, 2250 (1992), T3: 142.5, 75.4, 69.0; 118.8 GPa with the ions held."""
    assert found(SI, tersoff()) == pytest.approx([142.5, 75.4, 69.0], abs=0.06)
    held = found(SI, tersoff(), fmax_ev_per_ang=1e9)
    assert held == pytest.approx([142.5, 75.4, 118.8], abs=0.06)


def test_emt_aluminium_is_the_published_one() -> None:
    """The test suite of pyiron's atomistics (energies, ASE's EMT): 53.334, 32.859, 36.195 GPa."""
    eos = equation_of_state(AL, EMT())
    constants = found(AL.with_lattice_constant(eos.lattice_constant_ang), EMT())
    assert constants == pytest.approx([53.334, 32.859, 36.195], rel=3e-3)


def test_emt_copper_is_near_the_published_one() -> None:
    """The test suite of Asap (its own EMT, other cutoff, strains up to 1 %): 171.65, 114.82, 89.00 GPa."""
    eos = equation_of_state(CU, EMT(asap_cutoff=True))
    constants = found(CU.with_lattice_constant(eos.lattice_constant_ang), EMT(asap_cutoff=True))
    assert constants == pytest.approx([171.65, 114.82, 89.00], rel=0.01)


@pytest.mark.parametrize(("crystal", "potential"), [(CU, EMT), (NI, EMT), (SI, tersoff)])
def test_matscipy_finds_the_same(crystal: Crystal, potential) -> None:
    atoms = crystal.cubic()
    atoms.calc = potential()
    theirs, _ = fit_elastic_constants(
        atoms,
        symmetry="cubic",
        N_steps=5,
        delta=2.5e-3,
        optimizer=LBFGS,
        verbose=False,
        fmax=1e-4,
        logfile=None,
    )
    expected = theirs[[0, 0, 3], [0, 1, 3]] * EV_PER_ANG3_IN_GPA
    assert found(crystal, potential()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("crystal", "potential"), [(CU, EMT), (AL, EMT), (SI, tersoff)])
def test_energies_and_stresses_agree(crystal: Crystal, potential) -> None:
    constants = elastic_constants(crystal, Changed(potential()))
    assert constants.method == "energy"
    assert constants.response.shape == (3, 5)
    by_energy = [constants.c11_gpa, constants.c12_gpa, constants.c44_gpa]
    assert by_energy == pytest.approx(found(crystal, potential()), rel=3e-3)


def test_pressure_is_that_of_the_crystal() -> None:
    crystal = CU.with_lattice_constant(3.55)
    stress = EMT().get_property("stress", crystal.cubic())
    expected = -float(stress[:3].mean()) * EV_PER_ANG3_IN_GPA
    assert expected > 4.0
    assert elastic_constants(crystal, EMT()).pressure_gpa == pytest.approx(expected, rel=1e-3)
    assert elastic_constants(crystal, Changed(EMT())).pressure_gpa == pytest.approx(expected, rel=1e-2)


def test_residual_is_small_for_a_smooth_potential_and_shows_noise() -> None:
    generator = np.random.default_rng(0)
    assert elastic_constants(CU, EMT()).residual_percent < 0.01
    noisy = Changed(EMT(), lambda stress: stress + 1e-4 * generator.standard_normal(6))  # 0.016 GPa
    constants = elastic_constants(CU, noisy)
    assert 0.5 < constants.residual_percent < 5.0
    assert constants.asymmetry_gpa > 0.5


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s[[0, 1, 2, 5, 4, 3]],  # xy before yz, as some programs have it
        lambda s: s + 0.1 * s[3] * np.array([1, 0, 0, 0, 0, 0]) * 10,
        lambda s: s * np.array([1, 1.1, 1, 1, 1, 1]),
    ],
)
def test_stress_without_the_symmetry_of_the_crystal_is_an_error(change) -> None:
    with pytest.raises(CalculationError, match="has not its symmetry") as caught:
        elastic_constants(CU, Changed(EMT(), change))
    assert "Voigt" in caught.value.hint


def test_unstable_crystal_is_called_so() -> None:
    a = 3.6
    crystal = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=a)
    constants = elastic_constants(crystal, Springs(a, 2.0, -0.7))
    assert constants.violated == ("C11 > C12",)
    assert constants.zener is None
    assert elastic_constants(crystal, Springs(a, 2.0, 0.5)).violated == ()


def test_strain_changes_lengths_and_angles_as_it_says() -> None:
    cell = strained(CU.cubic(), np.array([0.01, 0.0, 0.0, 0.0, 0.0, 0.0])).cell
    assert cell.lengths() / CU.lattice_constant_ang == pytest.approx([1.01, 1.0, 1.0])
    shear = strained(CU.cubic(), np.array([0.0, 0.0, 0.0, 0.02, 0.0, 0.0])).cell
    assert shear.angles() == pytest.approx([90 - np.rad2deg(0.02), 90.0, 90.0], abs=1e-3)


def test_progress_counts_strains() -> None:
    told: list[tuple[int, int, str]] = []
    elastic_constants(CU, EMT(), progress=lambda *step: told.append(step))
    assert told == [(done, 10, "strains") for done in range(10)]


def test_strains_that_are_relaxed_are_not_relaxed_again(tmp_path: Path) -> None:
    class Interrupted(Changed):
        calls = 0
        limit = 12

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            if type(self).calls == type(self).limit:
                raise KeyboardInterrupt
            type(self).calls += 1
            super().calculate(atoms, properties, system_changes)

    whole = elastic_constants(SI, tersoff())
    checkpoint = Checkpoint(tmp_path / "elastic")
    with pytest.raises(KeyboardInterrupt):
        elastic_constants(SI, Interrupted(tersoff(), lambda s: s), checkpoint=checkpoint)
    Interrupted.calls, Interrupted.limit = 0, 100
    continued = elastic_constants(SI, Interrupted(tersoff(), lambda s: s), checkpoint=checkpoint)
    assert np.array_equal(continued.response, whole.response)
    assert Interrupted.calls < 17, "17 calls make the whole"
