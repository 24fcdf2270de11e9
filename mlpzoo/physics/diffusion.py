"""Tracer diffusivity of a trajectory, from displacements and from hops, each with its interval.

Displacements: the covariance-based estimator of Vestergaard, Blainey, Flyvbjerg, Phys. Rev. E 89, 022726
(2014), doi 10.1103/PhysRevE.89.022726, which is the slope of the mean squared displacement between the lags
τ and 2τ,

    D = [MSD(2τ) - MSD(τ)] / 6τ,

over all atoms and all (overlapping) origins. What does not grow with the lag, such as the vibration about the
sites, drops out. Its error is taken from windows of length 2τ that do not overlap: atoms are not independent
of each other (one vacancy moves them one at a time), stretches of time are.

Hops: D = f Γ d² / 6 (for example Mehrer, *Diffusion in Solids* (2007), doi 10.1007/978-3-540-71488-0,
chapter 4), with the correlation factors f of Compaan and Haven, Trans. Faraday Soc. 52, 786 (1956),
doi 10.1039/TF9565200786.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2, t

from mlpzoo.errors import DataError
from mlpzoo.units import ANG2_PER_FS_IN_CM2_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpzoo.physics.events import MigrationEvent
    from mlpzoo.physics.sites import SiteSet

N_WINDOWS: Final = 8
"""Windows that do not overlap: the lag 2τ is this part of the trajectory."""
EXPOSURE_FS: Final = 250.0
"""Positions are averaged over this time: the long waves of a small cell stay coherent for longer than a short
run's lag, and would count as hops."""
MANY_HOPS: Final = 16
"""With fewer the lag is shorter than the time between hops: hops back are missed, and D is too large, by up
to a factor of two."""
FEWEST_HOPS: Final = 5
"""With fewer the 95 % interval of their number alone spans more than a factor of five."""
VACANCY_CORRELATION: Final = {"diamond": 0.5, "fcc": 0.7815, "bcc": 0.7272}
"""Of a tracer that moves by single vacancies in an infinite crystal (Compaan and Haven 1956)."""
_CONFIDENCE = 0.95
_CORRELATED = 8 / 9
"""How many lags τ the estimates of neighbouring origins know of each other.

It is the integral of their correlation; for a random walk, with τ as the unit of time,
2∫(6(1-u)² + 4u(1-u)) du / 6 from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hops:
    """Hops of one trajectory.

    Attributes:
        number: How many.
        jump_diffusivity: Sum of the squared hop lengths over 6 N t, in cm²/s: the diffusivity if no hop knew
            of the one before (f = 1); interval of a Poisson count.
        residence_fs: Mean time of the defect between two hops; infinite without any.
    """

    number: int
    jump_diffusivity: Estimate
    residence_fs: Estimate


def tracer_diffusivity(
    positions_ang: NDArray[np.float64], *, frame_fs: float, n_windows: int = N_WINDOWS
) -> Estimate:
    """Diffusivity of all atoms in cm²/s.

    The interval is Student's t of the windows; its lower end is cut at 0.

    Args:
        positions_ang: Unwrapped, without the drift of the crystal, shape (n_frames, n_atoms, 3).
        frame_fs: Time between two frames.
        n_windows: See `N_WINDOWS`.

    Raises:
        DataError: Fewer than four frames a window.
    """
    lag = lag_frames(len(positions_ang), n_windows)
    positions_ang = _exposed(positions_ang, min(lag, max(1, round(EXPOSURE_FS / frame_fs))))
    n_origins = len(positions_ang) - 2 * lag
    short = positions_ang[lag : lag + n_origins] - positions_ang[:n_origins]
    long = positions_ang[2 * lag :] - positions_ang[:n_origins]
    growth = np.einsum("fak,fak->f", long, long) - np.einsum("fak,fak->f", short, short)
    by_origin = growth / positions_ang.shape[1] / (6 * lag * frame_fs) * ANG2_PER_FS_IN_CM2_PER_S
    value = float(by_origin.mean())
    # Windows from every offset: each set of them gives the variance of one origin without its correlations.
    sets = [by_origin[offset :: 2 * lag] for offset in range(min(2 * lag, n_origins))]
    variance = float(np.mean([np.var(one, ddof=1) for one in sets if len(one) > 1]))
    error = np.sqrt(variance * _CORRELATED * lag / n_origins)
    error *= float(t.ppf(0.5 + _CONFIDENCE / 2, n_windows - 1))
    return Estimate(value=value, low=max(0.0, value - error), high=value + error)


def _exposed(positions_ang: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Running mean over this many frames: the motion blur of Vestergaard et al., unbiased up to the lag."""
    sums = np.cumsum(np.concatenate([np.zeros_like(positions_ang[:1]), positions_ang]), axis=0)
    return np.asarray((sums[width:] - sums[:-width]) / width)


def lag_frames(n_frames: int, n_windows: int = N_WINDOWS) -> int:
    """The lag τ in frames.

    Raises:
        DataError: Fewer than four frames a window.
    """
    lag = n_frames // (2 * n_windows)
    if lag < 2:  # noqa: PLR2004
        raise DataError(
            f"{n_frames} frames are too few for a diffusivity", hint=f"give at least {4 * n_windows}"
        )
    return lag


def mean_squared_displacement(
    positions_ang: NDArray[np.float64], lags: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Over all atoms and origins, for each lag in frames: shape (n_lags,), in Å²."""
    found = []
    for lag in lags.tolist():
        moved = positions_ang[lag:] - positions_ang[: len(positions_ang) - lag]
        found.append(float(np.einsum("fak,fak->", moved, moved)) / (len(moved) * positions_ang.shape[1]))
    return np.array(found)


def count_hops(events: tuple[MigrationEvent, ...], sites: SiteSet, *, n_atoms: int, time_fs: float) -> Hops:
    """Rate, residence time and uncorrelated diffusivity from site changes.

    Args:
        events: Of the trajectory.
        sites: Their sites.
        n_atoms: Atoms of the cell, all of which the diffusivity is averaged over.
        time_fs: Length of the trajectory.
    """
    squares = [_squared_length(event, sites) for event in events]
    number = len(squares)
    low, high = poisson_interval(number)
    scale = ANG2_PER_FS_IN_CM2_PER_S / (6 * n_atoms * time_fs)
    mean_square = float(np.mean(squares)) if squares else sites.neighbour_distance_ang**2
    return Hops(
        number=number,
        jump_diffusivity=Estimate(
            value=scale * number * mean_square, low=scale * low * mean_square, high=scale * high * mean_square
        ),
        residence_fs=Estimate(
            value=time_fs / number if number else np.inf,
            low=time_fs / high,
            high=time_fs / low if low else np.inf,
        ),
    )


def poisson_interval(number: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of a Poisson distribution that gave this number.

    Garwood, Biometrika 28, 437 (1936), doi 10.1093/biomet/28.3-4.437.
    """
    tail = 0.5 - _CONFIDENCE / 2
    low = 0.5 * float(chi2.ppf(tail, 2 * number)) if number else 0.0
    return low, 0.5 * float(chi2.ppf(1 - tail, 2 * number + 2))


def _squared_length(event: MigrationEvent, sites: SiteSet) -> float:
    vector = sites.positions_ang[event.site_to] - sites.positions_ang[event.site_from]
    vector = vector - np.rint(vector @ np.linalg.inv(sites.cell_ang)) @ sites.cell_ang
    return float(vector @ vector)
