"""Closed forms and invariances of the errors of single atoms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpzoo.metrics import (
    component_mae,
    component_rmse,
    direction_error,
    magnitude_error,
    vector_error,
)

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


def test_magnitude_error_is_a_signed_difference_of_norms() -> None:
    reference = [[3.0, 4.0, 0.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]
    predicted = [[0.0, 0.0, 2.0], [0.0, 0.0, 1.5], [-2.0, 0.0, 0.0]]
    np.testing.assert_allclose(magnitude_error(reference, predicted), [-3.0, 0.5, 0.0])


def test_vector_error_is_the_norm_of_the_difference() -> None:
    errors = vector_error([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [[1.0, 3.0, -4.0], [-2.0, 0.0, 0.0]])
    np.testing.assert_allclose(errors, [5.0, 4.0])


def test_component_errors_average_over_three_components_an_atom() -> None:
    reference, predicted = np.zeros((2, 3)), np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 12.0]])
    assert component_rmse(reference, predicted) == pytest.approx(math.sqrt(169.0 / 6.0))
    assert component_mae(reference, predicted) == pytest.approx(19.0 / 6.0)


@pytest.mark.parametrize("degrees", [0.0, 1e-7, 15.0, 90.0, 150.0, 180.0 - 1e-7, 180.0])
def test_direction_error_is_accurate_at_both_ends(degrees: float) -> None:
    # 1e-7 degrees: the arc cosine of a double gives 0 or about 1e-6 here.
    angle = math.radians(degrees)
    predicted = 0.7 * np.array([[math.cos(angle), math.sin(angle), 0.0]])
    found = direction_error([[2.0, 0.0, 0.0]], predicted).angles
    np.testing.assert_allclose(found, [degrees], rtol=1e-12, atol=1e-13)


def test_parallel_forces_never_leave_the_range_of_an_angle() -> None:
    forces = np.random.default_rng(0).normal(size=(1000, 3))
    assert np.all(direction_error(forces, 3.0 * forces).angles <= 1e-6)
    assert np.all(direction_error(forces, -0.1 * forces).angles >= 180.0 - 1e-6)
    assert np.all(direction_error(forces, -0.1 * forces).angles <= 180.0)


def test_direction_of_a_force_below_a_thousandth_is_left_out() -> None:
    reference = [[1e-3, 0.0, 0.0], [0.99e-3, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    predicted = [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [-1e-3, 0.0, 0.0]]
    angles, defined = direction_error(reference, predicted)
    assert defined.tolist() == [True, False, False, True]
    np.testing.assert_allclose(angles, [90.0, 180.0])


@given(seed=SEEDS, scale=st.floats(min_value=0.01, max_value=1000.0))
def test_errors_do_not_depend_on_the_frame_of_reference(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    reference, predicted = scale * generator.normal(size=(2, 20, 3))
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))  # a rotation, or one with a mirror
    for error in (magnitude_error, vector_error):
        before, after = error(reference, predicted), error(reference @ turn, predicted @ turn)
        np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(
        direction_error(reference, predicted).angles,
        direction_error(reference @ turn, predicted @ turn).angles,
        atol=1e-9,
    )
    assert component_rmse(reference @ turn, predicted @ turn) == pytest.approx(
        component_rmse(reference, predicted)
    )


@given(seed=SEEDS)
def test_norms_and_angle_obey_the_law_of_cosines(seed: int) -> None:
    reference, predicted = np.random.default_rng(seed).normal(size=(2, 20, 3))
    angles, defined = direction_error(reference, predicted)
    a = np.linalg.norm(reference, axis=1)[defined]
    b = a + magnitude_error(reference, predicted)[defined]
    opposite = np.sqrt(a**2 + b**2 - 2.0 * a * b * np.cos(np.radians(angles)))
    np.testing.assert_allclose(opposite, vector_error(reference, predicted)[defined], atol=1e-7)


@pytest.mark.parametrize(
    "error", [magnitude_error, direction_error, vector_error, component_rmse, component_mae]
)
def test_wrong_shapes_and_numbers_are_refused(error: object) -> None:
    assert callable(error)
    good = np.ones((4, 3))
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"predicted forces: 1 of 12 .* index \(2, 1\) is nan"):
        error(good, bad)
    with pytest.raises(ValueError, match=r"reference forces: 1 of 12 .* is nan"):
        error(bad, good)
    with pytest.raises(ValueError, match=r"predicted forces: shape \(3, 3\), expected \(4, 3\)"):
        error(good, good[:3])
    with pytest.raises(ValueError, match=r"reference forces: shape \(3, 4\), expected \(n, 3\)"):
        error(good.T, good)


@pytest.mark.parametrize("error", [component_rmse, component_mae])
def test_average_over_no_atoms_is_refused(error: object) -> None:
    assert callable(error)
    with pytest.raises(ValueError, match="no atoms"):
        error(np.empty((0, 3)), np.empty((0, 3)))
