"""``interstitial-migration``: the barrier between neighbouring ground-state interstitials.

Definitions: `mlpzoo.physics.neb` and `mlpzoo.physics.hops`.
"""

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
        datasets, benchmark="interstitial-migration", quantities=migration.QUANTITIES, suffix="interstitial"
    )


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Find the model's own ground state among the known configurations, then the path to its neighbour.

    Raises:
        CalculationError: There is no lattice constant, no known configuration is stable, an end did not
            relax, or no path converged.
    """
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.defects import ground_state, interstitial_formation
    from mlpzoo.physics.eos import equation_of_state
    from mlpzoo.physics.hops import interstitial_hop
    from mlpzoo.physics.neb import find_path
    from mlpzoo.physics.relax import relax

    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    fmax = force_tolerance(settings.profile) / 2
    found = interstitial_formation(
        crystal,
        calculator,
        repeat=repeat,
        fmax_ev_per_ang=fmax,
        check_stability=False,
        progress=job.progress,
        checkpoint=job.checkpoint("ground-state"),
    )
    hop = interstitial_hop(crystal, repeat, ground_state(found))
    initial, final = (
        relax(
            end,
            calculator,
            fmax_ev_per_ang=fmax,
            progress=job.progress,
            checkpoint=job.checkpoint(name),
        )
        for name, end in (("initial", hop.initial), ("final", hop.final))
    )
    path = find_path(
        initial,
        final,
        calculator,
        migration.neb_settings(settings.profile, settings.seed),
        progress=job.progress,
        checkpoint=job.checkpoint("band"),
    )
    lowest, _ = found.lowest()
    remarks = [f"between {hop.configuration} interstitials"]
    if lowest != ground_state(found):
        remarks.append(f"the lowest structure found is {lowest}, for which no hop is known")
    return migration.outcome(path, initial, final, remarks)


SPEC = BenchmarkSpec(
    name="interstitial-migration",
    version=2,
    title="Barrier between neighbouring self-interstitials (climbing-image NEB)",
    quantities=migration.QUANTITIES,
    cases=cases,
    run=run,
    draw=migration.draw,
)
