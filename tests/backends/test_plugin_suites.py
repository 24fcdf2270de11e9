"""Each plugin's own tests of its framework, where the framework is: in the family's environment.

Run with ``pytest -m environments``.  In the developers' environment these tests skip themselves.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlpzoo import envs
from mlpzoo.registry import Registry, default_registry

pytestmark = [pytest.mark.environments, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).resolve().parent.parent.parent
FOR_ALL = ("test_conformance.py", "test_files.py")
"""They run in the developers' environment, and start workers themselves."""
SUITES = sorted(file for file in ROOT.glob("plugins/mlpzoo-*/tests/test_*.py") if file.name not in FOR_ALL)
FAR = 1800


def family_of(suite: Path) -> str:
    return suite.parent.parent.name.removeprefix("mlpzoo-")


def in_an_environment(registry: Registry) -> list[Path]:
    return [suite for suite in SUITES if registry.backend(family_of(suite)).item.lock_file is not None]


def sources(registry: Registry, family: str) -> list[Path]:
    """What an environment lacks: mlpzoo, the plugin, and the plugins that it depends on."""
    return [
        ROOT,
        *(part.directory.parent for part in registry.parts_of(family) if part.directory != ROOT / "mlpzoo"),
    ]


@pytest.mark.parametrize("suite", in_an_environment(default_registry()), ids=lambda suite: suite.stem)
def test_framework_tests_pass_in_the_environment(suite: Path, tmp_path: Path) -> None:
    family, registry = family_of(suite), default_registry()
    spec = envs.spec_of(registry.backend(family).item)
    assert spec is not None
    python = envs.ensure(spec).python
    tools = [
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        str(python),
        "--target",
        str(tmp_path),
        "pytest",
        "platformdirs",
    ]
    subprocess.run(tools, check=True)
    path = os.pathsep.join(map(str, [*sources(registry, family), tmp_path]))
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--noconftest", "-o", "addopts=--import-mode=importlib", suite],
        cwd=ROOT, capture_output=True, text=True, timeout=FAR, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "is not installed" not in done.stdout, done.stdout[-2000:]
