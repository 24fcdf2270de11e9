"""What mlpzoo adds to a force call, measured side by side in one run.

    uv run python benchmarks/overhead.py                      # a calculator that costs nothing, and EMT
    uv run python benchmarks/overhead.py --family mace        # also the real framework, in its environment

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


def transport(calculator: ZooCalculator, atoms: Atoms, rounds: int) -> None:
    """What the way to the worker and back adds: each call's time here less its time there."""
    call = force_call(calculator, atoms)
    extra = []
    for number in range(rounds + 3):
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
        if number > 2:  # noqa: PLR2004  (warm-up)
            extra.append(seconds - calculator.inner.seconds_there)  # type: ignore[attr-defined]
    print(f"  way to the worker and back        {1e3 * statistics.median(extra):+8.3f} ms")


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


def real(family: str, rounds: int) -> None:
    """A real framework: bare and wrapped in its environment, and through the worker from here."""
    from mlpzoo import envs

    entry = default_registry().backend(family)
    assert entry.item.lock_file is not None  # noqa: S101
    environment = envs.ensure(envs.spec_for(family, entry.item.lock_file))
    name = default_registry().resolve(family).name
    source = str(Path(entry.plugin.module.__file__).parent.parent)  # type: ignore[union-attr, arg-type]
    for n_atoms in (64, 512):
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{source}"}
        environ["OVERHEAD_PLUGIN"] = entry.plugin.module_name
        command = [str(environment.python), __file__, "--inside", name]
        command += ["--atoms", str(n_atoms), "--rounds", str(rounds)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)  # noqa: S603
        found = json.loads(done.stdout.splitlines()[-1])
        report(f"{name}, {n_atoms} atoms", found, "bare framework")
        transport(load(family, isolate="always"), structure("Si", n_atoms), rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--family", action="append", default=[], help="a real framework too")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--atoms", type=int, default=64, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside, options.atoms, options.rounds)
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
        transport(worker, atoms, options.rounds)
    for family in options.family:
        real(family, max(10, options.rounds // 10))


if __name__ == "__main__":
    main()
