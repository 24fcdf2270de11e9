"""What the conformance kit cannot know of Allegro: that it is local, and whose environment it has."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mlpzoo_allegro
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_allegro.backend import AllegroBackend
from mlpzoo_nequip.backend import NequIPBackend

from mlpzoo import envs
from mlpzoo.calculator import build
from mlpzoo.models import ModelSpec

CARD = AllegroBackend().cards()[0]
WEIGHTS = Path(mlpzoo_allegro.__file__).parent / "models" / "si-small.ckpt"

needs_allegro = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in AllegroBackend.requires),
    reason="nequip-allegro is not installed",
)


def test_it_lives_in_the_environment_of_nequip() -> None:
    ours, theirs = envs.spec_of(AllegroBackend()), envs.spec_of(NequIPBackend())
    assert ours is not None
    assert ours == theirs
    assert ours.name == "nequip"


def test_presets_name_the_settings_of_the_model_and_no_others() -> None:
    """What NequIP and Allegro share is called the same."""
    ours = AllegroBackend().presets()["small"].settings
    theirs = NequIPBackend().presets()["small"].settings
    assert {"steps", "cutoff_ang", "learning_rate", "energy_weight", "dtype"} <= set(ours) & set(theirs)
    assert "features" not in ours


@needs_allegro
def test_it_is_strictly_local() -> None:
    """A force is a sum over atoms in reach, each of which reaches as far: nothing comes from twice the cutoff.

    The two layers would pass messages on over the atoms in between, as NequIP's do.
    """
    calculator = build(AllegroBackend(), ModelSpec(name=CARD.name, card=CARD, path=str(WEIGHTS)))
    assert CARD.cutoff_ang == 5.0
    far = Atoms("Si4", positions=[[0, 0, 0], [3.5, 0, 0], [7.0, 0, 0], [10.5, 0, 0]])
    np.testing.assert_allclose(
        calculator.get_forces(far)[0], calculator.get_forces(far[:3])[0], rtol=0, atol=1e-9
    )
    near = Atoms("Si3", positions=[[0, 0, 0], [3.0, 0, 0], [6.0, 0, 0]])
    change = calculator.get_forces(near)[0] - calculator.get_forces(near[:2])[0]
    assert np.abs(change).max() > 1e-3, "through the energy of the atom between"


@needs_allegro
def test_crystal_is_silicon() -> None:
    """PBE's 5.47 Å at the level of its data."""
    calculator = build(AllegroBackend(), ModelSpec(name=CARD.name, card=CARD, path=str(WEIGHTS)))
    lattice = np.linspace(5.36, 5.58, 12)
    energies = [calculator.get_potential_energy(bulk("Si", "diamond", a=a)) for a in lattice]
    assert lattice[int(np.argmin(energies))] == pytest.approx(5.47, abs=0.03)
