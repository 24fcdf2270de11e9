"""Activation energy from diffusivities at several temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mlpzoo.errors import DataError
from mlpzoo.physics.diffusion import Estimate
from mlpzoo.units import BOLTZMANN_EV_PER_KELVIN

FEWEST_TEMPERATURES: Final = 3
_NORMAL = 1.959964  # 95 % of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrhenius:
    """D(T) = D0 exp(-E/kT).

    Attributes:
        activation_energy_ev: E.
        prefactor: D0, in the unit of the diffusivities.
        chi2_per_freedom: Of the fit: far above 1 the intervals are too narrow, or the line is no line.
    """

    activation_energy_ev: Estimate
    prefactor: Estimate
    chi2_per_freedom: float


def fit(temperatures_kelvin: Sequence[float], diffusivities: Sequence[Estimate]) -> Arrhenius:
    """Weighted straight line through ln D against 1/kT.

    Weights are 1/σ², with σ of ln D the relative half width of D's 95 % interval over 1.96 (its upper half if
    the lower was cut at 0); the intervals of the result follow from them (for example Press et al.,
    *Numerical Recipes* (2007), section 15.2).

    Raises:
        DataError: Fewer than three different temperatures, or a diffusivity that is not positive or has no
            width.
    """
    n_different = len(set(temperatures_kelvin))
    if n_different < FEWEST_TEMPERATURES:
        raise DataError(
            f"{n_different} temperatures are too few for an activation energy",
            hint=f"give at least {FEWEST_TEMPERATURES}",
        )
    values = np.array([one.value for one in diffusivities])
    sigma = np.array([_half_width(one) for one in diffusivities]) / _NORMAL
    if not (values > 0).all() or not (sigma > 0).all():
        raise DataError(
            "a diffusivity is not positive, or has an interval without width", hint="leave it out"
        )
    x = -1.0 / (BOLTZMANN_EV_PER_KELVIN * np.asarray(temperatures_kelvin))
    y = np.log(values)
    weights = (values / sigma) ** 2
    middle = float(np.average(x, weights=weights))
    spread = float((weights * (x - middle) ** 2).sum())
    energy = float((weights * (x - middle) * y).sum()) / spread
    level = float(np.average(y, weights=weights))
    logarithm = level - energy * middle
    energy_error = _NORMAL / np.sqrt(spread)
    logarithm_error = _NORMAL * np.sqrt(1 / weights.sum() + middle**2 / spread)
    residual = y - (level + energy * (x - middle))
    return Arrhenius(
        activation_energy_ev=Estimate(value=energy, low=energy - energy_error, high=energy + energy_error),
        prefactor=Estimate(
            value=float(np.exp(logarithm)),
            low=float(np.exp(logarithm - logarithm_error)),
            high=float(np.exp(logarithm + logarithm_error)),
        ),
        chi2_per_freedom=float((weights * residual**2).sum()) / max(1, len(x) - 2),
    )


def _half_width(one: Estimate) -> float:
    return 0.5 * (one.high - one.low) if one.low > 0 else one.high - one.value
