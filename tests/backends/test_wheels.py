"""What users install: wheels of mlpzoo and of a plugin, in an environment that knows no checkout."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mlpzoo.uvtool import uv

pytestmark = pytest.mark.environments

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The ``mlpzoo`` command of an environment made from wheels."""
    place = tmp_path_factory.mktemp("wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPZOO_HOME", str(place / "home"))
        for package in (ROOT, ROOT / "plugins" / "mlpzoo-mace", ROOT / "plugins" / "mlpzoo-nequip"):
            uv("build", "--wheel", "--out-dir", str(place / "dist"), str(package))
        uv("venv", str(place / "venv"))
        wheels = sorted(str(w) for w in (place / "dist").glob("*.whl"))
        uv("pip", "install", "--python", str(place / "venv" / "bin" / "python"), *wheels)

    def run(*arguments):
        done = subprocess.run(
            [str(place / "venv" / "bin" / "mlpzoo"), *arguments], cwd=place, capture_output=True, text=True,
            timeout=600, env={**os.environ, "MLPZOO_HOME": str(place / "home")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_wheel_carries_the_embedded_data(installed):
    cases = {row["case"]: row["state"] for row in json.loads(installed("systems", "--json"))}
    assert cases["si-vacancy"] == cases["si-interstitial"] == "ready"
    table = json.loads(installed("compare", "-m", "tersoff", "--profile", "smoke", "-f", "json"))
    assert {r["status"] for t in table["tables"] for r in t["rows"]} == {"ok"}


def test_plugin_wheels_carry_cards_weights_and_locks(installed):
    rows = installed("compare", "-m", "mace,nequip", "--dry-run")
    assert rows.count("run in environment mace (to be created)") == 2
    assert rows.count("run in environment nequip (to be created)") == 2
