"""Errors along a path against a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpzoo.metrics.path import path_errors

# Three images of three atoms: the first goes 2 Å along x, the second 1 Å along y, the third 0.1 Å along z.
POSITIONS = np.zeros((3, 3, 3))
POSITIONS[:, 0, 0] = [0.0, 1.0, 2.0]
POSITIONS[:, 1, 1] = [0.0, 0.5, 1.0]
POSITIONS[:, 2, 2] = [0.0, 0.05, 0.1]
LENGTH = np.sqrt(1.0 + 0.25 + 0.0025)  # of a step
ENERGIES = np.array([1.0, 3.0, 2.0])
FORCES = np.ones((3, 3, 3))


def errors(energies: np.ndarray = ENERGIES, forces: np.ndarray = FORCES, **changed: Any) -> Any:
    """Those of a model."""
    known = {
        "positions_ang": POSITIONS,
        "reference_energies_ev": ENERGIES,
        "reference_forces_ev_per_ang": FORCES,
    }
    return path_errors(**(known | changed), energies_ev=energies, forces_ev_per_ang=forces)


def test_same_numbers_have_no_error() -> None:
    found = errors()
    assert found.values == pytest.approx(
        {
            "barrier": 1.5,
            "barrier_error": 0.0,
            "path_energy_rmse": 0.0,
            "force_rmse": 0.0,
            "force_rmse_hop": 0.0,
            "force_along_path_rmse": 0.0,
            "angle_hop": 0.0,
        },
        abs=1e-5,
    )
    assert found.hop_atoms.tolist() == [0, 1], "the second moves exactly half as far as the first"


def test_energies_are_relative_to_the_mean_of_the_ends() -> None:
    """Model: -0.5, 1.2, 0.5 about the mean; reference: -0.5, 1.5, 0.5."""
    found = errors(np.array([10.0, 11.7, 11.0])).values
    assert found["barrier"] == pytest.approx(1.2)
    assert found["barrier_error"] == pytest.approx(300.0)
    assert found["path_energy_rmse"] == pytest.approx(1e3 * np.sqrt(0.3**2 / 3))
    tilted = errors(ENERGIES + np.array([-0.1, 0.0, 0.1])).values
    assert tilted["barrier_error"] == pytest.approx(0.0, abs=1e-9)
    assert tilted["path_energy_rmse"] == pytest.approx(1e3 * np.sqrt(0.02 / 3))


def test_barrier_that_is_too_high_counts_as_much_as_one_too_low() -> None:
    assert errors(ENERGIES + np.array([0.0, 0.2, 0.0])).values["barrier_error"] == pytest.approx(200.0)
    assert errors(ENERGIES - np.array([0.0, 0.2, 0.0])).values["barrier_error"] == pytest.approx(200.0)


def test_forces_are_counted_by_atom_and_along_the_path() -> None:
    forces = FORCES.copy()
    forces[:, 0, 0] += 0.3  # along the hop
    forces[:, 2, 0] += 0.6  # of a bystander, across
    found = errors(forces=forces).values
    assert found["force_rmse"] == pytest.approx(np.sqrt((0.09 + 0.36) / 9))
    assert found["force_rmse_hop"] == pytest.approx(np.sqrt(0.09 / 6))
    assert found["force_along_path_rmse"] == pytest.approx(0.3 * 1.0 / LENGTH)


def test_errors_of_two_atoms_cancel_along_the_path() -> None:
    """The tangent is (1, 0.5, 0.05) / length for the moving components."""
    forces = FORCES.copy()
    forces[:, 0, 0] += 0.1
    forces[:, 1, 1] -= 0.2
    found = errors(forces=forces).values
    assert found["force_along_path_rmse"] == pytest.approx(0.0, abs=1e-12)
    assert found["force_rmse_hop"] == pytest.approx(np.sqrt(0.05 / 6))


def test_angle_is_the_median_of_the_atoms_that_hop() -> None:
    reference = np.zeros((3, 3, 3))
    reference[:, :, 0] = 1.0
    turned = reference.copy()
    for image, degrees in enumerate((10.0, 30.0, 50.0)):
        angle = np.deg2rad(degrees)
        turned[image, :2] = [np.cos(angle), np.sin(angle), 0.0]
    turned[:, 2] = [-1.0, 0.0, 0.0]  # a bystander
    found = errors(forces=2.0 * turned, reference_forces_ev_per_ang=reference).values
    assert found["angle_hop"] == pytest.approx(30.0)
    opposite = errors(forces=-reference, reference_forces_ev_per_ang=reference).values
    assert opposite["angle_hop"] == pytest.approx(180.0)


def test_forces_without_a_direction_have_no_angle() -> None:
    reference = np.zeros((3, 3, 3))
    assert "angle_hop" not in errors(reference_forces_ev_per_ang=reference).values
    reference[1, 0] = [0.0, 1.0, 0.0]
    forces = np.zeros((3, 3, 3))
    forces[:, :, 0] = 1.0
    assert errors(forces=forces, reference_forces_ev_per_ang=reference).values["angle_hop"] == pytest.approx(
        90.0
    ), "only the pair that both have"
