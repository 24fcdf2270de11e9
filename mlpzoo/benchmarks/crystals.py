"""What the property benchmarks share: a case a crystal, its references, the sizes of each profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import Case, Profile, Quantity, Reference
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from mlpzoo.data.dataset import DatasetSpec

_REPEATS: dict[str, dict[Profile, int]] = {
    "diamond": {"smoke": 2, "standard": 2, "paper": 2},
    "fcc": {"smoke": 3, "standard": 3, "paper": 3},
    "bcc": {"smoke": 3, "standard": 4, "paper": 4},
}
_FMAX_EV_PER_ANG: dict[Profile, float] = {"smoke": 0.05, "standard": 0.02, "paper": 0.01}


def supercell_repeat(structure: str, profile: Profile) -> int:
    """Cubic cells in each direction of a supercell with a defect.

    Diamond: 64 atoms; fcc: 108 (with 32, interstitials have the wrong ground state); bcc: 54 (smoke) or 128.
    """
    return _REPEATS[structure][profile]


def force_tolerance(profile: Profile) -> float:
    """Largest force on any atom of a relaxed structure, in eV/Å."""
    return _FMAX_EV_PER_ANG[profile]


def below_zero(energy_ev: float) -> list[str]:
    """What to say of a formation energy."""
    if energy_ev >= 0:
        return []
    return ["a negative formation energy: the crystal is not the ground state of this model"]


def crystal_cases(
    datasets: Sequence[DatasetSpec],
    *,
    benchmark: str,
    quantities: Sequence[Quantity],
    suffix: str = "",
    **params: str,
) -> list[Case]:
    """One case a data set of kind ``crystal``, with the references that lie beside it.

    Args:
        datasets: All that are known.
        benchmark: Whose references.
        quantities: Its quantities: names and units of references have to be theirs.
        suffix: Of the case's name: ``vacancy`` gives ``si-vacancy``; empty gives ``si``.
        params: More parameters of each case.
    """
    return [
        _case(d, benchmark, {q.name: q.unit for q in quantities}, suffix, params)
        for d in datasets
        if d.kind == "crystal"
    ]


def _case(
    dataset: DatasetSpec, benchmark: str, units: dict[str, str], suffix: str, params: dict[str, str]
) -> Case:
    from mlpzoo.data.crystal import CRYSTAL_NAME, REFERENCES_NAME, read_crystal, read_references

    name = f"{dataset.system}-{suffix}" if suffix else dataset.system
    if dataset.problem or dataset.directory is None:
        return Case(
            name=name,
            system=dataset.system,
            elements=dataset.elements,
            unavailable=dataset.problem or "it lies nowhere",
        )
    crystal = read_crystal(dataset.directory / CRYSTAL_NAME)
    path = dataset.directory / REFERENCES_NAME
    references = []
    for value in read_references(path):
        if (value.benchmark, value.case) != (benchmark, name):
            continue
        if units.get(value.quantity) != value.unit:
            raise DataError(
                f"{path}: {benchmark} · {name}: {value.quantity} in '{value.unit}'",
                hint=f"quantities and units of the benchmark: {units}",
            )
        references.append(
            Reference(
                quantity=value.quantity,
                value=value.value,
                level_of_theory=value.level_of_theory,
                source=f"{value.source}; {value.note}" if value.note else value.source,
            )
        )
    return Case(
        name=name,
        system=crystal.system,
        elements=(crystal.symbol,),
        title=crystal.title,
        params={
            "symbol": crystal.symbol,
            "structure": crystal.structure,
            "lattice_constant_ang": crystal.lattice_constant_ang,
            "melting_temperature_kelvin": crystal.melting_temperature_kelvin,
            "diffusion_temperatures_kelvin": list(crystal.diffusion_temperatures_kelvin),
            **params,
        },
        references=tuple(references),
    )
