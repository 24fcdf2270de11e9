"""The plugin that CONTRIBUTING.md shows works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zoo_training_sets as sets

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DATA = (ROOT / "benchmarks_data" / "README.md").read_text(encoding="utf-8")
FLATLIB = """
import numpy as np
from ase.calculators.calculator import Calculator

class FlatCalculator(Calculator):
    implemented_properties = ["energy", "forces"]

    def __init__(self, path, device):
        super().__init__()

    def calculate(self, atoms=None, properties=(), system_changes=()):
        self.results = {"energy": -1.5 * len(atoms), "forces": np.zeros((len(atoms), 3))}

class FlatTrainer:
    def __init__(self, frames, seed, state):
        self.state = state
        self.done = int(state.read_text()) if state.exists() else 0

    def epoch(self):
        self.done += 1

    def save(self):
        self.state.write_text(str(self.done))

    def write(self, path):
        path.write_text("flat")
"""


def blocks(language, text=TEXT):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def installed(tmp_path):
    """The documented plugin, as pip would lay it out (without its lock: the framework is importable here)."""
    backend, training, benchmark, test, engine = blocks("python")
    backend = backend.replace("class FlatBackend:", "class FlatBackend(FlatTraining):")
    text = f"{training}\n\n{backend}\n\n{benchmark}\n\n{engine}"
    (tmp_path / "mlpzoo_flat.py").write_text(text)
    (tmp_path / "test_einstein.py").write_text(test)
    (tmp_path / "silver").mkdir()
    for name in ("crystal", "references"):
        (text,) = (t for t in blocks("toml", DATA) if f"mlpzoo.{name}/1" in t)
        (tmp_path / "silver" / f"{name}.toml").write_text(text)
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
    for what in ("backend flat", "benchmark einstein", "dataset ag-crystal"):
        assert what in done.stdout
    assert done.returncode == 0, done.stdout


def test_documented_benchmark_runs_on_the_documented_backend(installed):
    done = mlpzoo(
        installed, "compare", "-m", "flat", "-b", "einstein", "-s", "si", "--profile", "smoke", "-f", "csv"
    )
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if ",flat/zero,ok,einstein_frequency,THz," in line)
    assert row.startswith("einstein,1,si-einstein,smoke,model,")
    assert float(row.split(",")[9]) == 0.0, "no forces anywhere"


def test_documented_backend_can_be_trained(installed, tmp_path):
    sets.write(tmp_path / "cu", {"train": sets.frames(4)})
    out = tmp_path / "out"
    done = mlpzoo(
        installed,
        "train",
        "flat",
        "-d",
        str(tmp_path / "cu"),
        "-p",
        "smoke",
        "--out",
        str(out),
        "--name",
        "mine",
    )
    assert done.returncode == 0, done.stderr
    assert (out / "mine.flat").read_text() == "flat"
    assert "7 parameters" in (out / "mine.card.toml").read_text()


def test_documented_crystal_has_its_reference_and_its_absent_quantity(installed):
    done = mlpzoo(
        installed, "compare", "-m", "emt", "-b", "einstein", "-s", "ag", "--profile", "smoke", "-f", "json"
    )
    assert done.returncode == 0, done.stderr
    (table,) = json.loads(done.stdout)["tables"]
    (row,) = (row for row in table["rows"] if row["model"] == "emt/emt")
    assert row["values"]["einstein_frequency"] == pytest.approx(3.36, abs=0.01)
    assert row["absent"] == {"lindemann_temperature": "above melting"}
    assert "3.63" in json.dumps(table)


def test_documented_crystal_is_a_case_of_the_other_benchmarks(installed):
    done = mlpzoo(
        installed, "compare", "-m", "emt", "-b", "bulk", "-s", "ag", "--profile", "smoke", "-f", "csv"
    )
    assert done.returncode == 0, done.stderr
    assert "bulk,1,ag,smoke,model,emt/emt,ok,lattice_constant,Å,4." in done.stdout


def test_documented_benchmark_keeps_its_promises_in_three_lines(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_einstein.py"],
        env=installed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_documented_engine_is_listed_and_says_what_is_missing(installed):
    done = mlpzoo(installed, "data", "engines", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = (row for row in json.loads(done.stdout) if row["engine"] == "vasp")
    assert (row["level"], row["plugin"]) == ("vasp_pbe", "flat 0.1")
    assert row["state"] == "'vasp_std' is not installed (module load vasp, or --set vasp.command=PATH)"


def test_every_hook_is_documented():
    from mlpzoo.plugins import HOOKS

    for hook in HOOKS.values():
        assert hook in TEXT
