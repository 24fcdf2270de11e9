"""Errors of a model on labelled structures: energies, forces and stresses, in the units of publications."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlpzoo.metrics.arrays import finite_array
from mlpzoo.metrics.forces import component_mae, component_rmse
from mlpzoo.units import EV_IN_MEV, EV_PER_ANG3_IN_GPA

LABEL_ERRORS = {
    "energy_rmse_mev_per_atom": "E RMSE, meV/atom",
    "energy_rmse_shifted_mev_per_atom": "about its mean",
    "force_rmse_ev_per_ang": "F RMSE, eV/Å",
    "force_mae_ev_per_ang": "F MAE, eV/Å",
    "stress_rmse_gpa": "σ RMSE, GPa",
}
"""Name, with its unit, to a title for people."""


def energy_errors(
    reference: npt.ArrayLike, predicted: npt.ArrayLike, n_atoms: npt.ArrayLike
) -> dict[str, float]:
    """RMSE of the energy per atom over structures, as it is and about its mean.

    A model whose energies count from another zero has a large error as it is, and is none the worse for it.

    Args:
        reference: Energies E in eV, shape (n,).
        predicted: Energies E' in eV, shape (n,).
        n_atoms: Atoms of each structure, shape (n,).

    Raises:
        ValueError: If shapes differ, a value is not finite, or there is no structure.
    """
    e = finite_array(reference, "reference energies", (None,))
    difference = finite_array(predicted, "predicted energies", (len(e),)) - e
    per_atom = EV_IN_MEV * difference / finite_array(n_atoms, "numbers of atoms", (len(e),))
    return {
        "energy_rmse_mev_per_atom": _rms(per_atom),
        "energy_rmse_shifted_mev_per_atom": _rms(per_atom - per_atom.mean()),
    }


def force_errors(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """RMSE and MAE over all components of all atoms; see `mlpzoo.metrics.forces`."""
    return {
        "force_rmse_ev_per_ang": component_rmse(reference, predicted),
        "force_mae_ev_per_ang": component_mae(reference, predicted),
    }


def stress_errors(reference: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """RMSE over the six Voigt components of all structures.

    Args:
        reference: Stresses in eV/Å³, shape (n, 6).
        predicted: Likewise.

    Raises:
        ValueError: If shapes differ, a value is not finite, or there is no structure.
    """
    s = finite_array(reference, "reference stresses", (None, 6))
    return {
        "stress_rmse_gpa": EV_PER_ANG3_IN_GPA
        * _rms(finite_array(predicted, "predicted stresses", (len(s), 6)) - s)
    }


def _rms(values: npt.NDArray[np.float64]) -> float:
    if not values.size:
        msg = "an error averaged over no structures is undefined"
        raise ValueError(msg)
    return float(np.sqrt(np.mean(np.square(values))))
