"""Presets, settings, and structures on their way to a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zoo_training_sets as sets
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mlpzoo.errors import UsageError
from mlpzoo.labelled import packed, unpacked
from mlpzoo.registry import default_registry
from mlpzoo.training import Preset, Setting, Trainable, TrainingJob, epochs_of
from mlpzoo.training_plan import differences

PRESET = Preset(
    title="for tests",
    settings={
        "steps": Setting(value=100, meaning="steps"),
        "rate": Setting(value=0.1, meaning="rate"),
        "ema": Setting(value=False, meaning="average"),
        "kind": Setting(value="x", meaning="kind"),
    },
)


def test_pairs_replace_values_and_keep_their_types() -> None:
    assert PRESET.with_pairs(["rate=1e-3", "ema=yes", "kind=16x0e + 8x1o", "steps=7"]) == {
        "steps": 7, "rate": 1e-3, "ema": True, "kind": "16x0e + 8x1o",
    }  # fmt: skip
    assert PRESET.with_pairs(["kind=a=b"])["kind"] == "a=b"
    assert PRESET.with_pairs(["rate=2"])["rate"] == 2.0


@pytest.mark.parametrize("pair", ["steps=1.5", "ema=2", "rate=fast", "stepz=1", "steps"])
def test_pairs_that_cannot_be_are_refused_with_a_way_out(pair: str) -> None:
    with pytest.raises(UsageError) as caught:
        PRESET.with_pairs([pair])
    assert caught.value.hint


def test_derived_preset_keeps_the_rest() -> None:
    quick = PRESET.but("quick", steps=3)
    assert (quick.title, quick.with_pairs([])["steps"], quick.with_pairs([])["rate"]) == ("quick", 3, 0.1)
    assert PRESET.with_pairs([])["steps"] == 100


@pytest.mark.parametrize(
    ("n_frames", "expected"), [(1, 400), (10, 400), (100, 60), (214, 28), (3000, 2), (100000, 1)]
)
def test_epochs_make_up_the_steps_whatever_the_number_of_frames(n_frames: int, expected: int) -> None:
    settings = {"steps": 3000, "batch_size": 2, "max_epochs": 400}
    atoms = [Atoms("Si")] * n_frames
    job = TrainingJob(directory=Path(), train=atoms, validation=[], settings=settings)
    assert epochs_of(job) == expected


@pytest.mark.parametrize("stress", [True, False])
def test_structures_survive_the_way_to_a_worker(stress: bool) -> None:
    frames = [frame_with_labels(frame) for frame in sets.frames(3, stress=stress)]
    molecule = Atoms("CuAl", positions=[[0, 0, 0], [0, 0, 2.5]])
    if not stress:
        molecule.calc = SinglePointCalculator(molecule, energy=-1.0, forces=np.ones((2, 3)))
        frames.append(molecule)
    for before, after in zip(frames, unpacked(packed(frames)), strict=True):
        assert after == before, "species, positions, cell and pbc to the last bit"
        assert after.calc.results.keys() == before.calc.results.keys()
        for name, value in before.calc.results.items():
            assert np.array_equal(after.calc.results[name], value)
    assert unpacked(packed([])) == []


def frame_with_labels(frame) -> Atoms:
    atoms = Atoms(frame.atoms.symbols, positions=frame.atoms.positions, cell=frame.atoms.cell, pbc=True)
    labels = {"energy": frame.energy, "forces": frame.forces}
    if frame.stress is not None:
        labels["stress"] = frame.stress
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


def test_differences_are_named_one_by_one() -> None:
    before = {"seed": 0, "data": "a", "settings": {"steps": 1, "rate": 2.0}, "lock": "x"}
    now = {"seed": 1, "data": "b", "settings": {"steps": 2, "rate": 2.0}, "lock": "x"}
    assert differences(before, now) == ["seed was 0, now 1", "data differs", "settings steps was 1, now 2"]
    assert differences(before, before) == []


@pytest.mark.parametrize("family", ["mace", "nequip"])
def test_presets_of_the_plugins_are_complete_and_explained(family: str) -> None:
    backend = default_registry().backend(family).item
    assert isinstance(backend, Trainable)
    presets = backend.presets()
    assert {"smoke", "small"} <= presets.keys()
    assert len({tuple(preset.settings) for preset in presets.values()}) == 1
    for preset in presets.values():
        assert preset.title
        assert all(setting.meaning for setting in preset.settings.values())
