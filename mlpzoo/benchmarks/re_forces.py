"""``re-forces``: force errors on all atoms and on the rare-event (RE) atoms of labelled snapshots.

Definitions: `mlpzoo.metrics.rare_event`; Liu, He, Mo, npj Comput. Mater. 9, 174 (2023),
doi 10.1038/s41524-023-01123-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import (
    BenchmarkSpec,
    Case,
    Job,
    Outcome,
    Quantity,
    RunSettings,
)
from mlpzoo.benchmarks.snapshots import labelled_cases
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import Dataset, DatasetSpec
    from mlpzoo.metrics import ForceComparison

SMOKE_SNAPSHOTS = 3
_RESAMPLE = "resample:"


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a data set of kind ``re-forces``; those that are not fetched yet say how to."""
    return labelled_cases(datasets, "re-forces")


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Energies and forces of every snapshot, against the labels.

    A model without energies gives the force columns only.

    Raises:
        DataError: The data set is not what its manifest says.
    """
    dataset, chosen = _load(case, settings)
    with_energy = "energy" in calculator.implemented_properties and dataset.energies is not None
    forces, energies = [], []
    for done, index in enumerate(chosen):
        job.progress(done, len(chosen), "snapshots")
        atoms = dataset.frames[index].copy()
        forces.append(calculator.get_property("forces", atoms))
        if with_energy:
            energies.append(calculator.get_property("energy", atoms))
    job.progress(len(chosen), len(chosen), "snapshots")
    return _outcome(_comparison(dataset, chosen, forces, energies), _distances(dataset, chosen), settings)


def run_floor(case: Case, level: str, settings: RunSettings) -> Outcome:
    """The reference's own noise: its labels at a coarser setting against those at the reference setting."""
    dataset, chosen = _load(case, settings)
    coarse = dataset.levels[level]
    forces = [coarse.forces[i] for i in chosen]
    energies = [] if coarse.energies is None else [coarse.energies[i] for i in chosen]
    return _outcome(_comparison(dataset, chosen, forces, energies), _distances(dataset, chosen), settings)


def _load(case: Case, settings: RunSettings) -> tuple[Dataset, list[int]]:
    """The data set and the snapshots that the profile uses: all, or for ``smoke`` a few with RE atoms."""
    from mlpzoo.data.dataset import load_dataset

    dataset = load_dataset(Path(case.params["directory"]))
    if dataset.re_mask is None:
        raise DataError(f"data set '{case.name}' has no RE labels")
    chosen = list(range(len(dataset)))
    if settings.profile == "smoke":
        chosen = [i for i in chosen if dataset.re_mask[i].any()][:SMOKE_SNAPSHOTS]
    return dataset, chosen


def _comparison(
    dataset: Dataset, chosen: list[int], forces: list[Any], energies: list[Any]
) -> ForceComparison:
    from mlpzoo.metrics import ForceComparison

    assert dataset.re_mask is not None  # noqa: S101  (checked by _load)
    both = bool(energies) and dataset.energies is not None
    return ForceComparison.from_snapshots(
        reference_forces=[dataset.forces[i] for i in chosen],
        predicted_forces=forces,
        re_masks=[dataset.re_mask[i] for i in chosen],
        reference_energies=[dataset.energies[i] for i in chosen] if both else None,  # type: ignore[index]
        predicted_energies=energies if both else None,
    )


def _distances(dataset: Dataset, chosen: list[int]) -> Any:
    """Distance of each atom to the nearest RE atom in Å, for the curve of the error against it."""
    import numpy as np

    assert dataset.r is not None  # noqa: S101  (a set with RE labels has it)
    return np.concatenate([dataset.r[i] for i in chosen])


def _outcome(comparison: ForceComparison, distances: Any, settings: RunSettings) -> Outcome:
    from mlpzoo.metrics import rare_event_metrics, resample

    drawn = resample(comparison, seed=settings.seed)
    arrays: dict[str, Any] = {
        "forces": comparison.predicted_forces,
        "reference_forces": comparison.reference_forces,
        "snapshot": comparison.snapshot,
        "re_mask": comparison.re_mask,
        "r": distances,
        **{f"{_RESAMPLE}{name}": values for name, values in drawn.resamples.items()},
    }
    if comparison.predicted_energies is not None:
        arrays["energies"] = comparison.predicted_energies
        arrays["reference_energies"] = comparison.reference_energies
    values = rare_event_metrics(comparison)
    undefined = int(values["n_undefined_angles_re"])
    return Outcome(
        values=values,
        interval={k: (i.low, i.high) for k, i in drawn.intervals().items()},
        arrays=arrays,
        message=f"{undefined} RE atoms without a force have no angle: left out of δθ" if undefined else "",
    )


def compare(a: dict[str, Any], b: dict[str, Any], settings: RunSettings) -> dict[str, tuple[float, float]]:
    """95 % interval of the difference a - b of each metric, over the same resamples of the same snapshots."""
    import numpy as np

    del settings
    found = {}
    for name in sorted(set(a) & set(b)):
        if name.startswith(_RESAMPLE):
            difference = a[name] - b[name]
            difference = difference[np.isfinite(difference)]
            if len(difference):
                low, high = np.percentile(difference, [2.5, 97.5])
                found[name.removeprefix(_RESAMPLE)] = (float(low), float(high))
    return found


def draw(rows: dict[str, Any], floors: dict[str, Any], title: str) -> Any:
    """The figure of a table; matplotlib is imported when it is wanted."""
    from mlpzoo.benchmarks import re_forces_figure

    return re_forces_figure.draw(rows, floors, title)


_SHOWN = (
    Quantity(name="force_rmse_all", unit="eV/Å", title="F RMSE all"),
    Quantity(name="force_rmse_re", unit="eV/Å", title="F RMSE RE"),
    Quantity(name="force_rmse_ratio", unit="", title="RE/all", decimals=2, better="none"),
    Quantity(name="magnitude_error_mean_re", unit="eV/Å", title="⟨|δF|⟩ RE"),
    Quantity(name="magnitude_error_over_0p5_re", unit="%", title="|δF|>0.5 RE", decimals=1),
    Quantity(name="angle_median_re", unit="°", title="med δθ RE", decimals=1),
    Quantity(name="angle_over_15_re", unit="%", title="δθ>15° RE", decimals=1),
    Quantity(name="angle_over_30_re", unit="%", title="δθ>30° RE", decimals=1),
    Quantity(name="energy_rmse", unit="meV/atom", title="E RMSE", decimals=2),
)
_MORE = (
    Quantity(name="force_mae_all", unit="eV/Å", title="F MAE all", shown=False),
    Quantity(name="force_mae_re", unit="eV/Å", title="F MAE RE", shown=False),
    Quantity(name="magnitude_error_mean_all", unit="eV/Å", title="⟨|δF|⟩ all", shown=False),
    Quantity(name="magnitude_error_over_0p5_all", unit="%", title="|δF|>0.5 all", decimals=1, shown=False),
    Quantity(name="angle_median_all", unit="°", title="med δθ all", decimals=1, shown=False),
    Quantity(name="angle_over_15_all", unit="%", title="δθ>15° all", decimals=1, shown=False),
    Quantity(name="angle_over_30_all", unit="%", title="δθ>30° all", decimals=1, shown=False),
    Quantity(name="energy_offset", unit="meV/atom", title="E offset", decimals=1, better="none", shown=False),
    *(
        Quantity(name=name, unit="", title=title, decimals=0, better="none", shown=False, in_heading=True)
        for name, title in (("n_snapshots", "snapshots"), ("n_re_atoms", "RE atoms"))
    ),
    *(
        Quantity(name=name, unit="", title=title, decimals=0, better="none", shown=False)
        for name, title in (
            ("n_atoms", "atoms"),
            ("n_re_snapshots", "snapshots with RE atoms"),
            ("n_undefined_angles_all", "undefined angles all"),
            ("n_undefined_angles_re", "undefined angles RE"),
        )
    ),
)

SPEC = BenchmarkSpec(
    name="re-forces",
    version=1,
    title="Force errors on rare-event (migrating) atoms against DFT",
    quantities=(*_SHOWN, *_MORE),
    cases=cases,
    run=run,
    run_floor=run_floor,
    compare=compare,
    draw=draw,
)
