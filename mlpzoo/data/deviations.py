"""How far levels of theory are from each other on the same structures: what a label is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import DataError
from mlpzoo.units import EV_IN_MEV, EV_PER_ANG3_IN_GPA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlpzoo.data.queue import Label, Queue, QueuedFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One level against another, over the frames that have both.

    Attributes:
        level: The one.
        reference: The other.
        n_frames: Frames that have both.
        force_rmse_ev_per_ang: Of the force components, all atoms.
        force_rmse_re_ev_per_ang: Of the rare-event atoms; None if there are none.
        energy_rmse_mev_per_atom: After the mean difference per atom is removed; None with fewer than two.
        stress_rmse_gpa: Of the components; None if one of them has no stress.
    """

    level: str
    reference: str
    n_frames: int
    force_rmse_ev_per_ang: float
    force_rmse_re_ev_per_ang: float | None
    energy_rmse_mev_per_atom: float | None
    stress_rmse_gpa: float | None


def deviations(queue: Queue, reference: str, levels: Sequence[str]) -> list[Deviation]:
    """Compare levels of a queue with one of them.

    Args:
        queue: With labels.
        reference: The level to compare with.
        levels: The levels to compare.

    Raises:
        DataError: No frame has labels at one of the levels and the reference.
    """
    frames = queue.frames()
    found = []
    for level in levels:
        both = []
        for frame in frames:
            one, other = queue.label(frame.frame_id, level), queue.label(frame.frame_id, reference)
            if one and other and {one.status, other.status} == {"converged"}:
                both.append((frame, one, other))
        if not both:
            raise DataError(
                f"{queue.directory}: no frame has converged labels of both '{level}' and '{reference}'",
                hint=f"mlpzoo data label {queue.directory} --level {level}",
            )
        found.append(_deviation(level, reference, both))
    return found


def _deviation(level: str, reference: str, both: list[tuple[QueuedFrame, Label, Label]]) -> Deviation:
    difference = [np.subtract(a.forces_ev_per_ang, b.forces_ev_per_ang) for _, a, b in both]
    rare = [
        d[np.array(frame.re_mask, dtype=bool)]
        for d, (frame, _, _) in zip(difference, both, strict=True)
        if frame.re_mask
    ]
    energies = np.array([(a.energy_ev - b.energy_ev) / len(frame.symbols) for frame, a, b in both])
    labelled = all(label.energy_ev for _, a, b in both for label in (a, b))
    stresses = [
        np.subtract(a.stress_ev_per_ang3, b.stress_ev_per_ang3)
        for _, a, b in both
        if a.stress_ev_per_ang3 is not None and b.stress_ev_per_ang3 is not None
    ]
    return Deviation(
        level=level,
        reference=reference,
        n_frames=len(both),
        force_rmse_ev_per_ang=_rms(difference) or 0.0,
        force_rmse_re_ev_per_ang=_rms(rare),
        energy_rmse_mev_per_atom=EV_IN_MEV * float(np.std(energies)) if labelled and len(both) > 1 else None,
        stress_rmse_gpa=EV_PER_ANG3_IN_GPA * rms if (rms := _rms(stresses)) is not None else None,
    )


def _rms(parts: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> float | None:
    """Root mean square over all elements; None of nothing."""
    values = np.concatenate([np.ravel(part) for part in parts]) if parts else np.empty(0)
    return float(np.sqrt(np.mean(values**2))) if len(values) else None
