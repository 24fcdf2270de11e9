"""The generated tables: numbers of functions, invariance, and what single functions are."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from mlpzoo_mtp.moments import Tables, tables
from scipy.spatial.transform import Rotation

LEVELS = (2, 4, 6, 8, 10, 12, 14, 16)


def functions(table: Tables, units: np.ndarray, radial: np.ndarray) -> np.ndarray:
    """All basis functions of one atom, written out: unit vectors (n, 3), radial functions (mu, n)."""
    values = np.zeros(table.n_components)
    for place, (mu, *powers) in enumerate(table.basic):
        values[place] = radial[mu] @ np.prod(units ** np.array(powers), axis=1)
    for a, b, factor, c in table.times:
        values[c] += factor * values[a] * values[b]
    return values[list(table.scalars)]


def environment(seed: int = 0, n: int = 7) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None], random.normal(size=(5, n))


@pytest.mark.parametrize(
    ("level", "n"),
    [(2, 1), (4, 2), (6, 5), (8, 9), (10, 16), (12, 29), (14, 52), (16, 92), (18, 163), (20, 288)],
)
def test_numbers_of_functions_are_those_of_mlip(level: int, n: int) -> None:
    """alpha_scalar_moments of the untrained potentials that come with MLIP-2."""
    table = tables(level)
    assert len(table.scalars) == len(set(table.scalars)) == n
    assert table.n_radial == (level - 2) // 4 + 1


@pytest.mark.parametrize("level", LEVELS)
def test_functions_do_not_change_with_rotation_reflection_and_order(level: int) -> None:
    units, radial = environment()
    expected = functions(tables(level), units, radial)
    turned = -units @ Rotation.random(rng=np.random.default_rng(1)).as_matrix().T
    order = np.random.default_rng(2).permutation(len(units))
    found = functions(tables(level), turned[order], radial[:, order])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_functions_are_different_ones() -> None:
    """No two of them have one value, and a linear combination of some others is none of them."""
    table = tables(12)
    values = np.array([functions(table, *environment(seed)) for seed in range(100)])
    singular = np.linalg.svd(values / np.linalg.norm(values, axis=0), compute_uv=False)
    assert singular[-1] > 1e-6 * singular[0]


def test_contractions_are_those_of_the_tensors() -> None:
    """The longest chain and the triangle of level 12, and two neighbours between which three indices go."""
    units, radial = environment()

    def moment(mu: int, nu: int) -> np.ndarray:
        letters = "abcd"[:nu]
        return np.einsum(
            ",".join(["z", *(f"z{k}" for k in letters)]) + "->" + letters, radial[mu], *[units] * nu
        )

    found = functions(tables(12), units, radial)
    one, two, three = (moment(0, nu) for nu in (1, 2, 3))
    for expected in (
        np.einsum("a,ab,b", one, two, one),
        np.einsum("ab,bc,ca", two, two, two),
        np.einsum("abc,abc", three, three),
        np.einsum("abc,ab,c", three, two, one),
        moment(2, 0) * moment(0, 0),
        np.einsum("a,a", one, moment(1, 1)) * moment(0, 0),
    ):
        assert np.isclose(found, expected, rtol=1e-10, atol=0).sum() == 1


@pytest.mark.skipif(not importlib.util.find_spec("motep"), reason="motep is not installed")
@pytest.mark.parametrize("level", [2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
def test_functions_are_those_of_motep(level: int) -> None:
    """motep lists contractions of its own for its JAX engine; their values at its test vectors."""
    from motep.potentials.mtp.jax import moment
    from motep.potentials.mtp.jax.utils import TEST_R_UNITS, TEST_RB_VALUES

    theirs = [float(moment._test_contraction(c)) for c in moment.MomentBasis(level).read_moments()]
    ours = functions(tables(level), TEST_R_UNITS, TEST_RB_VALUES)
    np.testing.assert_allclose(np.sort(ours), np.sort(theirs), rtol=1e-10)


@pytest.mark.parametrize("level", [-2, 0, 3, 17])
def test_a_level_that_is_none_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=f"level {level}"):
        tables(level)
