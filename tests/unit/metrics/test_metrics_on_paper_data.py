"""Figures of the paper's own testing sets: a coarser k-mesh against the converged one.

Liu, He, Mo, npj Comput. Mater. 9, 174 (2023), doi 10.1038/s41524-023-01123-3; data from
github.com/mogroupumd/Silicon_MLIP_datasets (CC-BY-4.0). Set MLPZOO_MIRROR to a folder that holds
owner/repo/commit/path to run this.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlpzoo.metrics import ForceComparison, error_by_distance, rare_event_metrics, resample

if TYPE_CHECKING:
    import numpy.typing as npt

DATA_SET = "mogroupumd/Silicon_MLIP_datasets/6c7fad5e26916429ed2c5ce17332bb4df62b6ab9"

pytestmark = pytest.mark.skipif(
    "MLPZOO_MIRROR" not in os.environ, reason="MLPZOO_MIRROR does not name a mirror of the data"
)

# Component RMSE (eV/Å) of all and of RE atoms; % of RE atoms over 0.5 eV/Å, 15°, 30°.
PUBLISHED_DATA = {
    ("Interstitial", "DFT_K1"): (0.129, 0.236, 5.1, 29.4, 7.9),
    ("Interstitial", "DFT_K2"): (0.018, 0.043, 0.0, 1.1, 0.0),
    ("Vacancy", "DFT_K1"): (0.110, 0.173, 1.4, 20.5, 2.7),
    ("Vacancy", "DFT_K2"): (0.021, 0.035, 0.0, 0.0, 0.0),
}


def _load(defect: str, level: str) -> tuple[ForceComparison, npt.NDArray[np.float64]]:
    folder = Path(os.environ["MLPZOO_MIRROR"]) / DATA_SET / f"{defect}-RE_Testing_Set"
    data = json.loads((folder / "DATA.json").read_text(encoding="utf-8"))
    energies = data["Energies"]
    comparison = ForceComparison.from_snapshots(
        reference_forces=data["Forces"]["DFT_K4"],
        predicted_forces=data["Forces"][level],
        re_masks=[np.array(r) == 0.0 for r in data["r"]],
        reference_energies=energies["DFT_K4"] if level in energies else None,
        predicted_energies=energies.get(level),
    )
    return comparison, np.concatenate(data["r"])


@pytest.mark.parametrize(("defect", "level"), PUBLISHED_DATA)
def test_coarse_k_mesh_errors(defect: str, level: str) -> None:
    comparison, _ = _load(defect, level)
    metrics = rare_event_metrics(comparison)
    rmse_all, rmse_re, over_0p5, over_15, over_30 = PUBLISHED_DATA[defect, level]
    assert metrics["force_rmse_all"] == pytest.approx(rmse_all, abs=6e-4)
    assert metrics["force_rmse_re"] == pytest.approx(rmse_re, abs=6e-4)
    assert metrics["magnitude_error_over_0p5_re"] == pytest.approx(over_0p5, abs=0.06)
    assert metrics["angle_over_15_re"] == pytest.approx(over_15, abs=0.06)
    assert metrics["angle_over_30_re"] == pytest.approx(over_30, abs=0.06)
    assert metrics["n_re_atoms"] == {"Interstitial": 177, "Vacancy": 146}[defect]
    assert metrics["n_atoms"] == {"Interstitial": 6500, "Vacancy": 6300}[defect]
    assert metrics["n_snapshots"] == 100
    assert ("energy_rmse" in metrics) == (level == "DFT_K2")


@pytest.mark.parametrize("defect", ["Interstitial", "Vacancy"])
def test_error_falls_with_the_distance_from_the_migrating_atom(defect: str) -> None:
    comparison, distance = _load(defect, "DFT_K1")
    bins = error_by_distance(comparison, distance, [0.0, 1.0, 3.0, 4.0, 5.5])
    errors = [b.force_rmse for b in bins]
    assert errors == sorted(errors, reverse=True)
    assert bins[0].n_atoms == np.count_nonzero(comparison.re_mask)


def test_rare_event_atoms_have_the_larger_error_beyond_doubt() -> None:
    comparison, _ = _load("Interstitial", "DFT_K1")
    interval = resample(comparison).intervals()["force_rmse_ratio"]
    assert interval.low > 1.5
    assert interval.n_resamples == 2000
