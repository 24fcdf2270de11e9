"""Errors of energies, forces and stresses in the units of publications."""

from __future__ import annotations

import numpy as np
import pytest

from mlpzoo.metrics.labels import LABEL_ERRORS, energy_errors, force_errors, stress_errors


def test_energy_errors_by_hand() -> None:
    # 10, 20 and 60 meV/atom too high: RMSE sqrt(4100 / 3), about the mean of 30 sqrt(1400 / 3)
    found = energy_errors([0.0, 0.0, 0.0], [0.02, 0.08, 0.06], [2, 4, 1])
    assert found["energy_rmse_mev_per_atom"] == pytest.approx(np.sqrt(4100 / 3))
    assert found["energy_rmse_shifted_mev_per_atom"] == pytest.approx(np.sqrt(1400 / 3))


def test_another_zero_of_energy_shows_in_one_of_the_two_only() -> None:
    random = np.random.default_rng(0)
    n, e = np.array([2, 8, 64, 3]), random.normal(size=4)
    near = e + 1e-3 * n * random.normal(size=4)
    one, other = energy_errors(e, near, n), energy_errors(e, near - 100.0 * n, n)
    name = "energy_rmse_shifted_mev_per_atom"
    assert one[name] == pytest.approx(other[name], rel=1e-6)
    assert other["energy_rmse_mev_per_atom"] == pytest.approx(1e5, rel=1e-4)


def test_force_and_stress_errors_by_hand() -> None:
    assert force_errors([[0, 0, 0], [0, 0, 0]], [[3, 0, 0], [0, -3, 0]]) == {
        "force_rmse_ev_per_ang": pytest.approx(np.sqrt(3)),
        "force_mae_ev_per_ang": pytest.approx(1.0),
    }
    gpa = 1 / 160.2176634
    found = stress_errors(np.zeros((2, 6)), gpa * np.array([[1.0] * 6, [-1.0] * 6]))
    assert found == {"stress_rmse_gpa": pytest.approx(1.0)}


def test_every_error_has_a_title() -> None:
    names = {
        *energy_errors([0.0], [0.0], [1]),
        *force_errors([[0.0] * 3], [[0.0] * 3]),
        *stress_errors([[0.0] * 6], [[0.0] * 6]),
    }
    assert names == set(LABEL_ERRORS)


@pytest.mark.parametrize(
    "call",
    [
        lambda: energy_errors([], [], []),
        lambda: energy_errors([0.0], [np.nan], [1]),
        lambda: energy_errors([0.0], [0.0, 1.0], [1]),
        lambda: stress_errors(np.zeros((0, 6)), np.zeros((0, 6))),
        lambda: stress_errors(np.zeros((1, 6)), np.zeros((1, 9))),
    ],
)
def test_what_has_no_error_is_refused(call) -> None:
    with pytest.raises(ValueError, match=r"shape|finite|undefined"):
        call()
