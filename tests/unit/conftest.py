"""Plugins written on the spot, in memory or installed on the import path; wheels for uv to install."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mlpzoo
from mlpzoo import plugins
from mlpzoo.registry import Registry

ROOT = Path(mlpzoo.__file__).resolve().parents[1]
PRELUDE = """
from mlpzoo import BenchmarkSpec, Case, Checkpoint, DatasetSpec, ModelCard, Outcome, Quantity, hookimpl

class Family:
    requires = ()
    lock_file = None
    def __init__(self, family, *cards, **more):
        self.family = family
        self._cards = cards
        self.__dict__.update(more)
    def cards(self):
        return [ModelCard(name=f"{self.family}/{c}", family=self.family, elements=("Cu",),
                          properties=("energy", "forces")) if isinstance(c, str) else c for c in self._cards]
    def calculator(self, spec):
        from ase.calculators.emt import EMT
        return EMT()

def benchmark(name, *cases):
    quantities = (Quantity(name="e", unit="eV", title="E"),)
    return BenchmarkSpec(name=name, version=1, title=name, quantities=quantities,
                         cases=lambda _: cases, run=lambda *_: Outcome(values={"e": 1.0}))
"""


def source_of(body: str) -> str:
    """A plugin module's text: common helpers, then the body."""
    return PRELUDE + textwrap.dedent(body)


@pytest.fixture
def plugin() -> Callable[..., ModuleType]:
    """``plugin(body, name)``: a plugin module in memory."""

    def make(body: str, name: str = "some_plugin") -> ModuleType:
        module = ModuleType(name)
        exec(source_of(body), module.__dict__)
        return module

    return make


@pytest.fixture
def registry(plugin: Callable[..., ModuleType]) -> Callable[..., Registry]:
    """``registry(first=body, second=body)``: a registry of the built-ins and these plugins."""

    def make(**bodies: str) -> Registry:
        modules = [plugin(body, name) for name, body in bodies.items()]
        return Registry(plugins.load(modules, entry_points=False))

    return make


@dataclass
class Site:
    """A directory on the import path that distributions are installed into.

    Attributes:
        path: The directory.
    """

    path: Path

    def module(self, name: str, body: str) -> Path:
        """Write a plugin module."""
        file = self.path / f"{name}.py"
        file.write_text(source_of(body), encoding="utf-8")
        importlib.invalidate_caches()
        return file

    def distribution(
        self, name: str, entry_points: str, *, version: str = "1.0", metadata: bool = True
    ) -> None:
        """Write the dist-info of a distribution with these lines in its ``entry_points.txt``."""
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points), encoding="utf-8")
        if metadata:
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (info / "METADATA").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    def install(self, name: str, body: str, *, version: str = "1.0") -> Path:
        """A distribution with one plugin module of the same name, with ``_`` for ``-``."""
        module = name.replace("-", "_")
        self.distribution(name, f"[mlpzoo]\n{name} = {module}\n", version=version)
        return self.module(module, body)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty `Site`, first on the import path of this process."""
    directory = tmp_path / "site"
    directory.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(directory)
    yield Site(directory)
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(directory):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ``$MLPZOO_HOME``."""
    directory = tmp_path / "home"
    monkeypatch.setenv("MLPZOO_HOME", str(directory))
    return directory


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Any]:
    """``python(code, *paths)``: runs code in a new interpreter; returns what it printed last, from JSON."""

    def run(code: str, *paths: Path) -> Any:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("MLPZOO_")}
        environ["PYTHONPATH"] = os.pathsep.join(map(str, (*paths, ROOT)))
        environ["MLPZOO_HOME"] = str(tmp_path / "home")
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@dataclass
class Shelf:
    """A directory of wheels that uv installs from, and uv's cache: no network, and nobody else's files.

    Attributes:
        path: Holds the wheels in ``wheels`` and the cache in ``cache``.
    """

    path: Path

    @property
    def wheels(self) -> Path:
        return self.path / "wheels"

    def wheel(
        self,
        name: str,
        version: str = "1.0",
        *,
        requires: Sequence[str] = (),
        text: str = "",
        recorded_size: int | None = None,
    ) -> Path:
        """Build a wheel of one package with one module."""
        self.wheels.mkdir(parents=True, exist_ok=True)
        info = f"{name}-{version}.dist-info"
        module = (text or f"VERSION = {version!r}\n") + "# padding\n" * 20
        files = {
            f"{name}/__init__.py": module,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            + "".join(f"Requires-Dist: {r}\n" for r in requires),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        rows = []
        for file, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
            size = (
                recorded_size if recorded_size is not None and file.endswith(".py") else len(content.encode())
            )
            rows.append(f"{file},sha256={digest},{size}\n")
        files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
        wheel = self.wheels / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for file, content in files.items():
                archive.writestr(file, content)
        return wheel

    def settings(self) -> dict[str, str]:
        """uv's settings: only these wheels, only this cache, and an index that holds nothing."""
        empty = self.path / "empty-index"
        empty.mkdir(exist_ok=True)
        return {
            "UV_OFFLINE": "1",
            "UV_DEFAULT_INDEX": empty.as_uri(),
            "UV_FIND_LINKS": str(self.wheels),
            "UV_CACHE_DIR": str(self.path / "cache"),
            "UV_NO_CONFIG": "1",
            "PIP_CONFIG_FILE": os.devnull,
        }

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make uv use it, and nothing that the machine's user has set up.

        The search path is short: uv asks every Python on it what it is.
        """
        monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]))
        for name in list(os.environ):
            if name.startswith(("UV_", "PIP_", "MLPZOO_")):
                monkeypatch.delenv(name)
        for name, value in self.settings().items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def shared_shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """One for all tests of a module: wheels are added, never altered."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def shelf(shared_shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The module's shelf, in use."""
    shared_shelf.use(monkeypatch)
    return shared_shelf


@pytest.fixture
def own_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A shelf whose cache a test may damage."""
    mine = Shelf(tmp_path / "own-shelf")
    mine.path.mkdir()
    mine.use(monkeypatch)
    return mine
