"""Cases of the benchmarks that run on labelled frames."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.benchmark import Case
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from mlpzoo.data.dataset import DatasetSpec


def labelled_cases(datasets: Sequence[DatasetSpec], kind: str) -> list[Case]:
    """One case a data set of a kind; those that are not fetched yet say how to."""
    return [_case(d) for d in datasets if d.kind == kind]


def _case(dataset: DatasetSpec) -> Case:
    from mlpzoo.data.manifest import MANIFEST_NAME, read_manifest

    unavailable = dataset.problem
    fingerprint, level, floors = "", "", {}
    if not unavailable and dataset.directory is None:
        unavailable = f"its data is not here yet: mlpzoo data fetch {dataset.name}"
    elif not unavailable and dataset.directory is not None:
        path = dataset.directory / MANIFEST_NAME
        try:
            manifest = read_manifest(path)
        except DataError as error:
            unavailable = error.message
        else:
            fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
            level = manifest.reference.level_of_theory
            floors = {f.level: f.title or f.level for f in manifest.noise_floor}
    return Case(
        name=dataset.name,
        system=dataset.system,
        elements=tuple(dataset.elements),
        title=dataset.title,
        params={"directory": str(dataset.directory or "")},
        fingerprint=fingerprint,
        level_of_theory=level,
        floors=floors,
        unavailable=unavailable,
    )
