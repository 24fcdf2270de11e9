"""Errors of predicted forces F' against reference forces F, atom by atom.

The definitions are those of Liu, He, Mo, npj Comput. Mater. 9, 174 (2023),
doi 10.1038/s41524-023-01123-3. Forces are in eV/Å, angles in degrees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlpzoo.metrics.arrays import BoolArray, FloatArray, finite_array

SMALLEST_DIRECTED_FORCE_EV_PER_ANG = 1e-3
"""A force below this norm has no direction worth comparing."""


class DirectionError(NamedTuple):
    """Angles between predicted and reference forces, of those atoms that have one.

    Atoms without a defined angle have no entry in `angles`, so that no filler (0°, NaN) can
    slip into a mean.

    Attributes:
        angles: Angles in degrees, 0 to 180, in the order of the atoms, shape (n_defined,).
        defined: Which atoms have an angle, shape (n_atoms,).
    """

    angles: FloatArray
    defined: BoolArray


def magnitude_error(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    """Signed difference of the norms, |F'| - |F|.

    Not the norm of the difference: with that one, the ranges that the paper reports for public
    models do not come out (see `vector_error`).

    Args:
        reference: Reference forces F in eV/Å, shape (n_atoms, 3).
        predicted: Predicted forces F' in eV/Å, shape (n_atoms, 3).

    Returns:
        eV/Å, shape (n_atoms,); negative where the prediction is too weak.

    Raises:
        ValueError: If shapes differ or a value is not finite.
    """
    reference, predicted = _force_pair(reference, predicted)
    errors: FloatArray = np.linalg.norm(predicted, axis=1) - np.linalg.norm(reference, axis=1)
    return errors


def direction_error(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> DirectionError:
    """Angle between F' and F, undefined where either norm is below 1e-3 eV/Å.

    The angle is atan2(|u' x u|, u'.u) of the unit vectors, accurate near 0° and 180° too, where
    the arc cosine loses half of the digits.

    Args:
        reference: Reference forces F in eV/Å, shape (n_atoms, 3).
        predicted: Predicted forces F' in eV/Å, shape (n_atoms, 3).

    Returns:
        The defined angles in degrees, and which atoms they belong to.

    Raises:
        ValueError: If shapes differ or a value is not finite.
    """
    reference, predicted = _force_pair(reference, predicted)
    reference_norm = np.linalg.norm(reference, axis=1)
    predicted_norm = np.linalg.norm(predicted, axis=1)
    defined: BoolArray = np.minimum(reference_norm, predicted_norm) >= SMALLEST_DIRECTED_FORCE_EV_PER_ANG
    u = reference[defined] / reference_norm[defined, None]
    v = predicted[defined] / predicted_norm[defined, None]
    sine = np.linalg.norm(np.cross(v, u), axis=1)
    cosine = np.sum(v * u, axis=1)
    return DirectionError(angles=np.degrees(np.arctan2(sine, cosine)), defined=defined)


def vector_error(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    """Norm of the difference, |F' - F|, in eV/Å, shape (n_atoms,).

    Args:
        reference: Reference forces F in eV/Å, shape (n_atoms, 3).
        predicted: Predicted forces F' in eV/Å, shape (n_atoms, 3).

    Raises:
        ValueError: If shapes differ or a value is not finite.
    """
    reference, predicted = _force_pair(reference, predicted)
    errors: FloatArray = np.linalg.norm(predicted - reference, axis=1)
    return errors


def component_rmse(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Root mean square error over all 3 n_atoms Cartesian components, in eV/Å.

    Args:
        reference: Reference forces F in eV/Å, shape (n_atoms, 3).
        predicted: Predicted forces F' in eV/Å, shape (n_atoms, 3).

    Raises:
        ValueError: If shapes differ, a value is not finite, or there is no atom.
    """
    return float(np.sqrt(np.mean(np.square(_components(reference, predicted)))))


def component_mae(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Mean absolute error over all 3 n_atoms Cartesian components, in eV/Å.

    Args:
        reference: Reference forces F in eV/Å, shape (n_atoms, 3).
        predicted: Predicted forces F' in eV/Å, shape (n_atoms, 3).

    Raises:
        ValueError: If shapes differ, a value is not finite, or there is no atom.
    """
    return float(np.mean(np.abs(_components(reference, predicted))))


def _components(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    reference, predicted = _force_pair(reference, predicted)
    if not len(reference):
        msg = "an error averaged over no atoms is undefined"
        raise ValueError(msg)
    return predicted - reference


def _force_pair(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    checked = finite_array(reference, "reference forces", (None, 3))
    return checked, finite_array(predicted, "predicted forces", (len(checked), 3))
