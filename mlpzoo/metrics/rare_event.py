"""Force and energy errors of a model, for all atoms and for the rare-event (RE) atoms.

A small error averaged over all atoms can hide a large one on the few atoms that are migrating:
Liu, He, Mo, npj Comput. Mater. 9, 174 (2023), doi 10.1038/s41524-023-01123-3.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.metrics.snapshot_sums import SnapshotSums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlpzoo.metrics.comparison import ForceComparison

_PER_CLASS_OF_ATOMS = {
    "force_rmse": "eV/Å",
    "force_mae": "eV/Å",
    "magnitude_error_mean": "eV/Å",
    "magnitude_error_over_0p5": "%",
    "angle_median": "°",
    "angle_over_15": "%",
    "angle_over_30": "%",
}
_COUNTS = (
    "n_atoms",
    "n_re_atoms",
    "n_snapshots",
    "n_re_snapshots",
    "n_undefined_angles_all",
    "n_undefined_angles_re",
)
METRIC_UNITS: Mapping[str, str] = MappingProxyType(
    {f"{name}_all": unit for name, unit in _PER_CLASS_OF_ATOMS.items()}
    | {f"{name}_re": unit for name, unit in _PER_CLASS_OF_ATOMS.items()}
    | {"force_rmse_ratio": "", "energy_rmse": "meV/atom", "energy_offset": "meV/atom"}
    | dict.fromkeys(_COUNTS, "")
)
"""Every name that `rare_event_metrics` can return, with its unit ("" for pure numbers)."""


def rare_event_metrics(comparison: ForceComparison) -> dict[str, float]:
    """Compute all columns of the rare-event force table.

    Names ending in `_all` are over all atoms, those in `_re` over the RE atoms:

    - `force_rmse_*`, `force_mae_*`: over the Cartesian components, eV/Å
    - `magnitude_error_mean_*`: mean of | |F'| - |F| |, eV/Å
    - `magnitude_error_over_0p5_*`: atoms whose | |F'| - |F| | is above 0.5 eV/Å, in %
    - `angle_median_*`: median of the angle between F' and F, degrees
    - `angle_over_15_*`, `angle_over_30_*`: atoms with a larger angle, in % of those with a
      defined one; `n_undefined_angles_*` atoms have a force below 1e-3 eV/Å and are left out
    - `force_rmse_ratio`: `force_rmse_re` / `force_rmse_all`
    - `energy_offset`: mean of (E' - E) / n over the snapshots, meV/atom
    - `energy_rmse`: RMSE of (E' - E) / n over the snapshots about that offset, meV/atom (of two
      snapshots or more; the offset is a constant per atom, so compositions must not differ)
    - `n_atoms`, `n_re_atoms`, `n_snapshots`, `n_re_snapshots` (those with an RE atom)

    Percentages run from 0 to 100.

    Args:
        comparison: Predicted and reference forces, and energies if there are any.

    Returns:
        Values by name, in the units of `METRIC_UNITS`. What is undefined (no RE atom, no
        energies, no defined angle) is absent; no value is NaN.
    """
    sums = SnapshotSums.of(comparison)
    n_atoms, n_re_atoms = len(comparison.re_mask), int(np.count_nonzero(comparison.re_mask))
    counts = {
        "n_atoms": n_atoms,
        "n_re_atoms": n_re_atoms,
        "n_snapshots": comparison.n_snapshots,
        "n_re_snapshots": sums.n_contributing("force_rmse_re"),
        "n_undefined_angles_all": n_atoms - len(sums.all_atoms.sorted_angles),
        "n_undefined_angles_re": n_re_atoms - len(sums.re_atoms.sorted_angles),
    }
    return sums.values() | {name: float(count) for name, count in counts.items()}
