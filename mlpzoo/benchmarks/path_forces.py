"""``path-forces``: energies and forces of the DFT-labelled images of a fixed path, without any relaxation.

The pure error of a model along a migration: no end point and no saddle of its own can hide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, Quantity, RunSettings
from mlpzoo.benchmarks.snapshots import labelled_cases

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import Dataset, DatasetSpec

_SMOKE_IMAGES = 3

QUANTITIES = (
    Quantity(name="barrier", unit="eV", title="barrier", better="closer"),
    Quantity(name="barrier_error", unit="meV", title="|δ barrier|", decimals=1),
    Quantity(name="path_energy_rmse", unit="meV", title="E RMSE", decimals=1),
    Quantity(name="force_rmse", unit="eV/Å", title="F RMSE all"),
    Quantity(name="force_rmse_hop", unit="eV/Å", title="F RMSE hop"),
    Quantity(name="force_along_path_rmse", unit="eV/Å", title="F∥ RMSE"),
    Quantity(name="angle_hop", unit="°", title="med δθ hop", decimals=1),
    Quantity(name="n_images", unit="", title="images", decimals=0, better="none", in_heading=True),
)


def cases(datasets: Sequence[DatasetSpec]) -> list[Case]:
    """One case a data set of kind ``path-forces``."""
    return labelled_cases(datasets, "path-forces")


def run(calculator: Calculator, case: Case, settings: RunSettings, job: Job) -> Outcome:
    """Energies and forces of every image, against the labels.

    Raises:
        DataError: The data set is not what its manifest says.
    """
    import numpy as np

    dataset, chosen = _load(case, settings)
    energies, forces = [], []
    for done, index in enumerate(chosen):
        job.progress(done, len(chosen), "images")
        atoms = dataset.frames[index].copy()
        forces.append(np.array(calculator.get_property("forces", atoms)))
        energies.append(float(calculator.get_property("energy", atoms)))
    job.progress(len(chosen), len(chosen), "images")
    return _outcome(dataset, chosen, np.array(energies), np.array(forces))


def run_floor(case: Case, level: str, settings: RunSettings) -> Outcome:
    """The reference's own noise: a coarser setting against the reference setting."""
    import numpy as np

    dataset, chosen = _load(case, settings)
    coarse = dataset.levels[level]
    assert coarse.energies is not None  # noqa: S101  (checked by _load)
    return _outcome(dataset, chosen, coarse.energies[chosen], np.array([coarse.forces[i] for i in chosen]))


def _load(case: Case, settings: RunSettings) -> tuple[Dataset, list[int]]:
    """The data set and the images that the profile uses: all, or for ``smoke`` the ends and the middle."""
    from mlpzoo.data.dataset import load_dataset
    from mlpzoo.errors import DataError

    dataset = load_dataset(Path(case.params["directory"]))
    if dataset.energies is None or any(level.energies is None for level in dataset.levels.values()):
        raise DataError(f"data set '{case.name}' has no energies", hint="a path needs them at every level")
    if len(dataset) < _SMOKE_IMAGES or len({len(atoms) for atoms in dataset.frames}) != 1:
        raise DataError(
            f"data set '{case.name}' is no path", hint="give three or more images of the same atoms"
        )
    every = list(range(len(dataset)))
    return dataset, [0, len(dataset) // 2, len(dataset) - 1] if settings.profile == "smoke" else every


def _outcome(dataset: Dataset, chosen: list[int], energies_ev: Any, forces_ev_per_ang: Any) -> Outcome:
    import numpy as np

    from mlpzoo.metrics.path import path_errors
    from mlpzoo.physics.neb_path import path_lengths, unwrapped

    assert dataset.energies is not None  # noqa: S101  (checked by _load)
    band = unwrapped([dataset.frames[i] for i in chosen])
    found = path_errors(
        positions_ang=band,
        reference_energies_ev=dataset.energies[chosen],
        reference_forces_ev_per_ang=np.array([dataset.forces[i] for i in chosen]),
        energies_ev=energies_ev,
        forces_ev_per_ang=forces_ev_per_ang,
    )
    return Outcome(
        values={**found.values, "n_images": float(len(chosen))},
        absent={"angle_hop": "no force"} if "angle_hop" not in found.values else {},
        arrays={
            "coordinate_ang": path_lengths(band),
            "energies_ev": energies_ev,
            "reference_energies_ev": dataset.energies[chosen],
            "forces": forces_ev_per_ang,
            "hop_atoms": found.hop_atoms,
        },
    )


def draw(rows: dict[str, Any], floors: dict[str, Any], title: str) -> Any:
    """Energy profiles, each relative to the mean of its ends; DFT is drawn black."""
    from mlpzoo.benchmarks import path_figure

    def curve(arrays: dict[str, Any], name: str) -> tuple[Any, Any]:
        energies = arrays[name]
        return arrays["coordinate_ang"], energies - 0.5 * (energies[0] + energies[-1])

    known = [*rows.values(), *floors.values()]
    references = {"DFT": curve(known[0], "reference_energies_ev")} if known else {}
    references |= {name: curve(arrays, "energies_ev") for name, arrays in floors.items()}
    return path_figure.draw({name: curve(a, "energies_ev") for name, a in rows.items()}, references, title)


SPEC = BenchmarkSpec(
    name="path-forces",
    version=1,
    title="Energies and forces along a fixed, DFT-labelled migration path",
    quantities=QUANTITIES,
    cases=cases,
    run=run,
    run_floor=run_floor,
    draw=draw,
)
