"""The page "Write a backend in 30 minutes", as its reader would follow it: every command, every block."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from mlpzoo.uvtool import uv

pytestmark = pytest.mark.environments

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "write-a-backend.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with mlpzoo, pytest and pip."""
    directory = tmp_path_factory.mktemp("reader")
    uv("venv", "--seed", str(directory / "venv"))
    python = directory / "venv" / "bin" / "python"
    uv("pip", "install", "--python", str(python), str(ROOT), "pytest", "hatchling", "editables")
    return directory


def test_the_page_works_as_it_stands(venv: Path) -> None:
    said = {}
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language in {"python", "toml"}:
            place, _, content = text.partition("\n")
            (venv / place.removeprefix("# ")).write_text(content, encoding="utf-8")
        elif language == "sh":
            for line in text.splitlines():
                said[line] = run(venv, line)
    first, last = (said[line] for line in ("mlpzoo check soft  # fails", "mlpzoo check soft"))
    (shown,) = (
        text for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if language == "text"
    )
    for line in shown.splitlines():
        assert line.strip() in first
    assert " 9 failed" in first, "the page says nine"
    assert " 0 failed" in last
    (table,) = (text for line, text in said.items() if line.startswith("mlpzoo compare"))
    assert "soft/copper" in table
    assert "✗" not in table


def run(venv: Path, line: str) -> str:
    """What a command prints; its exit code must be that which a reader expects."""
    command, _, comment = line.partition("  # ")
    words = command.split()
    if words[:2] == ["pip", "install"]:  # no network but the index: hatchling is there already
        words.insert(2, "--no-build-isolation")
    program = venv / "venv" / "bin" / words[0]
    done = subprocess.run(
        [str(program), *words[1:]],
        cwd=venv,
        env={**os.environ, "MLPZOO_HOME": str(venv / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert (done.returncode != 0) == (comment == "fails"), f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
