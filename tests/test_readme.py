"""The README's output is what its commands print."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def checker():
    spec = importlib.util.spec_from_file_location("readme_output", ROOT / "docs" / "readme_output.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_output_that_needs_no_environment_is_true(tmp_path, monkeypatch):
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path))
    readme = checker()
    text = readme.README.read_text(encoding="utf-8")
    assert readme.BLOCK.search(text)
    assert readme.stale(text, environments=False) == []


@pytest.mark.parametrize(
    ("old", "new", "agree"),
    [
        ("a 0.123 b", "a 0.124 b", True),
        ("a 0.123", "a 0.128", False),
        ("a 1", "b 1", False),
        ("1", "1 2", False),
    ],
)
def test_comparison_of_outputs(old, new, agree):
    assert checker().same(old, new) is agree


def test_first_commands_are_the_two_of_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install uv && uv run mlpzoo compare --models mace,nequip" in text
    assert "uv run pytest" in text


def test_no_text_holds_the_marks_of_an_unfinished_merge():
    """CONTRIBUTING.md once did."""
    folders = ("benchmarks", "benchmarks_data", "docs", "mlpzoo", "plugins", "tests")
    files = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    texts = [path for path in files if path.suffix in {".md", ".py", ".toml", ".in"} and path.is_file()]
    marks = tuple(mark * 7 for mark in "<>")
    found = [
        path.relative_to(ROOT)
        for path in texts
        if any(line.startswith(marks) for line in path.read_text(encoding="utf-8").splitlines())
    ]
    assert len(texts) > 200
    assert found == []
