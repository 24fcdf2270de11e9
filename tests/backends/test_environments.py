"""The main job with the real frameworks, in environments made from their lock files.

Run with ``pytest -m environments``: needs the package index (or uv's cache), minutes and gigabytes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.environments, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).resolve().parent.parent.parent
FAMILIES = ("mace", "nequip")
FAR = 3600


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home of its own: nothing of the developer's counts."""
    return tmp_path_factory.mktemp("home")


def mlpzoo(home, *arguments, code=0, **environ):
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "mlpzoo", *arguments],
        capture_output=True, text=True, timeout=FAR, env={**os.environ, "MLPZOO_HOME": str(home), **environ},
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    done.seconds = time.monotonic() - start
    return done


@pytest.fixture(scope="module")
def main_job(home):
    """``mlpzoo compare --models mace,nequip`` from nothing."""
    done = mlpzoo(home, "compare", "--models", "mace,nequip", "--format", "json")
    return json.loads(done.stdout)


def test_compares_two_frameworks_that_cannot_be_installed_together(main_job):
    assert {t["case"] for t in main_job["tables"]} == {"si-vacancy", "si-interstitial"}
    for table in main_job["tables"]:
        assert table["profile"] == "standard"
        assert [r["model"] for r in table["rows"]] == ["mace/si-small", "nequip/si-small"]
        for row in table["rows"]:
            assert row["status"] == "ok", row["message"]
            assert row["n_evaluations"] == row["values"]["n_snapshots"] >= 12
            assert row["values"]["n_re_atoms"] >= 12
            # models of this size; DFT's own k-mesh noise is 0.02 eV/Å
            assert 0.02 < row["values"]["force_rmse_all"] < 0.3
            low, high = row["interval"]["force_rmse_re"]
            assert low < row["values"]["force_rmse_re"] < high
        assert table["references"], "no noise-floor row"


def test_result_says_where_it_comes_from(main_job):
    for table in main_job["tables"]:
        locks = set()
        for row in table["rows"]:
            provenance = row["provenance"]
            family = row["model"].partition("/")[0]
            package = {"mace": "mace-torch", "nequip": "nequip"}[family]
            assert provenance["frameworks"][package]
            assert provenance["isolated"]
            assert len(provenance["weights_sha256"]) == len(provenance["dataset_sha256"]) == 64
            locks.add(provenance["lock_sha256"])
        assert len(locks) == 2


def test_second_run_comes_from_the_store(main_job, home):
    again = mlpzoo(home, "compare", "--models", "mace,nequip", "--format", "json")
    assert json.loads(again.stdout) == main_job
    assert again.stderr == ""


def test_works_offline_once_installed(main_job, home):
    nowhere = "http://127.0.0.1:9"
    done = mlpzoo(
        home, "compare", "--models", "mace,nequip", "--fresh", "--profile", "smoke", "--format", "json",
        HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere, ALL_PROXY=nowhere, UV_OFFLINE="1", HF_HUB_OFFLINE="1",
    )  # fmt: skip
    rows = [r for t in json.loads(done.stdout)["tables"] for r in t["rows"]]
    assert {r["status"] for r in rows} == {"ok"}


LOAD = """
import json, sys
import numpy as np
from ase.build import bulk
import mlpzoo
from mlpzoo.plugins import load
from mlpzoo.registry import Registry
registry = Registry(load([sys.argv[1]], entry_points=False)) if len(sys.argv) > 1 else None
atoms = bulk("Si", cubic=True)
atoms.rattle(0.1, seed=3)
found = {}
for family in sys.stdin.read().split():
    atoms.calc = mlpzoo.load(family, registry=registry)
    found[family] = [
        atoms.get_potential_energy(), atoms.get_forces().tolist(), atoms.get_stress().tolist()
    ]
    del atoms.calc
print(json.dumps(found))
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_are_the_same_in_the_environment_and_through_the_worker(main_job, home, family):
    import numpy as np

    from mlpzoo import envs
    from mlpzoo.registry import default_registry

    environ = {**os.environ, "MLPZOO_HOME": str(home)}
    ask = {"input": family, "capture_output": True, "text": True, "timeout": FAR}
    here = subprocess.run([sys.executable, "-c", LOAD], env=environ, **ask)
    assert here.returncode == 0, here.stderr
    entry = default_registry().backend(family)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPZOO_HOME", str(home))
        python = envs.find(envs.spec_for(family, entry.item.lock_file)).python
    path = os.pathsep.join([str(ROOT), str(entry.plugin.directory.parent)])
    there = subprocess.run(
        [str(python), "-c", LOAD, entry.plugin.module_name], env={**environ, "PYTHONPATH": path}, **ask
    )
    assert there.returncode == 0, there.stderr
    mine, other = (json.loads(d.stdout.splitlines()[-1])[family] for d in (here, there))
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_check_passes(main_job, home, family):
    """All promises are tested by the plugin's own ``test_conformance.py``."""
    done = mlpzoo(home, "check", family, "--only", "card,forces,stress")
    assert "3 passed, 0 failed" in done.stdout


def test_readme_shows_what_the_main_job_prints(main_job, home, monkeypatch):
    spec = importlib.util.spec_from_file_location("readme_output", ROOT / "docs" / "readme_output.py")
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    monkeypatch.setenv("MLPZOO_HOME", str(home))
    assert readme.stale(readme.README.read_text(encoding="utf-8"), environments=True) == []
