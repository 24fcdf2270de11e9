"""A structure of one set in another is found, however it is written there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zoo_training_sets as sets
from click.testing import CliRunner

from mlpzoo.cli.data_fetch import verify
from mlpzoo.data.dataset import load_dataset
from mlpzoo.data.overlap import check_apart
from mlpzoo.errors import DataError


def shuffled(frame, frame_id):  # type: ignore[no-untyped-def]
    """The same structure with other atoms first, moved, and wrapped; labels follow their atoms."""
    order = np.random.default_rng(3).permutation(len(frame.atoms))
    atoms = frame.atoms[order]
    atoms.positions += (0.3, -1.7, 5.0)
    atoms.wrap()
    return replace(frame, atoms=atoms, frame_id=frame_id, forces=frame.forces[order])


def test_sets_without_a_common_structure_pass(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        sets.write(tmp_path / name, {"train": sets.frames(5, seed=number)}, name=name)
    arguments = [str(tmp_path / "one"), str(tmp_path / "two")]
    result = CliRunner().invoke(verify, arguments, catch_exceptions=False)
    assert "no structure of one of these 2 sets is in another" in result.output


def test_a_disguised_copy_is_named_with_both_files_and_frames(tmp_path: Path) -> None:
    frames = sets.frames(5)
    sets.write(tmp_path / "one", {"train": frames}, name="one")
    others = [*sets.frames(3, seed=8, prefix="g"), shuffled(frames[2], "copy")]
    sets.write(tmp_path / "two", {"validation": others}, name="two")
    with pytest.raises(DataError) as error:
        check_apart([load_dataset(tmp_path / name) for name in ("one", "two")])
    assert "two/validation.extxyz: frame 'copy' is the structure of" in error.value.message
    assert "one/train.extxyz: frame 'f-2'" in error.value.message


def test_the_embedded_sets_are_apart() -> None:
    result = CliRunner().invoke(verify, ["si-vacancy", "si-interstitial"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
