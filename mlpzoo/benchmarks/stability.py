"""``stability``: does MD conserve energy, and does the crystal hold?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Profile, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import crystal_cases, supercell_repeat

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec

_NVE_PS: dict[Profile, float] = {"smoke": 0.1, "standard": 2.0, "paper": 50.0}
_NVT_PS: dict[Profile, float] = {"smoke": 0.2, "standard": 5.0, "paper": 200.0}
NVE_SHARE, NVT_SHARE = 0.5, 0.9
"""Temperatures, as shares of the experimental melting temperature."""

QUANTITIES = (
    Quantity(name="energy_drift", unit="meV/atom/ps", title="|NVE drift|", decimals=4),
    Quantity(name="energy_fluctuation", unit="meV/atom", title="NVE rms", decimals=4),
    Quantity(name="survived", unit="ps", title="NVT survived", decimals=2, better="none"),
    Quantity(name="survival", unit="%", title="of the run", decimals=0, better="none"),
    Quantity(name="nve_temperature", unit="K", title="NVE T", decimals=0, better="none", shown=False),
    Quantity(name="n_atoms", unit="", title="atoms", decimals=0, better="none", in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal."""
    return crystal_cases(datasets, benchmark="stability", quantities=QUANTITIES)


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """NVE at half of the melting temperature, time step 1 fs; NVT at nine tenths of it, 2 fs.

    Exploding and melting are results. Velocities are Maxwell-Boltzmann, the lattice constant is the model's.

    Raises:
        CalculationError: There is no lattice constant.
    """
    import numpy as np

    from mlpzoo.physics.basins import MeltedError
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.eos import equation_of_state
    from mlpzoo.physics.events import find_events
    from mlpzoo.physics.md import ExplodedError, langevin, velocity_verlet

    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    atoms = crystal.supercell(repeat)
    atoms.calc = calculator
    melting = case.params["melting_temperature_kelvin"]
    values: dict[str, float] = {"n_atoms": float(len(atoms))}
    absent: dict[str, str] = {}
    remarks: list[str] = []
    arrays: dict[str, Any] = {}
    try:
        nve = list(
            velocity_verlet(
                atoms,
                temperature_kelvin=NVE_SHARE * melting,
                start_temperature_kelvin=2 * NVE_SHARE * melting,
                time_fs=1e3 * _NVE_PS[settings.profile],
                seed=settings.seed,
                progress=job.progress,
                checkpoint=job.checkpoint("nve"),
            )
        )
    except ExplodedError as error:
        absent |= {"energy_drift": "exploded", "energy_fluctuation": "exploded"}
        remarks.append(f"NVE exploded after {error.time_fs / 1e3:.2f} ps")
    else:
        time_ps = np.array([frame.time_fs for frame in nve]) / 1e3
        total = np.array([f.potential_energy_ev + f.kinetic_energy_ev for f in nve]) * 1e3 / len(atoms)
        slope, level = np.polyfit(time_ps, total, 1)
        values |= {
            "energy_drift": abs(float(slope)),
            "energy_fluctuation": float(np.std(total - slope * time_ps - level)),
            "nve_temperature": float(np.mean([f.temperature_kelvin for f in nve[len(nve) // 2 :]])),
        }
        arrays = {"time_ps": time_ps, "total_energy_mev_per_atom": total}
    wanted_ps = _NVT_PS[settings.profile]
    survived_ps, how, frames = wanted_ps, "", []
    try:
        for frame in langevin(
            atoms,
            temperature_kelvin=NVT_SHARE * melting,
            start_temperature_kelvin=2 * NVT_SHARE * melting,
            time_fs=1e3 * wanted_ps,
            sample_every=10,
            seed=settings.seed,
            progress=job.progress,
            checkpoint=job.checkpoint("nvt"),
        ):
            frames.append(frame.positions_ang)  # noqa: PERF401  (those before an explosion count)
    except ExplodedError as error:
        survived_ps, how = error.time_fs / 1e3, "exploded"
    try:
        find_events(np.array(frames), crystal.sites(repeat, interstitials=False), frame_fs=20.0)
    except MeltedError as error:
        survived_ps, how = error.time_fs / 1e3, "melted"
    if how:
        remarks.append(f"NVT at {NVT_SHARE * melting:.0f} K {how} after {survived_ps:.2f} ps")
    values |= {"survived": survived_ps, "survival": 100 * survived_ps / wanted_ps}
    return Outcome(values=values, absent=absent, arrays=arrays, message="; ".join(remarks))


SPEC = BenchmarkSpec(
    name="stability",
    version=1,
    title="Energy conservation and survival of the crystal in MD",
    quantities=QUANTITIES,
    cases=cases,
    run=run,
)
