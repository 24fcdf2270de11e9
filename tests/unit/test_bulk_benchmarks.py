"""The benchmark ``bulk``: its cases, and that its columns are what the physics gives."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

import mlpzoo
from mlpzoo.benchmark import Case, Job, RunSettings
from mlpzoo.benchmarks import bulk
from mlpzoo.data.registry import available
from mlpzoo.errors import CalculationError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.elastic import elastic_constants
from mlpzoo.physics.eos import equation_of_state

SMOKE = RunSettings(profile="smoke")


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Those of the crystals that come along."""
    return {case.name: case for case in bulk.SPEC.cases(list(available()))}


class WithoutStress(Calculator):
    """EMT, but no stress."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces."""
        super().calculate(atoms, properties, system_changes)
        self.results = {name: EMT().get_property(name, atoms) for name in ("energy", "forces")}


class Soft(Calculator):
    """Holds its volume, and nothing else: a shear lowers the energy."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """An energy of the cell alone."""
        super().calculate(atoms, properties, system_changes)
        volume = atoms.get_volume() / len(atoms)
        metric = atoms.cell.array @ atoms.cell.array.T
        shear = np.abs(metric[~np.eye(3, dtype=bool)]).sum() / metric.trace()
        energy = len(atoms) * ((volume - 12.0) ** 2 / 20 - 50 * shear**2)
        self.results = {"energy": float(energy), "forces": np.zeros((len(atoms), 3))}


def test_one_case_a_crystal_named_by_its_system(cases: dict[str, Case]) -> None:
    assert {"si", "cu", "al", "ni"} <= cases.keys()
    assert (cases["cu"].system, cases["cu"].elements) == ("cu", ("Cu",))


@pytest.mark.parametrize(("name", "model"), [("cu", "emt/emt"), ("si", "tersoff/si")])
def test_columns_are_what_the_physics_gives(cases: dict[str, Case], name: str, model: str) -> None:
    outcome = bulk.SPEC.run(mlpzoo.load(model), cases[name], SMOKE, Job())
    crystal, calculator = Crystal.from_params(cases[name].params), mlpzoo.load(model)
    eos = equation_of_state(crystal, calculator)
    elastic = elastic_constants(crystal.with_lattice_constant(eos.lattice_constant_ang), calculator)
    assert outcome.values == pytest.approx(
        {
            "lattice_constant": eos.lattice_constant_ang,
            "bulk_modulus": eos.fit.bulk_modulus_gpa,
            "c11": elastic.c11_gpa,
            "c12": elastic.c12_gpa,
            "c44": elastic.c44_gpa,
            "bulk_modulus_elastic": (elastic.c11_gpa + 2 * elastic.c12_gpa) / 3,
            "zener_anisotropy": 2 * elastic.c44_gpa / (elastic.c11_gpa - elastic.c12_gpa),
            "eos_residual": eos.residual_mev,
            "elastic_residual": elastic.residual_percent,
            "elastic_asymmetry": elastic.asymmetry_gpa,
        }
    )
    assert outcome.values.keys() == {quantity.name for quantity in bulk.SPEC.quantities}
    assert outcome.message == ""
    assert outcome.values["bulk_modulus_elastic"] == pytest.approx(outcome.values["bulk_modulus"], rel=0.01)
    assert outcome.arrays["volumes_ang3"].shape == outcome.arrays["energies_ev"].shape == (9,)
    assert outcome.arrays["stresses_gpa"].shape == (2, 5, 6)


def test_result_does_not_depend_on_the_profile(cases: dict[str, Case]) -> None:
    values = [
        bulk.SPEC.run(mlpzoo.load("emt/emt"), cases["cu"], RunSettings(profile=profile), Job()).values
        for profile in ("smoke", "standard", "paper")
    ]
    assert values[0] == values[1] == values[2]


def test_model_without_stress_gets_the_constants_from_energies(cases: dict[str, Case]) -> None:
    full = bulk.SPEC.run(EMT(), cases["cu"], SMOKE, Job())
    outcome = bulk.SPEC.run(WithoutStress(), cases["cu"], SMOKE, Job())
    for name in ("c11", "c12", "c44"):
        assert outcome.values[name] == pytest.approx(full.values[name], rel=5e-3)
    assert outcome.absent == {"elastic_asymmetry": "no stress"}
    assert "from energies" in outcome.message
    assert outcome.arrays["strain_energies_ev"].shape == (3, 5)


def test_unstable_crystal_has_constants_but_no_anisotropy(cases: dict[str, Case]) -> None:
    outcome = bulk.SPEC.run(Soft(), cases["cu"], SMOKE, Job())
    assert outcome.values["c44"] < 0
    assert outcome.absent["zener_anisotropy"] == "unstable"
    assert "mechanically unstable: not" in outcome.message
    assert "C44 > 0" in outcome.message


def test_model_that_does_not_hold_the_crystal_fails(cases: dict[str, Case]) -> None:
    class Pushing(WithoutStress):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results["energy"] = -atoms.get_volume()

    with pytest.raises(CalculationError):
        bulk.SPEC.run(Pushing(), cases["cu"], SMOKE, Job())


class Scaled(Calculator):
    """EMT whose stress is in another unit, or of the other sign."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy, forces and stress."""
        super().calculate(atoms, properties, system_changes)
        inner = EMT()
        self.results = {name: inner.get_property(name, atoms) for name in self.implemented_properties}
        self.results["stress"] = self.factor * self.results["stress"]


@pytest.mark.parametrize("factor", [160.2, 2.0, -1.0])
def test_stress_in_another_unit_or_of_the_other_sign_fails(cases: dict[str, Case], factor: float) -> None:
    with pytest.raises(CalculationError, match="the stress is not the derivative of the energy"):
        bulk.SPEC.run(Scaled(factor), cases["cu"], SMOKE, Job())


def test_stress_that_is_a_little_off_is_told(cases: dict[str, Case]) -> None:
    outcome = bulk.SPEC.run(Scaled(1.1), cases["cu"], SMOKE, Job())
    assert "the stress is not quite that of the energy: (C11 + 2 C12) / 3 is" in outcome.message
