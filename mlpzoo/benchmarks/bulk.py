"""``bulk``: lattice constant, bulk modulus and elastic constants of a crystal.

Definitions: `mlpzoo.physics.eos` (Birch-Murnaghan) and `mlpzoo.physics.elastic` (stress against strain).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import crystal_cases
from mlpzoo.errors import CalculationError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec
    from mlpzoo.physics.elastic import ElasticConstants

SAME_SHARE, ODD_SHARE = 0.05, 0.5
"""Two bulk moduli, from energies and from stresses, that differ by more are told, or are an error."""

_QUANTITIES = (
    Quantity(name="lattice_constant", unit="Å", title="a", better="closer", decimals=4),
    Quantity(name="bulk_modulus", unit="GPa", title="B", better="closer", decimals=1),
    Quantity(name="c11", unit="GPa", title="C11", better="closer", decimals=1),
    Quantity(name="c12", unit="GPa", title="C12", better="closer", decimals=1),
    Quantity(name="c44", unit="GPa", title="C44", better="closer", decimals=1),
    Quantity(
        name="bulk_modulus_elastic",
        unit="GPa",
        title="(C11+2C12)/3",
        better="closer",
        decimals=1,
        shown=False,
    ),
    Quantity(name="zener_anisotropy", unit="", title="2C44/(C11-C12)", better="closer", shown=False),
    Quantity(name="eos_residual", unit="meV/atom", title="E(V) residual", better="none", shown=False),
    Quantity(name="elastic_residual", unit="%", title="σ(e) residual", better="none", shown=False),
    Quantity(name="elastic_asymmetry", unit="GPa", title="asymmetry", better="none", shown=False),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(datasets, benchmark="bulk", quantities=_QUANTITIES)


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Equation of state, then elastic constants at the lattice constant that it gave.

    Raises:
        CalculationError: There is no minimum, a relaxation did not converge, or the stress is wrong: not that
            of a cubic crystal, or not the derivative of the energy.
    """
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.elastic import elastic_constants
    from mlpzoo.physics.eos import equation_of_state

    del settings  # every profile computes the same: it takes seconds
    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    elastic = elastic_constants(
        crystal.with_lattice_constant(eos.lattice_constant_ang),
        calculator,
        progress=job.progress,
        checkpoint=job.checkpoint("elastic"),
    )
    remarks = _disagreement(eos.fit.bulk_modulus_gpa, elastic) if elastic.method == "stress" else []
    values = {
        "lattice_constant": eos.lattice_constant_ang,
        "bulk_modulus": eos.fit.bulk_modulus_gpa,
        "c11": elastic.c11_gpa,
        "c12": elastic.c12_gpa,
        "c44": elastic.c44_gpa,
        "bulk_modulus_elastic": elastic.bulk_modulus_gpa,
        "eos_residual": eos.residual_mev,
        "elastic_residual": elastic.residual_percent,
    }
    absent = {}
    if elastic.zener is None:
        absent["zener_anisotropy"] = "unstable"
        remarks.append(f"the crystal is mechanically unstable: not {', not '.join(elastic.violated)}")
    else:
        values["zener_anisotropy"] = elastic.zener
    if elastic.method == "stress":
        values["elastic_asymmetry"] = elastic.asymmetry_gpa
    else:
        absent["elastic_asymmetry"] = "no stress"
        remarks.append("the model has no stress: elastic constants are from energies")
    return Outcome(
        values=values,
        absent=absent,
        arrays={
            "volumes_ang3": eos.volumes_ang3,
            "energies_ev": eos.energies_ev,
            "strains": elastic.strains,
            "stresses_gpa" if elastic.method == "stress" else "strain_energies_ev": elastic.response,
        },
        message="; ".join(remarks),
    )


def _disagreement(from_energies_gpa: float, elastic: ElasticConstants) -> list[str]:
    """What to say of the two bulk moduli; they are one number if the stress is that of the energy."""
    from_stresses_gpa = elastic.bulk_modulus_gpa
    share = abs(from_stresses_gpa / from_energies_gpa - 1)
    numbers = f"(C11 + 2 C12) / 3 is {from_stresses_gpa:.1f} GPa, B from energies {from_energies_gpa:.1f} GPa"
    if share > ODD_SHARE:
        raise CalculationError(
            f"the stress is not the derivative of the energy: {numbers}",
            hint="the plugin's unit or sign of the stress may be wrong: 'mlpzoo check' shows it",
        )
    return [f"the stress is not quite that of the energy: {numbers}"] if share > SAME_SHARE else []


SPEC = BenchmarkSpec(
    name="bulk",
    version=1,
    title="Lattice constant, bulk modulus and elastic constants",
    quantities=_QUANTITIES,
    cases=cases,
    run=run,
)
