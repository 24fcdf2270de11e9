"""Versions of what a calculation rests on; imports nothing heavy."""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from importlib import metadata


@cache
def framework_versions(requires: tuple[str, ...]) -> dict[str, str]:
    """Distribution to version: what these modules belong to, and what every calculation rests on."""
    owners = metadata.packages_distributions() if requires else {}
    names = {d for module in requires for d in owners.get(module.partition(".")[0], [])}
    found = {}
    for name in sorted(names | {"ase", "numpy", "scipy"}):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def python_version() -> str:
    """``3.11.7``."""
    return sys.version.split()[0]
