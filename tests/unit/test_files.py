"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import zoo_harness as harness

from mlpzoo.files import write_atomically


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("when", ["os.fsync", "pathlib.Path.replace"])
def test_a_failure_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"one")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(when, fails)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_the_directory_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "result.json", b"one")


def test_threads_that_write_the_same_file_leave_one_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    contents = [bytes([65 + n]) * 100_000 for n in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, c)) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_a_part_even_if_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    code = (
        "import pathlib, sys; from mlpzoo.files import write_atomically\n"
        "while True:\n"
        "    for byte in (b'a', b'b'): write_atomically(pathlib.Path(sys.argv[1]), byte * 300_000)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(harness.ROOT)}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], env=environ) as writer:
        harness.wait_until(path.exists, "the file is written")
        for _ in range(100):
            assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)
        writer.kill()
    assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)
