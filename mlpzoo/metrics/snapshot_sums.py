"""Sums over each snapshot, from which all rare-event metrics follow.

The formula of every metric stands here once. A weight of one for every snapshot gives the value;
weights that say how often each snapshot was drawn give the value of a bootstrap resample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.metrics.forces import direction_error, magnitude_error
from mlpzoo.metrics.medians import resampled_medians
from mlpzoo.units import EV_IN_MEV

if TYPE_CHECKING:
    from mlpzoo.metrics.arrays import BoolArray, FloatArray, IntArray
    from mlpzoo.metrics.comparison import ForceComparison

LARGE_MAGNITUDE_ERROR_EV_PER_ANG = 0.5
LARGE_ANGLES_DEGREES = (15.0, 30.0)
PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtomSums:
    """Sums over the atoms of one class (all, or RE), snapshot by snapshot.

    Attributes:
        forces: Columns: atoms, squared and absolute component errors (mean of x, y, z),
            absolute magnitude errors, magnitude errors over 0.5 eV/Å; shape (n_snapshots, 5).
        angles: Columns: atoms with a defined angle, angles over 15°, over 30°;
            shape (n_snapshots, 3).
        sorted_angles: All defined angles in degrees, ascending, shape (n_angles,).
        angle_snapshot: Snapshot of each of them, shape (n_angles,).
    """

    forces: FloatArray
    angles: FloatArray
    sorted_angles: FloatArray
    angle_snapshot: IntArray

    @classmethod
    def of(cls, comparison: ForceComparison, selected: BoolArray) -> AtomSums:
        """Sum over the selected atoms; `selected` has shape (n_atoms,)."""
        reference = comparison.reference_forces[selected]
        predicted = comparison.predicted_forces[selected]
        snapshot = comparison.snapshot[selected]
        error = predicted - reference
        magnitude = np.abs(magnitude_error(reference, predicted))
        force_columns: list[FloatArray | BoolArray] = [
            np.ones(len(error)),
            np.sum(np.square(error), axis=1) / 3.0,
            np.sum(np.abs(error), axis=1) / 3.0,
            magnitude,
            magnitude > LARGE_MAGNITUDE_ERROR_EV_PER_ANG,
        ]
        angles, defined = direction_error(reference, predicted)
        angle_columns: list[FloatArray | BoolArray] = [np.ones(len(angles))]
        angle_columns += [angles > large for large in LARGE_ANGLES_DEGREES]
        order = np.argsort(angles, kind="stable")
        return cls(
            forces=_sum_by_snapshot(force_columns, snapshot, comparison.n_snapshots),
            angles=_sum_by_snapshot(angle_columns, snapshot[defined], comparison.n_snapshots),
            sorted_angles=angles[order],
            angle_snapshot=snapshot[defined][order],
        )

    def statistics(self, counts: IntArray, suffix: str) -> dict[str, FloatArray]:
        """Metrics of each row of `counts` (n_resamples, n_snapshots), NaN where undefined."""
        n_atoms, squared, absolute, magnitude, large = (counts @ self.forces).T
        n_angles, over_15, over_30 = (counts @ self.angles).T
        median = resampled_medians(self.sorted_angles, self.angle_snapshot, counts)
        metrics = {
            "force_rmse": np.sqrt(_ratio(squared, n_atoms)),
            "force_mae": _ratio(absolute, n_atoms),
            "magnitude_error_mean": _ratio(magnitude, n_atoms),
            "magnitude_error_over_0p5": PERCENT * _ratio(large, n_atoms),
            "angle_median": median,
            "angle_over_15": PERCENT * _ratio(over_15, n_angles),
            "angle_over_30": PERCENT * _ratio(over_30, n_angles),
        }
        return {f"{name}_{suffix}": values for name, values in metrics.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SnapshotSums:
    """Everything about one comparison that its metrics and their intervals need.

    Attributes:
        all_atoms: Sums over all atoms.
        re_atoms: Sums over the RE atoms; zeros in snapshots that have none.
        energy_errors: (E' - E) / n of each snapshot in meV/atom, or None without energies.
    """

    all_atoms: AtomSums
    re_atoms: AtomSums
    energy_errors: FloatArray | None

    @classmethod
    def of(cls, comparison: ForceComparison) -> SnapshotSums:
        """Sum over the snapshots of a comparison."""
        energy_errors = None
        predicted, reference = comparison.predicted_energies, comparison.reference_energies
        if predicted is not None and reference is not None:
            energy_errors = EV_IN_MEV * (predicted - reference) / comparison.atom_counts
        return cls(
            all_atoms=AtomSums.of(comparison, np.ones_like(comparison.re_mask)),
            re_atoms=AtomSums.of(comparison, comparison.re_mask),
            energy_errors=energy_errors,
        )

    def statistics(self, counts: IntArray) -> dict[str, FloatArray]:
        """All metrics, for each row of snapshot counts.

        Args:
            counts: How often each snapshot counts, shape (n_resamples, n_snapshots).

        Returns:
            Arrays of shape (n_resamples,), NaN where a metric is undefined in that row: no RE
            atom, no defined angle, no force error to relate to, energies of one snapshot only.
        """
        metrics = self.all_atoms.statistics(counts, "all") | self.re_atoms.statistics(counts, "re")
        metrics["force_rmse_ratio"] = _ratio(metrics["force_rmse_re"], metrics["force_rmse_all"])
        if self.energy_errors is not None:
            weights = counts / counts.sum(axis=1, keepdims=True)
            offset = weights @ self.energy_errors
            variance = np.sum(weights * (self.energy_errors - offset[:, None]) ** 2, axis=1)
            several = np.count_nonzero(counts, axis=1) > 1
            metrics["energy_rmse"] = np.where(several, np.sqrt(variance), np.nan)
            metrics["energy_offset"] = offset
        return metrics

    def values(self) -> dict[str, float]:
        """The metrics themselves, each snapshot counted once; undefined ones are absent."""
        once = np.ones((1, len(self.all_atoms.forces)), dtype=np.int64)
        rows = {name: float(row[0]) for name, row in self.statistics(once).items()}
        return {name: value for name, value in rows.items() if not np.isnan(value)}

    def n_contributing(self, name: str) -> int:
        """Number of snapshots whose atoms enter the metric called `name`."""
        atoms = self.re_atoms if name.endswith(("_re", "_ratio")) else self.all_atoms
        sums = atoms.angles if name.startswith("angle_") else atoms.forces
        return int(np.count_nonzero(sums[:, 0]))


def _sum_by_snapshot(
    columns: list[FloatArray | BoolArray], snapshot: IntArray, n_snapshots: int
) -> FloatArray:
    sums = [np.bincount(snapshot, weights=column, minlength=n_snapshots) for column in columns]
    return np.stack(sums, axis=1).astype(np.float64)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    undefined = np.full_like(denominator, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)
