"""Choosing the most different of many structures.

Farthest-point sampling over atomic environments: after the first structure, the one is taken that holds the
environment farthest from all environments taken so far. A structure is as interesting as its strangest atom:
an average over its atoms would hide a defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import UsageError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

CUTOFF_ANG = 5.0


def soap(frames: Sequence[Atoms]) -> list[FloatArray]:
    """Smooth overlap of atomic positions of every atom.

    Bartók, Kondor, Csányi, Phys. Rev. B 87, 184115 (2013), doi 10.1103/PhysRevB.87.184115. By
    featomic: power spectrum, 5 Å, Gaussians of 0.4 Å, 6 radial functions, l up to 4; each vector has length
    1, so that distances are those of directions.

    Returns:
        For each structure (n_atoms, n_features).

    Raises:
        UsageError: featomic is not installed.
    """
    try:
        from featomic import SoapPowerSpectrum
    except ImportError as error:
        raise UsageError(
            f"choosing different structures needs featomic ({error})", hint="pip install 'mlpzoo[data]'"
        ) from error
    descriptor = SoapPowerSpectrum(
        cutoff={"radius": CUTOFF_ANG, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        density={"type": "Gaussian", "width": 0.4},
        basis={"type": "TensorProduct", "max_angular": 4, "radial": {"type": "Gto", "max_radial": 5}},
    )
    spectrum = descriptor.compute(list(frames))
    joined = spectrum.keys_to_properties(["neighbor_1_type", "neighbor_2_type"])
    block = joined.keys_to_samples("center_type").block()
    order = np.lexsort((np.asarray(block.samples["atom"]), np.asarray(block.samples["system"])))
    values = np.asarray(block.values)[order]
    values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-30)
    return np.split(values, np.cumsum([len(atoms) for atoms in frames])[:-1])


def farthest(
    environments: Sequence[FloatArray], count: int, *, taken: Sequence[FloatArray] = ()
) -> list[int]:
    """Indices of the most different structures, in the order in which they were chosen.

    Args:
        environments: For each structure (n_atoms, n_features).
        count: So many, or all if there are fewer.
        taken: Structures that were taken before; without any, the first structure is the start.

    Returns:
        Indices without repeats; ties go to the lower index.
    """
    n = len(environments)
    if n == 0 or count < 1:
        return []
    nearest = [np.full(len(one), np.inf) for one in environments]
    for one in taken:
        _cover(nearest, environments, one)
    chosen: list[int] = []
    left = set(range(n))
    while left and len(chosen) < count:
        strangeness = [float(nearest[i].max()) if i in left else -1.0 for i in range(n)]
        best = int(np.argmax(strangeness))
        chosen.append(best)
        left.remove(best)
        _cover(nearest, environments, environments[best])
    return chosen


def _cover(nearest: list[FloatArray], environments: Sequence[FloatArray], taken: FloatArray) -> None:
    """Shorten the distances of all environments to the nearest one that was taken; in place."""
    for distances, one in zip(nearest, environments, strict=True):
        cosine = np.clip(one @ taken.T, -1.0, 1.0).max(axis=1)
        np.minimum(distances, np.sqrt(np.maximum(2.0 - 2.0 * cosine, 0.0)), out=distances)
