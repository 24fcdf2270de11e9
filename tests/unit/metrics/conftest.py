"""Synthetic comparisons of forces for the tests of the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlpzoo.metrics import ForceComparison

if TYPE_CHECKING:
    from collections.abc import Callable


def _synthetic_comparison(
    seed: int = 0,
    *,
    n_snapshots: int = 12,
    reference_seed: int | None = None,
    noise: float = 0.4,
    energies: bool = True,
) -> ForceComparison:
    """Snapshots of 3 to 8 atoms; some forces vanish, and not every snapshot has an RE atom."""
    world = np.random.default_rng(seed if reference_seed is None else reference_seed)
    model = np.random.default_rng((seed, 1))
    sizes = world.integers(3, 9, size=n_snapshots)
    reference = [world.normal(size=(n, 3)) for n in sizes]
    predicted = [forces + noise * model.normal(size=forces.shape) for forces in reference]
    predicted[0][-1] = 0.0
    masks = [world.random(n) < 0.3 for n in sizes]
    for mask in masks[::3]:
        mask[:] = False
    masks[1][0] = masks[-1][-1] = True
    total = -5.0 * sizes + world.normal(size=n_snapshots)
    shifted = total + 0.02 * sizes * (3.0 + model.normal(size=n_snapshots))
    return ForceComparison.from_snapshots(
        reference_forces=reference,
        predicted_forces=predicted,
        re_masks=masks,
        reference_energies=total if energies else None,
        predicted_energies=shifted if energies else None,
    )


@pytest.fixture(scope="session")
def make_comparison() -> Callable[..., ForceComparison]:
    """Give the function that makes a synthetic comparison from a seed."""
    return _synthetic_comparison


def _take_snapshots(comparison: ForceComparison, chosen: list[int]) -> ForceComparison:
    atoms = [comparison.snapshot == i for i in chosen]
    reference, predicted = comparison.reference_energies, comparison.predicted_energies
    return ForceComparison.from_snapshots(
        reference_forces=[comparison.reference_forces[a] for a in atoms],
        predicted_forces=[comparison.predicted_forces[a] for a in atoms],
        re_masks=[comparison.re_mask[a] for a in atoms],
        reference_energies=None if reference is None else reference[chosen],
        predicted_energies=None if predicted is None else predicted[chosen],
    )


@pytest.fixture(scope="session")
def take_snapshots() -> Callable[[ForceComparison, list[int]], ForceComparison]:
    """Give the function that lists the chosen snapshots, repeats included, one by one."""
    return _take_snapshots
