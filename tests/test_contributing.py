"""The plugin that CONTRIBUTING.md shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
FLATLIB = """
import numpy as np
from ase.calculators.calculator import Calculator

class FlatCalculator(Calculator):
    implemented_properties = ["energy", "forces"]

    def __init__(self, path, device):
        super().__init__()

    def calculate(self, atoms=None, properties=(), system_changes=()):
        self.results = {"energy": -1.5 * len(atoms), "forces": np.zeros((len(atoms), 3))}
"""


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def installed(tmp_path):
    """The documented plugin, as pip would lay it out (without its lock: the framework is importable here)."""
    backend, benchmark = blocks("python")
    (tmp_path / "mlpzoo_flat.py").write_text(backend + "\n\n" + benchmark)
    (tmp_path / "flatlib.py").write_text(FLATLIB)
    info = tmp_path / "mlpzoo_flat-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mlpzoo-flat\nVersion: 0.1\n")
    entry = re.search(r"\[project\.entry-points\.mlpzoo\]\n(.*)\n", blocks("toml")[0]).group(1)
    (info / "entry_points.txt").write_text("[mlpzoo]\n" + entry.replace('"', "") + "\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path), "MLPZOO_HOME": str(tmp_path / "home")}


def mlpzoo(environ, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "mlpzoo", *arguments], env=environ, capture_output=True, text=True, timeout=300
    )


def test_documented_plugin_registers_without_a_problem(installed):
    done = mlpzoo(installed, "plugins")
    assert "flat 0.1" in " ".join(done.stdout.split())
    assert "backend flat" in done.stdout
    assert "benchmark bulk-energy" in done.stdout
    assert done.returncode == 0, done.stdout


def test_documented_benchmark_runs_on_the_documented_backend(installed):
    done = mlpzoo(installed, "compare", "-m", "flat", "-b", "bulk-energy", "-s", "si", "-f", "csv")
    assert done.returncode == 0, done.stderr
    assert "bulk-energy,1,si-bulk-energy,standard,model,flat/zero,ok,energy,eV/atom,-1.5," in done.stdout


def test_every_hook_is_documented():
    from mlpzoo.plugins import HOOKS

    for hook in HOOKS.values():
        assert hook in TEXT
