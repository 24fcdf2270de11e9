"""Errors of energies and forces along a fixed path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

HOP_SHARE: Final = 0.5
"""An atom takes part in the hop if it moves at least half as far as the one that moves most."""
SMALLEST_FORCE_EV_PER_ANG: Final = 1e-3
"""Below it, the direction of a force means nothing; as in the rare-event metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathErrors:
    """Quantity to value (see `path_errors`), and the atoms that take part in the hop."""

    values: dict[str, float]
    hop_atoms: NDArray[np.int64]


def path_errors(
    *,
    positions_ang: FloatArray,
    reference_energies_ev: FloatArray,
    reference_forces_ev_per_ang: FloatArray,
    energies_ev: FloatArray,
    forces_ev_per_ang: FloatArray,
) -> PathErrors:
    """Errors of one model.

    Energies are relative to the mean of the two ends, so that constants do not count and neither end is
    preferred. The barrier is the highest image of the model's own energies above that mean.

    Args:
        positions_ang: Continuous positions, shape (n_images, n_atoms, 3).
        reference_energies_ev: Shape (n_images,).
        reference_forces_ev_per_ang: Shape (n_images, n_atoms, 3).
        energies_ev: Of the model.
        forces_ev_per_ang: Of the model.

    Returns:
        ``barrier`` (eV), ``barrier_error`` (meV, absolute), ``path_energy_rmse`` (meV, over the images),
        ``force_rmse`` and ``force_rmse_hop`` (eV/Å, a component, all atoms and those of the hop),
        ``force_along_path_rmse`` (eV/Å, of the part along the path's tangent in 3N dimensions), and
        ``angle_hop`` (°, median angle between the forces on the hop's atoms; left out if none has a force).
    """
    energies = _relative(energies_ev)
    reference = _relative(reference_energies_ev)
    difference = forces_ev_per_ang - reference_forces_ev_per_ang
    way = np.linalg.norm(positions_ang[-1] - positions_ang[0], axis=1)
    hop = np.flatnonzero(way >= HOP_SHARE * way.max())
    tangent = np.gradient(positions_ang, axis=0)
    tangent /= np.linalg.norm(tangent.reshape(len(tangent), -1), axis=1)[:, None, None]
    along = np.einsum("nij,nij->n", difference, tangent)
    values = {
        "barrier": float(energies.max()),
        "barrier_error": 1e3 * abs(float(energies.max() - reference.max())),
        "path_energy_rmse": 1e3 * _rms(energies - reference),
        "force_rmse": _rms(difference),
        "force_rmse_hop": _rms(difference[:, hop]),
        "force_along_path_rmse": _rms(along),
    }
    angles = _angles(forces_ev_per_ang[:, hop], reference_forces_ev_per_ang[:, hop])
    if len(angles):
        values["angle_hop"] = float(np.median(angles))
    return PathErrors(values=values, hop_atoms=hop)


def _relative(energies_ev: FloatArray) -> FloatArray:
    return np.asarray(energies_ev - 0.5 * (energies_ev[0] + energies_ev[-1]))


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _angles(forces: FloatArray, reference: FloatArray) -> FloatArray:
    """Angles in degrees between forces that both are large enough to have a direction."""
    a, b = forces.reshape(-1, 3), reference.reshape(-1, 3)
    norms = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    defined = (norms[0] >= SMALLEST_FORCE_EV_PER_ANG) & (norms[1] >= SMALLEST_FORCE_EV_PER_ANG)
    cosines = np.einsum("ij,ij->i", a[defined], b[defined]) / (norms[0] * norms[1])[defined]
    return np.asarray(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))))
