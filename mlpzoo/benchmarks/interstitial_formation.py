"""``interstitial-formation``: formation energies of self-interstitials.

Definitions: `mlpzoo.physics.defects`, and of the configurations `mlpzoo.physics.defect_sites`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import below_zero, crystal_cases, force_tolerance, supercell_repeat

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec
    from mlpzoo.physics.defects import InterstitialFormation

_TITLES = {
    "split_110": "E_f ⟨110⟩",
    "dumbbell_100": "E_f ⟨100⟩",
    "dumbbell_111": "E_f ⟨111⟩",
    "tetrahedral": "E_f tetra.",
    "hexagonal": "E_f hex.",
    "octahedral": "E_f octa.",
}
_QUANTITIES = (
    Quantity(name="formation_lowest", unit="eV", title="E_f lowest", better="closer"),
    *(
        Quantity(name=f"formation_{name}", unit="eV", title=title, better="closer", conditional=True)
        for name, title in _TITLES.items()
    ),
    Quantity(name="n_sites", unit="", title="sites", decimals=0, better="none", shown=False, in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(
        datasets, benchmark="interstitial-formation", quantities=_QUANTITIES, suffix="interstitial"
    )


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Formation energies at the model's own lattice constant; what became something else has no number.

    Raises:
        CalculationError: There is no lattice constant, or no configuration could be relaxed.
    """
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.defects import interstitial_formation
    from mlpzoo.physics.eos import equation_of_state

    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    found = interstitial_formation(
        crystal.with_lattice_constant(eos.lattice_constant_ang),
        calculator,
        repeat=supercell_repeat(crystal.structure, settings.profile),
        fmax_ev_per_ang=force_tolerance(settings.profile),
        check_stability=case.params.get("check_stability", settings.profile != "smoke"),
        seed=settings.seed,
        progress=job.progress,
        checkpoint=job.checkpoint("interstitial"),
    )
    return _outcome(found)


def _outcome(found: InterstitialFormation) -> Outcome:
    from mlpzoo.physics.defect_sites import INTERSTITIALS

    lowest, energy = found.lowest()
    values = {"formation_lowest": energy, "n_sites": float(found.n_sites)}
    absent = {f"formation_{name}": "failed" for name in found.failed if name in INTERSTITIALS}
    remarks = [f"lowest: {INTERSTITIALS.get(lowest, lowest)}", *below_zero(energy)]
    for name, one in found.found.items():
        called = INTERSTITIALS[name]
        if one.became == name:
            values[f"formation_{name}"] = one.formation_ev
        else:
            became = INTERSTITIALS.get(one.became, one.became)
            absent[f"formation_{name}"] = f"→ {became}"
            remarks.append(f"{called} relaxed into {became}, {one.formation_ev:.3f} eV")
        if one.displaced_to:
            other = INTERSTITIALS.get(one.displaced_to, one.displaced_to)
            remarks.append(f"{called} is unstable: {other}, {one.displaced_ev:.3f} eV, when displaced")
    remarks += [f"{INTERSTITIALS.get(name, name)}: {reason}" for name, reason in found.failed.items()]
    arrays = {f"positions_ang:{name}": one.relaxed.atoms.positions for name, one in found.found.items()}
    cell = next(iter(found.found.values())).relaxed.atoms.cell.array
    return Outcome(
        values=values, absent=absent, arrays={"cell_ang": cell, **arrays}, message="; ".join(remarks)
    )


SPEC = BenchmarkSpec(
    name="interstitial-formation",
    version=1,
    title="Formation energies of self-interstitials",
    quantities=_QUANTITIES,
    cases=cases,
    run=run,
)
