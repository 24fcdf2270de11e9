"""What a model says of several structures in one call, structure by structure."""

from __future__ import annotations

import numpy as np

from mlpzoo.physics.evaluate import taken_apart


def test_each_structure_gets_its_energy_and_the_forces_of_its_atoms() -> None:
    forces = np.arange(18, dtype=np.float32).reshape(6, 3)
    found = taken_apart(np.array([[1.0], [2.0], [3.0]], dtype=np.float32), forces, [1, 3, 2])
    assert [one.energy_ev for one in found] == [1.0, 2.0, 3.0]
    assert all(one.forces_ev_per_ang.dtype == np.float64 for one in found)
    for one, rows in zip(found, (slice(0, 1), slice(1, 4), slice(4, 6)), strict=True):
        np.testing.assert_array_equal(one.forces_ev_per_ang, forces[rows])
