"""Radial distributions of an ideal gas, of perfect crystals and of one with Gaussian displacements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlpzoo.errors import DataError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.rdf import BIN_ANG, RadialDistribution, radial_distribution

A = 3.615
CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=A)
# Squares of the distances over the square of the first, and atoms, of the first shells.
SHELLS = {
    "fcc": ((1, 12), (2, 6), (3, 24), (4, 12), (5, 24)),
    "bcc": ((1, 8), (4 / 3, 6), (8 / 3, 12), (11 / 3, 24)),
    "diamond": ((1, 4), (8 / 3, 12), (11 / 3, 12), (16 / 3, 6)),
}


def neighbours(distribution: RadialDistribution, low: float, high: float) -> float:
    """Atoms between two distances, by the definition of g."""
    edges = np.append(distribution.r_ang - BIN_ANG / 2, distribution.r_ang[-1] + BIN_ANG / 2)
    inside = (distribution.r_ang > low) & (distribution.r_ang < high)
    volumes = 4 / 3 * np.pi * np.diff(edges**3)
    return float(distribution.density_per_ang3 * (distribution.g * volumes)[inside].sum())


def trembling(crystal: Crystal, repeat: int, sigma_ang: float, n_frames: int) -> np.ndarray:
    """Every atom displaced by a normal distribution, shape (n_frames, n_atoms, 3)."""
    home = crystal.supercell(repeat).get_positions()
    return home + np.random.default_rng(0).normal(0.0, sigma_ang, (n_frames, *home.shape))


def test_an_ideal_gas_has_none_within_the_poisson_error() -> None:
    n_atoms, n_frames, length = 40, 400, 12.0
    frames = np.random.default_rng(0).uniform(-length, 2 * length, (n_frames, n_atoms, 3))
    found = radial_distribution(frames, np.eye(3) * length)
    assert found.density_per_ang3 == pytest.approx((n_atoms - 1) / length**3)
    assert found.r_ang[-1] == pytest.approx(length / 2 - BIN_ANG / 2)
    volumes = 4 / 3 * np.pi * ((found.r_ang + BIN_ANG / 2) ** 3 - (found.r_ang - BIN_ANG / 2) ** 3)
    expected = n_frames * n_atoms * (n_atoms - 1) / 2 * volumes / length**3
    deviation = (found.g - 1) * np.sqrt(expected)
    many = expected > 10
    assert many.sum() > 100
    assert np.abs(deviation[many]).max() < 4.5
    assert deviation[many].std() == pytest.approx(1.0, abs=0.2)
    assert found.g.mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("structure", "repeat"), [("fcc", 3), ("bcc", 4), ("diamond", 2)])
def test_shells_of_a_perfect_crystal_have_their_distances_and_numbers(structure: str, repeat: int) -> None:
    crystal = Crystal(symbol="Cu", structure=structure, lattice_constant_ang=4.0)
    atoms = crystal.supercell(repeat)
    found = radial_distribution([atoms.get_positions()], atoms.cell.array)
    squares, numbers = zip(*SHELLS[structure], strict=True)
    distances = crystal.neighbour_distance_ang * np.sqrt(squares)
    for distance, number in zip(distances.tolist(), numbers, strict=True):
        if distance < found.r_ang[-1]:
            assert neighbours(found, distance - BIN_ANG, distance + BIN_ANG) == pytest.approx(number)
    filled = found.r_ang[found.g > 0]
    filled = filled[filled < distances[-1] + BIN_ANG]
    assert np.abs(filled[:, None] - distances).min(axis=1).max() <= BIN_ANG / 2 + 1e-9
    assert found.peak_position_ang == pytest.approx(distances[0], abs=BIN_ANG / 2 + 1e-9)
    # The shells of bcc at 1 and 1.15 are one: what is behind them is the first gap of their width.
    assert found.coordination == pytest.approx(14 if structure == "bcc" else numbers[0])


@pytest.mark.parametrize(
    ("structure", "repeat", "a_ang", "number"),
    [("fcc", 3, 3.615, 12), ("bcc", 4, 2.87, 14), ("diamond", 2, 5.43, 4)],
)
def test_coordination_of_a_warm_crystal(structure: str, repeat: int, a_ang: float, number: int) -> None:
    crystal = Crystal(symbol="Cu", structure=structure, lattice_constant_ang=a_ang)
    frames = trembling(crystal, repeat, 0.08, 20)
    found = radial_distribution(frames, crystal.supercell(repeat).cell.array)
    assert found.coordination == pytest.approx(number, rel=0.01)
    assert found.peak_position_ang < found.first_minimum_ang < 1.6 * found.peak_position_ang


def test_peak_of_gaussian_displacements_is_that_of_the_closed_form() -> None:
    # The vector between two atoms is normal about d with variance s² = 2σ², so that g is exp(-(r-d)²/2s²)/r:
    # highest where r (d - r) = s².
    sigma, d = 0.08, CU.neighbour_distance_ang
    found = radial_distribution(trembling(CU, 3, sigma, 100), CU.supercell(3).cell.array)
    expected = 0.5 * (d + np.sqrt(d**2 - 8 * sigma**2))
    assert d - expected > 0.004
    assert found.peak_position_ang == pytest.approx(expected, abs=0.002)


def test_first_peak_is_the_nearest_one_even_where_the_second_is_higher() -> None:
    crystal = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.43)
    found = radial_distribution(trembling(crystal, 2, 0.05, 50), crystal.supercell(2).cell.array)
    assert found.r_ang[np.argmax(found.g)] > 3.5
    assert found.peak_position_ang == pytest.approx(crystal.neighbour_distance_ang, abs=0.01)


def test_a_skewed_cell_of_the_same_crystal_gives_the_same() -> None:
    atoms = CU.supercell(3)
    frames = trembling(CU, 3, 0.05, 3)
    skewed = np.array([[1, 0, 0], [2, 1, 0], [-1, 3, 1]]) @ atoms.cell.array
    one, other = radial_distribution(frames, atoms.cell.array), radial_distribution(frames, skewed)
    np.testing.assert_allclose(other.r_ang, one.r_ang)
    np.testing.assert_allclose(other.g, one.g)
    assert other.density_per_ang3 == pytest.approx(one.density_per_ang3)


def test_primitive_cell_sees_the_shells_of_the_cubic_one() -> None:
    primitive = CU.cubic().cell.array @ np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    corners = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    found = radial_distribution([corners @ primitive], 5 * primitive)
    # Of the planes (111), five of a/√3 apart each.
    assert found.r_ang[-1] == pytest.approx(5 * A / np.sqrt(3) / 2, abs=BIN_ANG)
    for square, number in SHELLS["fcc"][:4]:
        distance = CU.neighbour_distance_ang * np.sqrt(square)
        assert neighbours(found, distance - BIN_ANG, distance + BIN_ANG) == pytest.approx(number)


def test_wrapping_and_shifting_change_nothing() -> None:
    cell = CU.supercell(3).cell.array
    frames = trembling(CU, 3, 0.08, 3)
    wrapped = ((frames + 3.234) @ np.linalg.inv(cell) % 1.0) @ cell
    assert np.abs(wrapped - frames).max() > 5.0
    np.testing.assert_allclose(
        radial_distribution(iter(wrapped), cell).g, radial_distribution(frames, cell).g, rtol=1e-9
    )


def test_difference_of_equal_ones_is_none_and_of_a_scaled_one_is_its_scale() -> None:
    found = radial_distribution(trembling(CU, 3, 0.08, 3), CU.supercell(3).cell.array)
    assert found.difference_percent(found) == 0.0
    assert replace(found, g=1.2 * found.g).difference_percent(found) == pytest.approx(20.0)
    shorter = replace(found, r_ang=found.r_ang[:60], g=found.g[:60])
    assert found.difference_percent(shorter) == shorter.difference_percent(found) == 0.0
    beyond = replace(found, g=np.where(found.r_ang > 2.8, 0.0, found.g))
    assert 0 < beyond.difference_percent(found) < 100


def test_a_distribution_without_peak_has_a_position_all_the_same() -> None:
    flat = RadialDistribution(r_ang=BIN_ANG * (np.arange(40) + 0.5), g=np.zeros(40), density_per_ang3=0.1)
    assert flat.peak_position_ang == flat.r_ang[0]
    assert flat.coordination == 0.0


@pytest.mark.parametrize("frames", [[], [np.zeros((1, 3))]])
def test_nothing_to_count_is_an_error(frames: list[np.ndarray]) -> None:
    with pytest.raises(DataError, match="two atoms or more"):
        radial_distribution(frames, np.eye(3) * 10)
