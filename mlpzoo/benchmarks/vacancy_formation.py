"""``vacancy-formation``: formation energy of a vacancy; definitions in `mlpzoo.physics.defects`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import below_zero, crystal_cases, force_tolerance, supercell_repeat

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec

SAME_START_EV = 1e-3
_QUANTITIES = (
    Quantity(name="vacancy_formation", unit="eV", title="E_f", better="closer"),
    Quantity(name="vacancy_formation_unrelaxed", unit="eV", title="E_f unrelaxed", better="closer"),
    Quantity(name="largest_displacement", unit="Å", title="relaxed by", better="closer", shown=False),
    Quantity(name="n_sites", unit="", title="sites", decimals=0, better="none", shown=False, in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(datasets, benchmark="vacancy-formation", quantities=_QUANTITIES, suffix="vacancy")


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Formation energy at the model's own lattice constant, before and after relaxation.

    Raises:
        CalculationError: There is no lattice constant, or a relaxation did not converge.
    """
    import numpy as np

    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.defect_sites import vacancy
    from mlpzoo.physics.defects import vacancy_formation
    from mlpzoo.physics.eos import equation_of_state

    crystal = Crystal.from_params(case.params)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    found = vacancy_formation(
        crystal,
        calculator,
        repeat=repeat,
        fmax_ev_per_ang=force_tolerance(settings.profile),
        progress=job.progress,
        checkpoint=job.checkpoint("vacancy"),
    )
    best = found.relaxed.atoms
    moved = best.positions - vacancy(crystal, repeat).positions
    others = [
        f"the start '{name}' ends {energy - found.relaxed_ev:.3f} eV above '{found.start}'"
        for name, energy in found.by_start_ev.items()
        if energy > found.relaxed_ev + SAME_START_EV
    ]
    return Outcome(
        values={
            "vacancy_formation": found.relaxed_ev,
            "vacancy_formation_unrelaxed": found.unrelaxed_ev,
            "largest_displacement": float(np.linalg.norm(moved, axis=1).max()),
            "n_sites": float(found.n_sites),
        },
        arrays={"positions_ang": best.positions, "cell_ang": best.cell.array},
        message="; ".join([*below_zero(found.relaxed_ev), *others]),
    )


SPEC = BenchmarkSpec(
    name="vacancy-formation",
    version=1,
    title="Formation energy of a vacancy",
    quantities=_QUANTITIES,
    cases=cases,
    run=run,
)
