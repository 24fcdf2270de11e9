"""Checkpoints: arrays come back as they were, or not at all; nothing is ever unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mlpzoo.benchmark import Job
from mlpzoo.checkpoint import Checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """In a directory that is not there yet."""
    return Checkpoint(tmp_path / "work" / "relax")


def test_arrays_come_back_to_the_last_bit(checkpoint: Checkpoint) -> None:
    arrays = {
        "positions": np.random.default_rng(0).normal(size=(5, 3)),
        "step": np.array(7),
        "state": np.array('{"a": "Å"}'),
        "empty": np.empty((0, 3)),
        "mask": np.array([True, False]),
    }
    checkpoint.save(**arrays)
    found = checkpoint.load()
    assert found is not None
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_without_a_save_there_is_nothing(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() is None
    checkpoint.clear()


def test_the_last_save_counts_and_nothing_else_stays(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(a=1.0, b=2.0)
    checkpoint.save(a=3.0)
    assert checkpoint.load() == {"a": 3.0}
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["relax.npz"]
    checkpoint.clear()
    assert checkpoint.load() is None
    assert list((tmp_path / "work").iterdir()) == []


def test_children_and_siblings_do_not_mix(checkpoint: Checkpoint) -> None:
    for number, one in enumerate((checkpoint, checkpoint.child("a"), checkpoint.child("a").child("b"))):
        one.save(number=number)
    assert checkpoint.load() == {"number": 0}
    assert checkpoint.child("a").load() == {"number": 1}
    assert checkpoint.child("a").child("b").load() == {"number": 2}
    checkpoint.child("a").clear()
    assert checkpoint.load() == {"number": 0}


def test_names_may_hold_a_point(tmp_path: Path) -> None:
    for kelvin in ("0.5", "0.7"):
        Checkpoint(tmp_path / f"md-{kelvin}").save(kelvin=float(kelvin))
    assert Checkpoint(tmp_path / "md-0.5").load() == {"kelvin": 0.5}


@pytest.mark.parametrize("length", [0, 1, 30, 100, -1, -50])
def test_a_damaged_file_counts_as_none_and_goes(checkpoint: Checkpoint, tmp_path: Path, length: int) -> None:
    checkpoint.save(positions=np.ones((8, 3)))
    file = tmp_path / "work" / "relax.npz"
    file.write_bytes(file.read_bytes()[:length])
    assert checkpoint.load() is None
    assert not file.exists()
    checkpoint.save(step=1)
    assert checkpoint.load() == {"step": 1}


def test_altered_bytes_count_as_none(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(positions=np.ones((8, 3)))
    file = tmp_path / "work" / "relax.npz"
    data = bytearray(file.read_bytes())
    data[data.index(np.float64(1.0).tobytes()) + 7] ^= 1
    file.write_bytes(bytes(data))
    assert checkpoint.load() is None


class Evil:
    """Leaves a mark if it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (open, ("unpickled", "w"))


def test_nothing_is_ever_unpickled(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    file = tmp_path / "work" / "relax.npz"
    file.write_bytes(pickle.dumps(Evil()))
    assert checkpoint.load() is None
    np.savez(file, things=np.array([Evil()], dtype=object))
    assert checkpoint.load() is None
    assert not (tmp_path / "unpickled").exists()


def test_objects_are_refused_and_leave_the_old_state(checkpoint: Checkpoint) -> None:
    checkpoint.save(step=1)
    with pytest.raises(ValueError, match="Object arrays"):
        checkpoint.save(step=np.array([{}]))
    assert checkpoint.load() == {"step": 1}


def test_a_kill_while_it_is_written_leaves_the_old_state(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(step=1)

    def killed(fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(step=2)
    assert checkpoint.load() == {"step": 1}


def test_without_a_directory_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for nowhere in (Checkpoint(), Checkpoint().child("a"), Job().checkpoint("a")):
        nowhere.save(step=1)
        assert nowhere.load() is None
        nowhere.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_jobs_checkpoints_lie_in_its_directory(tmp_path: Path) -> None:
    Job(directory=tmp_path / "job").checkpoint("md").save(step=1)
    assert Job(directory=tmp_path / "job").checkpoint("md").load() == {"step": 1}
    assert Job(directory=tmp_path / "job").checkpoint("other").load() is None
    assert (tmp_path / "job" / "md.npz").is_file()
