"""Locks: one holder at a time, nothing left behind, a dead holder holds nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlpzoo import locks

HOLD = """
import sys
from pathlib import Path
from mlpzoo import locks
with locks.alone(Path(sys.argv[1]), give_up=lambda: False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_is_held_once_and_removed(tmp_path: Path) -> None:
    place = tmp_path / "a.lock"
    with locks.alone(place, give_up=lambda: True) as first:
        assert first
        assert place.exists()
        with locks.alone(place, give_up=lambda: True) as second:
            assert not second
        assert place.exists(), "the one that gave up leaves the holder's file"
    assert not place.exists()
    with locks.alone(place, give_up=lambda: True) as third:
        assert third


def test_error_inside_goes_on_and_frees_the_lock(tmp_path: Path) -> None:
    place = tmp_path / "a.lock"
    with pytest.raises(ZeroDivisionError), locks.alone(place, give_up=lambda: True):
        raise ZeroDivisionError
    assert not place.exists()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    place = tmp_path / "a.lock"
    command = [sys.executable, "-c", HOLD, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with locks.alone(place, give_up=lambda: True) as held:
            assert not held
        process.kill()
    assert place.exists(), "nobody removed it"
    with locks.alone(place, give_up=lambda: True) as held:
        assert held


def test_many_threads_are_never_two_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_ASK_AGAIN_S", 0.0)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(30):
            with locks.alone(tmp_path / "a.lock", give_up=lambda: False) as held:
                assert held
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) == 120
    assert max(most) == 1
