"""A plugin from outside the repository gets what ours get: a lock, an environment, a worker, a row, the kit."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.environments

MODULE = """
from pathlib import Path

from mlpzoo import ModelCard, hookimpl


class BoxedBackend:
    family = "boxed"
    requires = ("tabulate",)  # stands for a framework: not in mlpzoo's own environment
    lock_file = Path(__file__).with_name("requirements.lock")

    def cards(self):
        return [
            ModelCard(
                name="boxed/emt", family="boxed", title="EMT in a box", citation="10.1016/0039-6028(96)00816-3",
                elements=("Cu",), properties=("energy", "forces", "stress"),
                cutoff_ang=6.0, level_of_theory="empirical", licence="LGPL-2.1-or-later",
                notes="Always float64, whatever precision is asked for.",
            )
        ]

    def calculator(self, spec):
        import tabulate  # noqa: F401
        from ase.calculators.emt import EMT

        return EMT()


@hookimpl
def mlpzoo_register_backends():
    return [BoxedBackend()]
"""


@pytest.fixture(scope="module")
def mlpzoo(tmp_path_factory):
    """The command, with the plugin on the path as pip would lay it out, and a lock made by ``mlpzoo env lock``."""
    place = tmp_path_factory.mktemp("third")
    package = place / "site" / "mlpzoo_boxed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MODULE)
    (package / "requirements.in").write_text("tabulate==0.9.0\n")
    info = place / "site" / "mlpzoo_boxed-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mlpzoo-boxed\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text("[mlpzoo]\nboxed = mlpzoo_boxed\n")

    def python(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": str(place / "site"), "MLPZOO_HOME": str(place / "home")},
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(*arguments):
        return python("-m", "mlpzoo", *arguments)

    run.python = python
    run("env", "lock", str(package))
    return run


def test_it_is_listed_with_its_version_and_its_place(mlpzoo):
    (row,) = [r for r in json.loads(mlpzoo("plugins", "--json")) if r["plugin"] == "boxed"]
    assert row["version"] == "3.1"
    assert row["problems"] == []
    (card,) = [r for r in json.loads(mlpzoo("models", "--json")) if r["model"] == "boxed/emt"]
    assert card["runs in"] == "its environment"


def test_its_numbers_in_its_environment_are_those_of_this_process(mlpzoo, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import mlpzoo\n"
        "from ase.build import bulk\n"
        "atoms = bulk('Cu', cubic=True)\n"
        "atoms.rattle(0.1, seed=1)\n"
        "found = []\n"
        "for name in ('boxed', 'emt'):\n"
        "    atoms.calc = mlpzoo.load(name)\n"
        "    found.append([atoms.get_potential_energy(), *atoms.get_forces().ravel()])\n"
        "print(max(abs(x - y) for x, y in zip(*found, strict=True)))\n"
    )
    assert float(mlpzoo.python(str(script))) < 1e-10


def test_it_keeps_its_promises_there(mlpzoo):
    assert " 0 failed" in mlpzoo("check", "boxed")
