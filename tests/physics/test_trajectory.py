"""Stored trajectories: positions come back within half a step, in few bytes, or not at all."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mlpzoo.errors import DataError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.trajectory import STEP_ANG, decode, encode
from mlpzoo.results import pack, unpack

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=5).map(lambda shape: (*shape, 3))
COORDINATES = st.floats(-1e5, 1e5, allow_nan=False)


@given(arrays(np.float64, SHAPES, elements=COORDINATES))
def test_positions_come_back_within_half_a_step(positions: np.ndarray) -> None:
    steps = encode(positions)
    assert steps.shape == positions.shape
    assert not steps[0].any()
    # Rounding errors of numbers up to 2e5 besides: 2^-53 of them, a few times.
    np.testing.assert_allclose(decode(steps, positions[0]), positions, rtol=0, atol=0.5 * STEP_ANG + 1e-10)


@pytest.mark.parametrize(
    ("farthest_ang", "dtype"),
    [(32.767, np.int16), (-32.767, np.int16), (32.768, np.int32), (-33.0, np.int32), (2e6, np.int32)],
)
def test_sixteen_bits_as_long_as_they_reach(farthest_ang: float, dtype: type) -> None:
    positions = np.full((3, 2, 3), 7.25)
    positions[2, 1, 0] += farthest_ang
    steps = encode(positions)
    assert steps.dtype == dtype
    np.testing.assert_allclose(decode(steps, positions[0]), positions, atol=1e-9)


@pytest.mark.parametrize("frame", [0, 1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e7])
def test_an_exploded_trajectory_is_refused(frame: int, bad: float) -> None:
    positions = np.zeros((2, 2, 3))
    positions[frame, 1, 2] = bad
    with pytest.raises(DataError, match="not finite") as caught:
        encode(positions)
    assert caught.value.hint


def test_a_trajectory_of_a_crystal_shrinks_to_a_fifth() -> None:
    atoms = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6).supercell(2)
    home = atoms.get_positions()
    positions = home + np.random.default_rng(0).normal(0.0, 0.1, (200, *home.shape))
    steps = encode(positions)
    packed = pack(steps, compress=True)
    assert packed.codec == "zlib"
    # 200 steps of 0.001 Å to either side: 9.7 bits of entropy (log2(100 √(2πe) √2)) of the 64 of a double.
    assert len(packed.data) < 0.22 * positions.nbytes
    assert len(zlib.decompress(packed.data)) == steps.nbytes == positions.nbytes // 4
    np.testing.assert_array_equal(unpack(packed), steps)
    np.testing.assert_allclose(decode(unpack(packed), positions[0]), positions, atol=0.5 * STEP_ANG + 1e-12)
