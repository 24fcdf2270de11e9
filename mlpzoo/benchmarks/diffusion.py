"""``diffusion``: MD of a supercell with one defect at three temperatures.

Diffusivity, hops, activation energy; definitions: `mlpzoo.physics.diffusion`, `.arrhenius`, `.events`. The
diffusivity is that of all atoms of a cell that holds one defect: it is proportional to the concentration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Profile, Quantity, RunSettings
from mlpzoo.benchmarks.crystals import crystal_cases, supercell_repeat

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec
    from mlpzoo.physics.defect_dynamics import DefectRun

_TOTAL_PS: dict[Profile, tuple[float, float]] = {
    "smoke": (0.4, 0.1),
    "standard": (12.0, 2.0),
    "paper": (500.0, 10.0),
}
"""Length of each run and of its beginning, which is not analysed."""
_KEPT_FS: dict[Profile, float] = {"smoke": 20.0, "standard": 40.0, "paper": 200.0}
"""Stride of the trajectories in the result."""
_UNIT = "10⁻⁶ cm²/s"
_SCALE = 1e6
_N = 3

QUANTITIES = (
    *(Quantity(name=f"d_{i}", unit=_UNIT, title=f"D(T{i})", decimals=2, better="closer") for i in (1, 2, 3)),
    *(Quantity(name=f"hops_{i}", unit="", title=f"hops(T{i})", decimals=0, better="none") for i in (1, 2, 3)),
    Quantity(name="activation_energy", unit="eV", title="E_a", decimals=2, better="closer"),
    Quantity(name="correlation", unit="", title="D/D_hops", decimals=2, better="none"),
    Quantity(name="prefactor", unit=_UNIT, title="D0", decimals=1, better="none", shown=False),
    *(
        Quantity(name=f"residence_{i}", unit="ps", title=f"t(T{i})", decimals=2, better="none", shown=False)
        for i in (1, 2, 3)
    ),
    *(
        Quantity(
            name=f"d_hops_{i}", unit=_UNIT, title=f"D_hops(T{i})", decimals=2, better="none", shown=False
        )
        for i in (1, 2, 3)
    ),
    *(
        Quantity(name=f"mean_t_{i}", unit="K", title=f"T{i}", decimals=0, better="none", shown=False)
        for i in (1, 2, 3)
    ),
    Quantity(name="n_atoms", unit="", title="atoms", decimals=0, better="none", in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """Two cases a crystal: with a vacancy, and with an interstitial."""
    return [
        case
        for defect in ("vacancy", "interstitial")
        for case in crystal_cases(
            datasets, benchmark="diffusion", quantities=QUANTITIES, suffix=defect, defect=defect
        )
    ]


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Langevin dynamics at the model's own lattice constant of 0 K, from the unrelaxed defect.

    Raises:
        CalculationError: There is no lattice constant.
    """
    import numpy as np

    from mlpzoo.physics.crystals import Crystal
    from mlpzoo.physics.defect_dynamics import RunLength, run_defect
    from mlpzoo.physics.defect_sites import interstitial_starts, vacancy
    from mlpzoo.physics.eos import equation_of_state
    from mlpzoo.physics.rdf import radial_distribution
    from mlpzoo.physics.trajectory import encode

    crystal = Crystal.from_params(case.params)
    eos = equation_of_state(crystal, calculator, progress=job.progress)
    crystal = crystal.with_lattice_constant(eos.lattice_constant_ang)
    repeat = supercell_repeat(crystal.structure, settings.profile)
    interstitial = case.params["defect"] == "interstitial"
    if interstitial:
        starts = interstitial_starts(crystal, repeat)
        atoms = starts["tetrahedral" if crystal.structure == "diamond" else next(iter(starts))]
    else:
        atoms = vacancy(crystal, repeat)
    sites = crystal.sites(repeat, interstitials=interstitial)
    total, discarded = _TOTAL_PS[settings.profile]
    temperatures = _temperatures(case.params["diffusion_temperatures_kelvin"])
    n_steps = round(1e3 * total / 2.0)
    runs: list[DefectRun] = []
    arrays: dict[str, Any] = {"cell_ang": atoms.cell.array, "temperatures_kelvin": np.array(temperatures)}
    for number, temperature in enumerate(temperatures):

        def told(done: int, of: int, what: str, before: int = number * n_steps) -> None:
            del of
            job.progress(before + done, _N * n_steps, what)

        found = run_defect(
            atoms,
            sites,
            calculator,
            temperature_kelvin=temperature,
            length=RunLength(total_fs=1e3 * total, equilibration_fs=1e3 * discarded),
            seed=settings.seed,
            progress=told,
            checkpoint=job.checkpoint(f"md-{number}"),
        )
        runs.append(found)
        stride = max(1, round(_KEPT_FS[settings.profile] / found.frame_fs))
        kept = found.positions_ang[::stride]
        if len(kept):
            around = radial_distribution(kept[:: max(1, len(kept) // 50)], atoms.cell.array)
            arrays |= {
                f"first_ang:{number}": kept[0],
                f"trajectory:{number}": encode(kept),
                f"frame_fs:{number}": stride * found.frame_fs,
                f"r_ang:{number}": around.r_ang,
                f"g:{number}": around.g,
            }
    return _outcome(runs, temperatures, arrays, crystal.structure, len(atoms), interstitial=interstitial)


def _temperatures(known: Sequence[float]) -> list[float]:
    """The lowest, the middle and the highest of those that the crystal lists."""
    return [known[0], known[len(known) // 2], known[-1]]


def _outcome(
    runs: Sequence[DefectRun],
    temperatures: Sequence[float],
    arrays: dict[str, Any],
    structure: str,
    n_atoms: int,
    *,
    interstitial: bool,
) -> Outcome:
    from mlpzoo.physics import arrhenius
    from mlpzoo.physics.diffusion import MANY_HOPS, VACANCY_CORRELATION

    values: dict[str, float] = {"n_atoms": float(n_atoms)}
    interval: dict[str, tuple[float, float]] = {}
    absent: dict[str, str] = {}
    remarks = ["T1, T2, T3 = " + ", ".join(f"{t:g}" for t in temperatures) + " K"]
    known = [(t, run.diffusivity) for t, run in zip(temperatures, runs, strict=True) if run.diffusivity]
    for number, (temperature, run) in enumerate(zip(temperatures, runs, strict=True), start=1):
        if run.diffusivity is not None:
            values[f"d_{number}"] = _SCALE * run.diffusivity.value
            interval[f"d_{number}"] = (_SCALE * run.diffusivity.low, _SCALE * run.diffusivity.high)
        else:
            absent[f"d_{number}"] = run.problem
        if run.hops is None:
            absent[f"hops_{number}"] = run.problem
            remarks.append(f"{temperature:g} K: {run.detail}")
            continue
        jumps, residence = run.hops.jump_diffusivity, run.hops.residence_fs
        values |= {
            f"hops_{number}": float(run.hops.number),
            f"d_hops_{number}": _SCALE * jumps.value,
            f"mean_t_{number}": run.mean_temperature_kelvin,
        }
        interval[f"d_hops_{number}"] = (_SCALE * jumps.low, _SCALE * jumps.high)
        if run.hops.number:
            values[f"residence_{number}"] = residence.value / 1e3
            interval[f"residence_{number}"] = (residence.low / 1e3, residence.high / 1e3)
        else:
            absent[f"residence_{number}"] = "no hop"
    if len(known) < arrhenius.FEWEST_TEMPERATURES:
        absent["activation_energy"] = absent["prefactor"] = "too few T"
    else:
        line = arrhenius.fit([t for t, _ in known], [d for _, d in known])
        energy, prefactor = line.activation_energy_ev, line.prefactor
        values |= {"activation_energy": energy.value, "prefactor": _SCALE * prefactor.value}
        interval["activation_energy"] = (energy.low, energy.high)
        if _SCALE * prefactor.high < float("inf"):
            interval["prefactor"] = (_SCALE * prefactor.low, _SCALE * prefactor.high)
    jumped = sum(run.hops.jump_diffusivity.value for run in runs if run.diffusivity and run.hops)
    if jumped > 0:
        values["correlation"] = sum(d.value for _, d in known) / jumped
        expected = "" if interstitial else f"; {VACANCY_CORRELATION[structure]:g} by theory, long runs"
        lags = ", ".join(f"{run.lag_fs / 1e3:.2g}" for run in runs if run.diffusivity)
        if any(run.diffusivity and run.hops and run.hops.number < MANY_HOPS for run in runs):
            remarks.append(f"with fewer than {MANY_HOPS} hops, D is up to twice too large")
        remarks.append(f"D from displacements over lags of {lags} ps{expected}")
    else:
        absent["correlation"] = next(run.problem for run in runs if run.problem)
    return Outcome(values=values, interval=interval, absent=absent, arrays=arrays, message="; ".join(remarks))


def draw(rows: dict[str, Any], floors: dict[str, Any], title: str) -> Any:
    """The radial distribution functions of each run; matplotlib is imported when it is wanted."""
    from mlpzoo.benchmarks import rdf_figure

    del floors
    curves = {
        f"{name}, {temperature:g} K": (arrays[f"r_ang:{i}"], arrays[f"g:{i}"])
        for name, arrays in rows.items()
        for i, temperature in enumerate(arrays["temperatures_kelvin"])
        if f"g:{i}" in arrays
    }
    return rdf_figure.draw(curves, {}, title)


SPEC = BenchmarkSpec(
    name="diffusion",
    version=1,
    title="Diffusivity, hops and activation energy by MD with one defect",
    quantities=QUANTITIES,
    cases=cases,
    run=run,
    draw=draw,
)
