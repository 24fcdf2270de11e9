"""The command line in this process, and a store that already holds results."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zoo_harness as harness

from mlpzoo.cli import main
from mlpzoo.registry import default_registry

TOYS = ("-m", "toy/good,emt", "-b", "toy-cells,re-forces", "-s", "toy", "--profile", "smoke")
"""A comparison with two models, four tables, an unsupported case and a reference row."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Zoo = Callable[..., Done]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Zoo]:
    """``zoo("models", "--json")``: run a command in this process, 80 columns wide, in a home of its own."""
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("MLPZOO_MIRROR", raising=False)
    default_registry.cache_clear()

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capfd.readouterr()
        code = ended.value.code
        return Done(code=code if isinstance(code, int) else 0, out=out, err=err)

    yield run
    default_registry.cache_clear()


@pytest.fixture
def trainable(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """The command with the family ``pairs`` installed (`zoo_trainable`), in a directory of its own."""
    info = tmp_path / "site" / "zoo_trainable-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-trainable\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlpzoo]\npairs = zoo_trainable\n")
    monkeypatch.syspath_prepend(info.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_TRAINABLE_LOG", str(tmp_path / "log"))
    default_registry.cache_clear()
    return zoo


@pytest.fixture(scope="session")
def full_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds the results of `TOYS`, computed without worker processes."""
    home = tmp_path_factory.mktemp("full")
    done = harness.mlpzoo("compare", *TOYS, "--isolate", "never", "--quiet", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    return home


@pytest.fixture
def cached(zoo: Zoo, full_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """``cached("-f", "md")``: `TOYS` once more; nothing is left to be computed."""
    monkeypatch.setenv("MLPZOO_HOME", str(full_home))
    return lambda *more: zoo("compare", *TOYS, *more)


FRAMED = """
from pathlib import Path
from mlpzoo import ModelCard, hookimpl

class Backend:
    family = "framed"
    requires = ("no_such_framework",)
    lock_file = Path(__file__).with_name("requirements.lock")
    def cards(self):
        return [ModelCard(name="framed/one", family="framed", elements=("Cu", "Al"), properties=("energy", "forces"))]
    def calculator(self, spec):
        import no_such_framework

@hookimpl
def mlpzoo_register_backends():
    return [Backend()]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """``install("mlpzoo-x", code)``: a plugin as pip would install it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def make(name: str, code: str) -> Path:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(code)
        info = site / f"{module}-0.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n")
        (info / "entry_points.txt").write_text(f"[mlpzoo]\n{name} = {module}\n")
        importlib.invalidate_caches()
        default_registry.cache_clear()
        return site

    return make


PROPERTIES = """
from mlpzoo import BenchmarkSpec, Case, ModelCard, Outcome, Quantity, hookimpl
from mlpzoo.benchmark import Reference

LEVELS = {"good": "PBE", "rough": "empirical", "melts": "PBE"}

class Backend:
    family = "prop"
    requires = ()
    lock_file = None
    def cards(self):
        return [
            ModelCard(name=f"prop/{n}", family="prop", elements=("Cu",), properties=("energy",), level_of_theory=level)
            for n, level in LEVELS.items()
        ]
    def calculator(self, spec):
        from ase.calculators.emt import EMT
        return EMT()

def run(calculator, case, settings, job):
    name = calculator.card.name
    job.progress(1, 2, "MD steps")
    if name == "prop/melts":
        return Outcome(values={"n_atoms": 108.0}, absent={"barrier": "melted"})
    return Outcome(values={"n_atoms": 108.0, "barrier": {"prop/good": 0.71, "prop/rough": 0.65}[name]})

def ref(value, level):
    return Reference(quantity="barrier", value=value, level_of_theory=level, source=f"doi of {level}")

@hookimpl
def mlpzoo_register_backends():
    return [Backend()]

@hookimpl
def mlpzoo_register_benchmarks():
    case = Case(name="prop-vacancy", system="prop", elements=("Cu",), references=(ref(0.70, "PBE"), ref(0.66, "experiment")))
    quantities = (
        Quantity(name="barrier", unit="eV", title="E_m", decimals=2, better="closer"),
        Quantity(name="n_atoms", unit="", title="atoms", decimals=0, better="none", in_heading=True),
    )
    return [
        BenchmarkSpec(
            name="toy-barrier", version=2, title="A barrier", quantities=quantities, cases=lambda _: [case], run=run
        )
    ]
"""


@pytest.fixture
def barriers(zoo: Zoo, install: Callable[[str, str], Path]) -> Callable[..., Done]:
    """``barriers("-f", "md")``: a comparison of three models of a benchmark with references at two levels."""
    install("mlpzoo-prop", PROPERTIES)
    return lambda *more: zoo(
        "compare", "-m", "prop/*", "-b", "toy-barrier", "-s", "prop", "--isolate", "never", "-q", *more
    )


@pytest.fixture
def framed(install: Callable[[str, str], Path]) -> None:
    """An installed family whose framework is not here."""
    site = install("mlpzoo-framed", FRAMED)
    (site / "requirements.lock").write_text("ase==3.26.0 \\\n    --hash=sha256:00\n")
