"""On a terminal: bars while it runs, tables that fit."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
import zoo_harness as harness


def on_a_terminal(*arguments: str, home: Path, columns: int) -> tuple[int, str]:
    """Exit code, and all that a terminal got, without its control sequences."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            harness.command(*arguments),
            env=harness.environment(home, COLUMNS=str(columns), LINES="24", TERM="xterm-256color"),
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
    finally:
        os.close(theirs)
    shown = bytearray()
    with os.fdopen(ours, "rb", buffering=0) as screen, process:
        try:
            while block := screen.read(65536):
                shown += block
        except OSError:  # Linux: the other side was closed
            pass
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    return process.returncode, text.replace("\r\n", "\n")


def test_comparison_shows_bars_outcomes_and_the_table(tmp_path: Path) -> None:
    code, text = on_a_terminal(
        "compare", "-m", "toy/good,toy/nan", "-b", "toy-cells", "-s", "toy-cu", "--isolate", "never",
        home=tmp_path, columns=100,
    )  # fmt: skip
    assert code == 1
    assert "Traceback" not in text
    assert "all tasks" in text
    assert "0/2" in text
    assert "toy/good · toy-cells · toy-cu: ok, 2 force calls" in text
    assert "toy/nan · toy-cells · toy-cu: failed: toy/nan returned a non-finite forces" in text
    table = text[text.index("toy-cells v1 · toy-cu · profile standard") :]
    assert re.search(r"toy/good +\*?-1\.979", table)
    assert re.search(r"toy/nan +✗ +✗", table)


@pytest.mark.parametrize("columns", [80, 160])
def test_list_of_models_fits_the_terminal_and_keeps_every_name_whole(tmp_path: Path, columns: int) -> None:
    code, text = on_a_terminal("models", home=tmp_path, columns=columns)
    assert code == 0
    assert max(map(len, text.splitlines())) <= columns
    for name in ("toy/good", "toy/inf-energy", "emt/emt", "toy/sys-exit"):
        assert re.search(rf"^ ?{name} ", text, re.MULTILINE), name
    assert "energy, forces" in text
    assert "this Python" in text
