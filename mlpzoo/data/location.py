"""Where data sets lie: those that come with mlpzoo, and those that were fetched."""

from __future__ import annotations

from pathlib import Path

import mlpzoo
from mlpzoo.errors import DataError
from mlpzoo.paths import home


def embedded_root() -> Path:
    """The data sets that come with mlpzoo: inside an installed wheel, or beside the package.

    Raises:
        DataError: They are in neither place.
    """
    package = Path(mlpzoo.__path__[0])
    for candidate in (package / "_benchmarks_data", package.parent / "benchmarks_data"):
        if candidate.is_dir():
            return candidate
    raise DataError(
        f"the data sets that come with mlpzoo are missing from {package}",
        hint="reinstall it: pip install --force-reinstall mlpzoo",
    )


def cache_root() -> Path:
    """Where fetched data sets lie: ``data`` in mlpzoo's home; may not exist yet."""
    return home() / "data"
