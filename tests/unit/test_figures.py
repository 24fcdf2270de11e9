"""Curves drawn from stored results."""

from __future__ import annotations

import numpy as np
import pytest

from mlpzoo.benchmarks import re_forces
from mlpzoo.errors import UsageError
from mlpzoo.metrics import ForceComparison
from mlpzoo.render import write_figures
from mlpzoo.results import Result, pack
from mlpzoo.table import Comparison, Table


def stored(model, noise, *, is_floor=False):
    """A result as ``re-forces`` stores it: 4 snapshots of 10 atoms, the first atom of each is migrating."""
    rng = np.random.default_rng(1)
    reference = rng.normal(size=(40, 3))
    mask = np.arange(40) % 10 == 0
    arrays = {
        "forces": reference + rng.normal(scale=noise, size=(40, 3)),
        "reference_forces": reference,
        "snapshot": np.repeat(np.arange(4), 10),
        "re_mask": mask,
        "r": np.where(mask, 0.0, np.tile(np.linspace(0.0, 5.5, 10), 4)),
    }
    return Result(
        model=model, benchmark="re-forces", version=1, case="si-vacancy", profile="standard", status="ok",
        values={"force_rmse_re": noise}, arrays={k: pack(a) for k, a in arrays.items()}, is_floor=is_floor,
    )  # fmt: skip


def comparison(*rows, floors=()):
    case = re_forces.Case(name="si-vacancy", system="si", elements=("Si",))
    table = Table(
        benchmark=re_forces.SPEC, case=case, settings=re_forces.RunSettings(), rows=rows, floors=floors
    )
    return Comparison(tables=(table,))


def test_figure_has_the_three_curves_of_every_row_and_floor(tmp_path):
    rows = (stored("mace/si", 0.1), stored("nequip/si", 0.2))
    found = comparison(*rows, floors=(stored("DFT, Γ only", 0.05, is_floor=True),))
    (path,) = write_figures(found, tmp_path / "new")
    assert path.name == "re-forces-si-vacancy.png"
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    arrays = found.tables[0].arrays
    figure = re_forces.draw({m: arrays[m] for m in ("mace/si", "nequip/si")}, {}, "title")
    for axes in figure.axes:
        labels = {line.get_label() for line in axes.lines}
        assert {"mace/si", "nequip/si"} <= labels
    better, worse = (np.asarray(line.get_ydata()) for line in figure.axes[2].lines)
    assert (better < worse).all()


def test_nothing_to_draw_is_an_error(tmp_path):
    failed = Result(
        model="a", benchmark="re-forces", version=1, case="si-vacancy", profile="standard", status="failed"
    )
    with pytest.raises(UsageError, match="nothing to draw"):
        write_figures(comparison(failed), tmp_path)


def test_atoms_without_an_angle_are_left_out_and_counted_in_a_note():
    forces = np.random.default_rng(2).normal(size=(2, 4, 3))
    predicted = forces.copy()
    predicted[0, 0] = 0.0
    masks = np.zeros((2, 4), dtype=bool)
    masks[:, :2] = True
    comparison = ForceComparison.from_snapshots(
        reference_forces=list(forces), predicted_forces=list(predicted), re_masks=list(masks)
    )
    outcome = re_forces._outcome(comparison, np.zeros(8), re_forces.RunSettings())
    assert outcome.values["n_undefined_angles_re"] == 1.0
    assert outcome.message.startswith("1 RE atoms without a force")
