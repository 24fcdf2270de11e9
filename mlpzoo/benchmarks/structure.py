"""``structure``: the radial distribution function g(r) of MD, and its difference from a reference trajectory.

A reference is a data set whose manifest says ``sampled_by = "AIMD"`` and ``temperature_kelvin`` in its
``[provenance]``: the model runs the same cell at the same temperature. Definitions: `mlpzoo.physics.rdf`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Profile, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import crystal_cases, supercell_repeat
from mlpzoo.benchmarks.snapshots import labelled_cases

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec

_TOTAL_PS: dict[Profile, tuple[float, float]] = {
    "smoke": (0.2, 0.1),
    "standard": (5.0, 1.0),
    "paper": (100.0, 5.0),
}
"""Length of the run and of its beginning, which is not analysed."""
SHARE = 0.7
"""Temperature of crystals without a reference, as a share of the experimental melting temperature."""
_SAMPLE_STEPS = 10
_ODD_TEMPERATURE = 0.2
"""A mean temperature that is off by more is told; that of 100 atoms fluctuates by 6 %."""
_HALVES = "halves"

QUANTITIES = (
    Quantity(name="g_difference", unit="%", title="Δg(r)", decimals=1, conditional=True),
    Quantity(name="peak_position", unit="Å", title="1st peak", better="closer"),
    Quantity(name="peak_height", unit="", title="height", decimals=2, better="closer"),
    Quantity(name="first_minimum", unit="Å", title="1st minimum", decimals=2, better="none"),
    Quantity(name="coordination", unit="", title="neighbours", decimals=2, better="closer"),
    Quantity(name="mean_temperature", unit="K", title="T", decimals=0, better="none", shown=False),
    Quantity(name="n_atoms", unit="", title="atoms", decimals=0, better="none", in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a crystal, and one a data set that was sampled by AIMD."""
    sampled = [d for d in datasets if d.kind != "crystal" and d.sampled_by == "AIMD"]
    labelled = [case for kind in sorted({d.kind for d in sampled}) for case in labelled_cases(sampled, kind)]
    return [
        *crystal_cases(datasets, benchmark="structure", quantities=QUANTITIES),
        *(replace(case, floors={_HALVES: "AIMD, half against half"}) for case in labelled),
    ]


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Langevin dynamics at constant volume; g(r) every 20 fs.  That a crystal melts is a result.

    Raises:
        CalculationError: There is no lattice constant, or the trajectory exploded.
        DataError: The reference is not what its manifest says.
    """
    import numpy as np

    from mlpzoo.physics.md import langevin
    from mlpzoo.physics.rdf import radial_distribution

    atoms, temperature, reference = _start(calculator, case, settings, job)
    atoms.calc = calculator
    total, discarded = _TOTAL_PS[settings.profile]
    frames = list(
        langevin(
            atoms,
            temperature_kelvin=temperature,
            start_temperature_kelvin=temperature if reference else 2 * temperature,
            time_fs=1e3 * total,
            sample_every=_SAMPLE_STEPS,
            seed=settings.seed,
            progress=job.progress,
            checkpoint=job.checkpoint("nvt"),
        )
    )
    kept = [frame for frame in frames if frame.time_fs >= 1e3 * discarded]
    found = radial_distribution((frame.positions_ang for frame in kept), atoms.cell.array)
    mean_temperature = float(np.mean([frame.temperature_kelvin for frame in kept]))
    values = {"mean_temperature": mean_temperature, "n_atoms": float(len(atoms))}
    absent: dict[str, str] = {}
    message = f"NVT at {temperature:.0f} K"
    if abs(mean_temperature / temperature - 1) > _ODD_TEMPERATURE:
        message += f", but {mean_temperature:.0f} K in the mean"
    melted_ps = None if reference else _melted(case, settings, atoms, frames)
    if melted_ps is None:
        values |= _values(found)
    else:
        absent = dict.fromkeys(_values(found), "melted")
        message += f", melted after {melted_ps:.2f} ps"
    arrays: dict[str, Any] = {"r_ang": found.r_ang, "g": found.g}
    if reference:
        known = radial_distribution(reference, atoms.cell.array)
        values["g_difference"] = found.difference_percent(known)
        arrays["reference_g"] = known.g
        message += f", against {len(reference)} AIMD snapshots"
    return Outcome(values=values, absent=absent, arrays=arrays, message=message)


def run_floor(case: Case, floor: str, settings: RunSettings) -> Outcome:
    """The reference's own noise: the g(r) of one half of its snapshots against that of the other."""
    from mlpzoo.physics.rdf import radial_distribution

    del floor, settings
    dataset = _dataset(case)
    cell = dataset.frames[0].cell.array
    even, odd, every = (
        radial_distribution([atoms.positions for atoms in frames], cell)
        for frames in (dataset.frames[::2], dataset.frames[1::2], dataset.frames)
    )
    return Outcome(
        values={**_values(every), "g_difference": even.difference_percent(odd)},
        arrays={"r_ang": every.r_ang, "g": every.g},
    )


def _melted(case: Case, settings: RunSettings, atoms: Any, frames: list[Any]) -> float | None:
    """When a crystal melted, in ps: what a liquid's g(r) has are not the peaks of a crystal."""
    import numpy as np

    from mlpzoo.physics.basins import MeltedError
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.events import find_events

    crystal = Crystal.from_params(case.params)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    crystal = crystal.with_lattice_constant(float(atoms.cell.lengths()[0]) / repeat)
    positions = np.array([frame.positions_ang for frame in frames])
    step_fs = frames[1].time_fs - frames[0].time_fs
    try:
        find_events(positions, crystal.sites(repeat, interstitials=False), frame_fs=step_fs)
    except MeltedError as error:
        return error.time_fs / 1e3
    return None


def _values(found: Any) -> dict[str, float]:
    return {
        "peak_position": found.peak_position_ang,
        "peak_height": float(found.g[found.first_peak]),
        "first_minimum": found.first_minimum_ang,
        "coordination": found.coordination,
    }


def _start(
    calculator: Calculator, case: Case, settings: RunSettings, job: Job
) -> tuple[Any, float, list[Any]]:
    """Structure, temperature, and the reference's positions (none for a crystal)."""
    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.eos import equation_of_state

    if "directory" in case.params:
        dataset = _dataset(case)
        temperature = float(dataset.spec.provenance["temperature_kelvin"])
        return dataset.frames[0].copy(), temperature, [atoms.positions for atoms in dataset.frames]
    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    atoms = crystal.supercell(supercell_repeat(crystal.structure, settings.profile))
    return atoms, SHARE * float(case.params["melting_temperature_kelvin"]), []


def _dataset(case: Case) -> Any:
    import numpy as np

    from mlpzoo.data.dataset import load_dataset
    from mlpzoo.errors import DataError

    dataset = load_dataset(Path(case.params["directory"]))
    cell = dataset.frames[0].cell.array
    if "temperature_kelvin" not in dataset.spec.provenance:
        raise DataError(f"'{case.name}' has no temperature_kelvin", hint="write it into [provenance]")
    if any(not np.allclose(atoms.cell.array, cell) for atoms in dataset.frames):
        raise DataError(
            f"the snapshots of '{case.name}' have different cells", hint="use those of one trajectory"
        )
    return dataset


def draw(rows: dict[str, Any], floors: dict[str, Any], title: str) -> Any:
    """g(r) of each model, and of the reference; matplotlib is imported when it is wanted."""
    from mlpzoo.benchmarks import rdf_figure

    curves = {name: (arrays["r_ang"], arrays["g"]) for name, arrays in rows.items()}
    references = {name: (arrays["r_ang"], arrays["g"]) for name, arrays in floors.items()}
    return rdf_figure.draw(curves, references, title)


SPEC = BenchmarkSpec(
    name="structure",
    version=2,
    title="Radial distribution function in MD",
    quantities=QUANTITIES,
    cases=cases,
    run=run,
    run_floor=run_floor,
    draw=draw,
)
