"""``vacancy-migration``: the barrier of a vacancy's hop; definitions in `mlpzoo.physics.neb` and `.hops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, RunSettings
from mlpzoo.benchmarks import migration
from mlpzoo.benchmarks.crystals import crystal_cases, force_tolerance, supercell_repeat

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(
        datasets, benchmark="vacancy-migration", quantities=migration.QUANTITIES, suffix="vacancy"
    )


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Relax both ends at the model's own lattice constant, then find the path.

    Raises:
        CalculationError: There is no lattice constant, an end did not relax, or no path converged.
    """
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.defects import vacancy_formation
    from mlpzoo.physics.eos import equation_of_state
    from mlpzoo.physics.hops import vacancy_hops
    from mlpzoo.physics.neb import find_path
    from mlpzoo.physics.relax import relax

    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    fmax = force_tolerance(settings.profile) / 2
    ground = vacancy_formation(
        crystal,
        calculator,
        repeat=repeat,
        fmax_ev_per_ang=fmax,
        progress=job.progress,
        checkpoint=job.checkpoint("initial"),
    )
    final = relax(
        vacancy_hops(crystal, repeat)[ground.start].final,
        calculator,
        fmax_ev_per_ang=fmax,
        progress=job.progress,
        checkpoint=job.checkpoint("final"),
    )
    path = find_path(
        ground.relaxed,
        final,
        calculator,
        migration.neb_settings(settings.profile, settings.seed),
        progress=job.progress,
        checkpoint=job.checkpoint("band"),
    )
    return migration.outcome(path, ground.relaxed, final, [])


SPEC = BenchmarkSpec(
    name="vacancy-migration",
    version=2,
    title="Barrier of a vacancy's hop (climbing-image NEB)",
    quantities=migration.QUANTITIES,
    cases=cases,
    run=run,
    draw=migration.draw,
)
