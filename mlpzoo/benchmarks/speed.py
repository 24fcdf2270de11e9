"""``speed``: wall-clock time of a force call, warm, on structures that no cache knows.

Comparable only between rows from one machine, device and number of threads: the message says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import crystal_cases

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec

_WARM_UP = 3
_CALLS = {"smoke": 5, "standard": 40, "paper": 200}
_CELLS = {"diamond": 2, "fcc": 3, "bcc": 4}
_RATTLE_ANG = 0.05
_SECONDS_PER_DAY = 86400.0

_QUANTITIES = (
    Quantity(name="call_ms", unit="ms", title="force call", decimals=2),
    Quantity(name="atom_us", unit="µs", title="per atom", decimals=1),
    Quantity(name="slow_call_ms", unit="ms", title="95 % of calls under", decimals=2, shown=False),
    Quantity(name="steps_per_day", unit="million", title="MD steps/day", decimals=2, better="none"),
    Quantity(name="n_atoms", unit="", title="atoms", decimals=0, better="none", in_heading=True),
    Quantity(name="n_calls", unit="", title="calls", decimals=0, better="none", shown=False),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(datasets, benchmark="speed", quantities=_QUANTITIES)


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Median time of energy and forces of rattled supercells, after a warm-up; interval: the quartiles."""
    import os
    import platform
    import time

    import numpy as np

    from mlpzoo.physics.crystals import Crystal

    crystal = Crystal.from_params(case.params)
    perfect = crystal.supercell(_CELLS[crystal.structure])
    generator = np.random.default_rng(settings.seed)
    seconds = []
    n_calls = _CALLS[settings.profile]
    for call in range(_WARM_UP + n_calls):
        job.progress(call, _WARM_UP + n_calls, "force calls")
        atoms = perfect.copy()
        atoms.positions += _RATTLE_ANG * generator.standard_normal(atoms.positions.shape)
        start = time.perf_counter()
        calculator.get_property("forces", atoms)
        calculator.get_property("energy", atoms)
        seconds.append(time.perf_counter() - start)
    low, median, high, slow = (float(q) for q in np.percentile(seconds[_WARM_UP:], [25, 50, 75, 95]))
    per_atom = 1e6 / len(perfect)
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    return Outcome(
        values={
            "call_ms": 1e3 * median,
            "atom_us": per_atom * median,
            "slow_call_ms": 1e3 * slow,
            "steps_per_day": _SECONDS_PER_DAY / median / 1e6,
            "n_atoms": float(len(perfect)),
            "n_calls": float(n_calls),
        },
        interval={
            "call_ms": (1e3 * low, 1e3 * high),
            "atom_us": (per_atom * low, per_atom * high),
        },
        message=f"{threads} threads on {platform.node()}; the interval holds half of the calls",
    )


SPEC = BenchmarkSpec(
    name="speed",
    version=1,
    title="Wall-clock time of a force call",
    quantities=_QUANTITIES,
    cases=cases,
    run=run,
    deterministic=False,
)
