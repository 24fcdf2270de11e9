"""The core's own benchmarks, registered through the same hook as anybody's."""

from __future__ import annotations

from mlpzoo.benchmark import BenchmarkSpec
from mlpzoo.hookspecs import hookimpl


@hookimpl
def mlpzoo_register_benchmarks() -> list[BenchmarkSpec]:
    """All benchmarks of the core."""
    from mlpzoo.benchmarks import (
        bulk,
        diffusion,
        interstitial_formation,
        interstitial_migration,
        path_forces,
        re_forces,
        speed,
        stability,
        structure,
        vacancy_formation,
        vacancy_migration,
        vibrations,
    )

    return [
        re_forces.SPEC,
        path_forces.SPEC,
        bulk.SPEC,
        vacancy_formation.SPEC,
        interstitial_formation.SPEC,
        vacancy_migration.SPEC,
        interstitial_migration.SPEC,
        diffusion.SPEC,
        vibrations.SPEC,
        structure.SPEC,
        stability.SPEC,
        speed.SPEC,
    ]
