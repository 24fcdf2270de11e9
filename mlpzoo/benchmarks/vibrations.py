"""``vibrations``: phonon frequencies of the crystal and of a supercell with a vacancy.

Definitions: `mlpzoo.physics.phonons`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import crystal_cases, force_tolerance, supercell_repeat

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec

_MODES = {
    "gamma_to": "Γ TO",
    "x_ta": "X TA",
    "x_la": "X LA",
    "x_to": "X TO",
    "l_ta": "L TA",
    "l_la": "L LA",
    "l_lo": "L LO",
    "l_to": "L TO",
    "h_la": "H",
    "n_ta1": "N TA1",
    "n_ta2": "N TA2",
    "n_la": "N LA",
}
_QUANTITIES = (
    Quantity(name="frequency_mae", unit="THz", title="MAE", decimals=2),
    *(
        Quantity(name=name, unit="THz", title=title, decimals=2, better="closer", conditional=True)
        for name, title in _MODES.items()
    ),
    Quantity(name="mean_frequency", unit="THz", title="mean", decimals=2, better="closer", shown=False),
    Quantity(name="n_imaginary", unit="", title="imaginary", decimals=0),
    Quantity(name="vacancy_mean_shift", unit="THz", title="Δmean vac.", decimals=3, better="closer"),
    Quantity(name="vacancy_lowest", unit="THz", title="lowest vac.", decimals=2, better="closer"),
    Quantity(
        name="vacancy_highest", unit="THz", title="highest vac.", decimals=2, better="closer", shown=False
    ),
    Quantity(name="vacancy_n_imaginary", unit="", title="imaginary vac.", decimals=0),
    Quantity(name="n_sites", unit="", title="sites", decimals=0, better="none", in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(datasets, benchmark="vibrations", quantities=_QUANTITIES)


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Phonons at the model's own lattice constant.

    With the parameter ``vacancy = false`` the supercell with a vacancy is left out: with DFT it would take
    dozens of calculations.

    Raises:
        CalculationError: There is no lattice constant, or the vacancy did not relax.
    """
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.defects import vacancy_formation
    from mlpzoo.physics.eos import equation_of_state
    from mlpzoo.physics.phonons import cell_phonons, crystal_phonons

    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    perfect = crystal_phonons(
        crystal,
        calculator,
        repeat=repeat
        + repeat % 2,  # an odd one does not hold the waves of L and N: they would be interpolated
        progress=job.progress,
        checkpoint=job.checkpoint("crystal"),
    )
    values = {
        **perfect.modes_thz,
        "mean_frequency": perfect.mean_thz,
        "n_imaginary": float(perfect.n_imaginary),
        "n_sites": float(len(crystal.supercell(repeat))),
    }
    arrays = {"mesh_thz": perfect.mesh_thz, "weights": perfect.weights}
    if case.params.get("vacancy", True):
        host = cell_phonons(
            crystal.supercell(repeat), calculator, progress=job.progress, checkpoint=job.checkpoint("host")
        )
        vacancy = vacancy_formation(
            crystal,
            calculator,
            repeat=repeat,
            fmax_ev_per_ang=force_tolerance(settings.profile) / 4,
            progress=job.progress,
            checkpoint=job.checkpoint("relaxation"),
        )
        defect = cell_phonons(
            vacancy.relaxed.atoms,
            calculator,
            progress=job.progress,
            checkpoint=job.checkpoint("vacancy"),
            what="phonons of the vacancy",
        )
        values |= {
            "vacancy_mean_shift": defect.mean_thz - host.mean_thz,
            "vacancy_lowest": float(defect.frequencies_thz[0]),
            "vacancy_highest": float(defect.frequencies_thz[-1]),
            "vacancy_n_imaginary": float(defect.n_imaginary),
        }
        arrays["vacancy_thz"] = defect.frequencies_thz
    return Outcome(values=values, arrays=arrays)


def derive(values: dict[str, float], references: dict[str, float]) -> dict[str, float]:
    """Mean absolute error of the crystal's named modes, where all those of the reference are there."""
    modes = [name for name in _MODES if name in references]
    if not modes or not all(name in values for name in modes):
        return {}
    return {"frequency_mae": sum(abs(values[name] - references[name]) for name in modes) / len(modes)}


SPEC = BenchmarkSpec(
    name="vibrations",
    version=1,
    title="Phonon frequencies of the crystal and of a vacancy's supercell",
    quantities=_QUANTITIES,
    cases=cases,
    run=run,
    derive=derive,
)
