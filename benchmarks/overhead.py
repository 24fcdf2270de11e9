"""What mlpzoo adds to a force call, measured side by side in one run.

    uv run python benchmarks/overhead.py                      # a calculator that costs nothing, and EMT
    uv run python benchmarks/overhead.py --family mace        # also the real framework, in its environment
    uv run python benchmarks/overhead.py --all              # one line for each family that knows silicon

Rounds of the variants alternate, so that a loaded machine slows all of them alike; medians are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from mlpzoo import ModelCard, hookimpl, load
from mlpzoo.calculator import ZooCalculator, build
from mlpzoo.models import ALL_LOCAL
from mlpzoo.plugins import load as load_plugins
from mlpzoo.registry import Registry, default_registry

ROOT = Path(__file__).resolve().parent.parent


class Free(Calculator):
    """Zeros, at no cost: what is left is overhead."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):  # noqa: ANN001, ANN201, D102
        del properties, system_changes
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}


class FreeBackend:
    """The family of `Free`."""

    family = "free"
    requires = ()
    lock_file = None

    def cards(self) -> list[ModelCard]:
        """One card."""
        properties = ("energy", "forces", "stress")
        return [ModelCard(name="free/zero", family="free", elements=(), properties=properties)]

    def calculator(self, spec: object) -> Calculator:
        """Zeros."""
        del spec
        return Free()


@hookimpl
def mlpzoo_register_backends() -> list[FreeBackend]:
    """For the worker, which imports this file as a plugin."""
    return [FreeBackend()]


def structure(symbol: str, n_atoms: int) -> Atoms:
    """A rattled crystal of 64 or 512 atoms."""
    repeat = {64: 2, 512: 4}[n_atoms]
    if symbol == "Si":
        atoms = bulk("Si", "diamond", a=5.47, cubic=True) * (repeat, repeat, repeat)
    else:
        atoms = bulk(symbol, cubic=True) * ((2, 2, 4) if repeat == 2 else (4, 4, 8))  # noqa: PLR2004
    atoms.rattle(0.05, seed=1)
    return atoms


def medians(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each call; the calls alternate."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 3):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number > 2:  # noqa: PLR2004  (warm-up)
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def force_call(calculator: Calculator, atoms: Atoms) -> Callable[[], object]:
    """A force call on positions that are new each time, as in MD."""
    work = atoms.copy()
    rng = np.random.default_rng(0)

    def call() -> object:
        work.positions += rng.normal(0.0, 1e-4, work.positions.shape)
        return calculator.get_property("forces", work)

    return call


def report(title: str, found: dict[str, float], base: str) -> None:
    """One line a variant, against the base."""
    print(title)
    for name, seconds in found.items():
        extra = 1e3 * (seconds - found[base])
        percent = 0.1 * extra / found[base]
        print(f"  {name:22} {1e3 * seconds:9.3f} ms   {extra:+8.3f} ms   {percent:+8.2f} %")


def way_s(calculator: ZooCalculator, atoms: Atoms, rounds: int) -> float:
    """What the way to the worker and back adds: each call's time here less its time there, the median."""
    call = force_call(calculator, atoms)
    extra = []
    for number in range(rounds + 3):
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        if number > 2:  # noqa: PLR2004  (warm-up)
            extra.append(seconds - calculator.inner.seconds_there)  # type: ignore[attr-defined]
    return statistics.median(extra)


def report_way(seconds: float) -> None:
    """One line."""
    print(f"  way to the worker and back        {1e3 * seconds:+8.3f} ms")


def inside(name: str, n_atoms: int, rounds: int) -> None:
    """Bare framework against ZooCalculator, in the Python that has the framework; prints JSON."""
    registry = default_registry() if not os.environ.get("OVERHEAD_PLUGIN") else Registry(
        load_plugins([os.environ["OVERHEAD_PLUGIN"]], entry_points=False)
    )  # fmt: skip
    spec = registry.resolve(name)
    backend = registry.backend(name.partition("/")[0]).item
    atoms = structure("Si", n_atoms)
    zoo = build(backend, spec)
    calls = {
        "bare framework": force_call(backend.calculator(spec), atoms),
        "mlpzoo, in process": force_call(zoo, atoms),
    }
    print(json.dumps(medians(calls, rounds)))


def measured(name: str, n_atoms: int, rounds: int) -> tuple[dict[str, float], float]:
    """A real framework: seconds bare and wrapped in its environment, and of the way to its worker."""
    from mlpzoo import envs

    family = name.partition("/")[0]
    registry = default_registry()
    entry = registry.backend(family)
    spec = envs.spec_of(entry.item)
    python = sys.executable if spec is None else str(envs.ensure(spec).python)
    sources = [str(part.directory.parent) for part in registry.parts_of(family)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sources])}
    if not entry.plugin.name.startswith("builtin:"):
        environ["OVERHEAD_PLUGIN"] = entry.plugin.module_name
    command = [python, __file__, "--inside", name, "--atoms", str(n_atoms), "--rounds", str(rounds)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)  # noqa: S603
    found = json.loads(done.stdout.splitlines()[-1])
    return found, way_s(load(name, isolate="always"), structure("Si", n_atoms), rounds)


def real(family: str, rounds: int) -> None:
    """Both sizes of one family."""
    name = default_registry().resolve(family).name
    for n_atoms in (64, 512):
        found, way = measured(name, n_atoms, rounds)
        report(f"{name}, {n_atoms} atoms", found, "bare framework")
        report_way(way)


def local_models() -> list[str]:
    """Names of the models of silicon whose weights are at hand, sorted."""
    registry = default_registry()
    cards = {name: registry.cards[name].item for name in registry.models([ALL_LOCAL])}
    return sorted(name for name, card in cards.items() if "Si" in card.elements)


def table(rounds: int) -> None:
    """One line a family: milliseconds a force call on 64 atoms of silicon, as Markdown."""
    print("| model | bare, ms | in process, ms | through the worker, ms |")
    print("|---|---|---|---|")
    first = {name.partition("/")[0]: name for name in reversed(local_models())}
    for name in sorted(first.values()):
        found, way = measured(name, 64, rounds)
        bare, here = (1e3 * found[kind] for kind in ("bare framework", "mlpzoo, in process"))
        print(f"| `{name}` | {bare:.2f} | {here:.2f} | {here + 1e3 * way:.2f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--family", action="append", default=[], help="a real framework too")
    parser.add_argument("--all", action="store_true", help="a table of all families")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--atoms", type=int, default=64, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside, options.atoms, options.rounds)
        return
    if options.all:
        table(max(10, options.rounds // 10))
        return
    sys.path.insert(0, str(Path(__file__).parent))
    registry = Registry(load_plugins(["overhead"], entry_points=False))
    worker = load("free", isolate="always", registry=registry)
    for n_atoms in (64, 512):
        atoms = structure("Cu", n_atoms)
        zoo: ZooCalculator = load("free", registry=registry)
        calls = {
            "bare": force_call(Free(), atoms),
            "mlpzoo, in process": force_call(zoo, atoms),
            "mlpzoo, worker": force_call(worker, atoms),
        }
        report(f"a calculator that costs nothing, {n_atoms} atoms", medians(calls, options.rounds), "bare")
        report_way(way_s(worker, atoms, options.rounds))
    for family in options.family:
        real(family, max(10, options.rounds // 10))


if __name__ == "__main__":
    main()
