"""Which data sets there are: embedded and public.  Reads ``dataset.toml`` files only."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mlpzoo.data.crystal import CRYSTAL_NAME
from mlpzoo.data.fetch import PUBLIC, fetch
from mlpzoo.data.location import cache_root, embedded_root
from mlpzoo.data.manifest import MANIFEST_NAME
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from mlpzoo.data.sources import PublicSet


def available() -> tuple[DatasetSpec, ...]:
    """All data sets that come with mlpzoo or can be fetched by it, sorted by origin and name.

    A set whose manifest cannot be read is listed with its ``problem``: it must not hide the others.
    """
    return (*_embedded(), *sorted(map(_public, PUBLIC), key=lambda spec: spec.name))


def _embedded() -> tuple[DatasetSpec, ...]:
    try:
        root = embedded_root()
    except DataError:
        return ()
    paths = [
        path.relative_to(root).parent for name in (MANIFEST_NAME, CRYSTAL_NAME) for path in root.rglob(name)
    ]
    specs = (
        _described(root, path)
        for path in paths
        if not any(part.startswith(".") for part in path.parts)  # half-written sets
    )
    return tuple(sorted(specs, key=lambda spec: spec.name))


def _described(root: Path, path: Path) -> DatasetSpec:
    try:
        return DatasetSpec.from_directory(root / path, origin="embedded")
    except DataError as error:
        name = "-".join(path.parts)
        problem = error.message
        return DatasetSpec(name=name, origin="embedded", directory=root / path, problem=problem)


def _public(public: PublicSet) -> DatasetSpec:
    get = functools.partial(fetch, public.name)
    directory = cache_root() / public.name
    problem = ""
    if (directory / MANIFEST_NAME).is_file():
        try:
            return DatasetSpec.from_directory(directory, origin="public", fetch=get)
        except DataError as error:
            problem = error.message
    return DatasetSpec(
        name=public.name,
        title=public.title,
        kind=public.kind,
        system=public.system,
        elements=public.elements,
        licence=public.licence,
        citation=public.citation,
        n_frames=public.n_frames,
        size_bytes=public.size_bytes,
        origin="public",
        fetch=get,
        problem=problem,
    )
