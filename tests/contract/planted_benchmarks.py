"""A benchmark that keeps every promise, and the same with one bug for each: a plugin module for the kit's tests.

A case names its bug in ``params``; bugs of what is declared are changes of the spec.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any

from mlpzoo import BenchmarkSpec, Case, Outcome, Quantity, Reference, hookimpl

QUANTITIES = (
    Quantity(name="mean_energy", unit="meV/atom", title="E", better="closer"),
    Quantity(name="roughness_ratio", unit="", title="rough", better="lower"),
    Quantity(name="melting_temperature", unit="K", title="T_m", decimals=0, better="closer"),
    Quantity(name="deviation_energy", unit="meV/atom", title="ΔE"),
    Quantity(name="gap_energy", unit="eV", title="gap", conditional=True),
)
REFERENCE = Reference(quantity="mean_energy", value=1.0, level_of_theory="PBE", source="10.0000/nowhere")
CASE = Case(
    name="cu-walk",
    system="cu",
    elements=("Cu",),
    params={"n_steps": 6, "bug": ""},
    references=(REFERENCE,),
    floors={"coarse": "a coarser setting"},
)

_memory: list[float] = []


def run(calculator, case, settings, job):
    """Energies along a random walk of the atoms of a copper cell, with a checkpoint after each step."""
    import numpy as np
    from ase.build import bulk

    bug = case.params["bug"]
    misbehave_first(bug, calculator, case)
    n_steps = case.params["n_steps"]
    atoms, rng, energies = bulk("Cu", cubic=True), np.random.default_rng(settings.seed), np.empty(0)
    checkpoint = job.checkpoint("walk")
    stored = None if bug == "never loads" else checkpoint.load()
    if stored:
        atoms.positions[:], energies = stored["positions"], stored["energies"]
        if bug != "forgets the random state":
            rng.bit_generator.state = json.loads(str(stored["state"]))
    for done in range(len(energies), n_steps):
        tell(bug, job, done, n_steps)
        atoms.positions += rng.normal(scale=0.01, size=atoms.positions.shape)
        if bug == "saves too early":
            keep(checkpoint, atoms, energies, rng)
        energies = np.append(energies, evaluate(bug, calculator, atoms))
        if bug != "saves too early":
            keep(checkpoint, atoms, energies, rng)
    return answer(bug, 1000 * energies / len(atoms))


def keep(checkpoint, atoms, energies, rng):
    state = json.dumps(rng.bit_generator.state)
    checkpoint.save(positions=atoms.positions, energies=energies, state=state)


def evaluate(bug, calculator, atoms):
    if bug != "catches everything":
        return calculator.get_property("energy", atoms)
    try:
        return calculator.get_property("energy", atoms)
    except BaseException:  # noqa: BLE001
        return 0.0


def misbehave_first(bug, calculator, case):
    import numpy as np

    if bug == "raises":
        raise ValueError("no such structure")
    if bug == "slow":
        start = time.process_time()
        while time.process_time() - start < 0.6:
            pass
    if bug == "prints":
        sys.stdout.write("starting\n")
    if bug == "changes its params":
        case.params["n_steps"] -= 0
        case.params["seen"] = True
    if bug == "changes the model" and hasattr(calculator, "inner"):
        calculator.implemented_properties.remove("stress")
    if bug == "scales the model" and hasattr(calculator, "inner"):
        calculate = calculator.inner.calculate

        def scaled(*given):
            calculate(*given)
            calculator.inner.results["energy"] *= 2

        calculator.inner.calculate = scaled
    if bug == "seeds numpy":
        np.random.seed(0)  # noqa: NPY002
    if bug == "sets a variable":
        os.environ["MLPZOO_PLANTED_BUG"] = "1"
    if bug == "needs our calculator":
        _ = calculator.card


def tell(bug, job, done, n_steps):
    if bug == "tells nothing":
        return
    if bug == "tells too much":
        done += 2
    if bug == "tells of nothing":
        n_steps = done = 0
    job.progress(done / n_steps if bug == "tells fractions" else done, n_steps, "steps")


def answer(bug, energies):
    import numpy as np

    mean, spread = float(energies.mean()), float(energies.std())
    values = {"mean_energy": mean, "roughness_ratio": spread / abs(mean)}
    interval = {"mean_energy": (mean - spread, mean + spread)}
    arrays = {"energies": energies, "labels": np.array(["first", "second"])}
    absent = {"melting_temperature": "not asked"}
    if bug == "remembers":
        _memory.append(1.0)
        values["roughness_ratio"] += len(_memory)
    if bug == "other names":
        _memory.append(1.0)
        arrays[f"run {len(_memory)}"] = energies
    if bug == "knows its process":
        values["roughness_ratio"] += os.getpid()
    if bug == "knows hashes":
        arrays["names"] = np.array(list({"copper", "silver", "gold", "platinum", "palladium", "nickel"}))
    changes = {
        "undeclared": {"values": values | {"entropy": 1.0}},
        "nan": {"values": values | {"mean_energy": np.nan}},
        "both": {"absent": absent | {"mean_energy": "melted"}},
        "nothing": {"values": {}, "absent": {}, "interval": {}},
        "incomplete": {"absent": {}},
        "says a lot": {"absent": {"melting_temperature": "it was not computed, because it takes too long"}},
        "says nothing": {"absent": {"melting_temperature": " "}},
        "interval beside": {"interval": {"mean_energy": (mean + 1, mean + 2)}},
        "interval alone": {"interval": {"melting_temperature": (1.0, 2.0)}, "absent": {}},
        "objects": {"arrays": {"things": np.array([{}, None])}},
        "dates": {"arrays": arrays | {"dates": np.array(["2026-01-01"], dtype="datetime64[D]")}},
    }.get(bug, {})
    if bug == "interval alone":
        changes["values"] = values
        changes["absent"] = {}
    if bug == "a dictionary":
        return values
    return Outcome(**{"values": values, "interval": interval, "arrays": arrays, "absent": absent, **changes})


def run_floor(case, name, settings):
    bug = case.params["bug"]
    return Outcome(values={"noise" if bug == "floor" else "mean_energy": 0.0})


def compare(a, b, settings):
    shift = 1.0 if len(a["energies"]) == 7 else 0.0
    difference = float(a["energies"].mean() - b["energies"].mean())
    return {"mean_energy": (difference + shift - 0.1, difference + shift + 0.1)}


def derive(values, references):
    if "mean_energy" not in references:
        return {}
    return {"deviation_energy": abs(values["mean_energy"] - references["mean_energy"])}


def derives_undeclared(values, references):
    return {**derive(values, references), "score": 1.0}


def derives_nan(values, references):
    return {"deviation_energy": math.nan}


def derives_in_place(values, references):
    values.update(derive(values, references))
    return dict(values)


def derives_without_looking(values, references):
    return {"deviation_energy": values["mean_energy"] - references["mean_energy"]}


def needs_more(calculator, case, settings, job, extra):
    return run(calculator, case, settings, job)


@dataclass(frozen=True)
class Bug:
    """A planted bug.

    Attributes:
        name: Also of the case's parameter.
        fails: Checks that must fail, and no other.
        spec: Changes of the spec.
        case: Changes of the case.
        cases: Instead of its only case.
    """

    name: str
    fails: tuple[str, ...]
    spec: dict[str, Any] = field(default_factory=dict)
    case: dict[str, Any] = field(default_factory=dict)
    cases: Any = None

    @property
    def benchmark(self) -> str:
        return "planted-" + self.name.replace(" ", "-")

    def register(self) -> BenchmarkSpec:
        case = replace(CASE, **{"params": {**CASE.params, "bug": self.name}, **self.case})
        declared = {
            "name": self.benchmark,
            "version": 1,
            "title": "A random walk",
            "quantities": QUANTITIES,
            "cases": self.cases or (lambda _: [case]),
            "run": run,
            "run_floor": run_floor,
            "compare": compare,
            "derive": derive,
        }
        return BenchmarkSpec(**{**declared, **self.spec})


def renamed(**changes: Any) -> dict[str, Any]:
    """The spec with its first quantity changed."""
    return {"quantities": (replace(QUANTITIES[0], **changes), *QUANTITIES[1:])}


def quoting(**changes: Any) -> dict[str, Any]:
    """The case with its reference changed."""
    return {"references": (replace(REFERENCE, **changes),)}


_asked: list[int] = []


def other_cases_each_time(datasets):
    _asked.append(1)
    return [replace(CASE, name=f"cu-{len(_asked)}")]


HONEST = Bug("", ())
BUGS = (
    Bug("Capital letter", ("declared",)),
    Bug("version zero", ("declared",), spec={"version": 0}),
    Bug("version two point one", ("declared",), spec={"version": 2.1}),
    Bug("no title", ("declared",), spec={"title": ""}),
    Bug("quantity twice", ("declared",), spec={"quantities": (*QUANTITIES, QUANTITIES[0])}),
    Bug("title twice", ("declared",), spec=renamed(title="rough")),
    Bug("better higher", ("declared", "references"), spec=renamed(better="higher")),
    Bug("ascii unit", ("units",), spec=renamed(unit="ev/atom")),
    Bug("no unit", ("units",), spec=renamed(unit="")),
    Bug("case twice", ("cases",), cases=lambda _: [CASE, CASE]),
    Bug("no case", ("cases", "runs"), cases=lambda _: []),
    Bug("tuples", ("cases",), case={"params": {"n_steps": 6, "bug": "", "sizes": (1, 2)}}),
    Bug("objects in params", ("cases",), case={"params": {"n_steps": 6, "bug": "", "what": object}}),
    Bug("unknown element", ("cases", "runs"), case={"elements": ("Kupfer",)}),
    Bug("other cases", ("cases",), cases=other_cases_each_time),
    Bug("reference undeclared", ("references",), case=quoting(quantity="lattice_constant")),
    Bug("reference not compared", ("references",), case=quoting(quantity="roughness_ratio")),
    Bug("reference nan", ("references",), case=quoting(value=float("nan"))),
    Bug("reference from nowhere", ("references",), case=quoting(source=" ")),
    Bug("reference without level", ("references",), case=quoting(level_of_theory="")),
    Bug("reference twice", ("references",), case={"references": (REFERENCE, REFERENCE)}),
    Bug("lambda", ("importable",), spec={"run": lambda *given: run(*given)}),  # noqa: PLW0108
    Bug("fifth argument", ("importable", "runs"), spec={"run": needs_more}),
    Bug("raises", ("runs",)),
    Bug("a dictionary", ("runs",)),
    Bug("undeclared", ("runs",)),
    Bug("nan", ("runs",)),
    Bug("both", ("runs",)),
    Bug("nothing", ("runs",)),
    Bug("objects", ("runs",)),
    Bug("incomplete", ("complete",)),
    Bug("says a lot", ("absent",)),
    Bug("says nothing", ("absent",)),
    Bug("interval beside", ("intervals",)),
    Bug("interval alone", ("intervals", "complete")),
    Bug("dates", ("arrays",)),
    Bug("tells nothing", ("progress",)),
    Bug("tells too much", ("progress",)),
    Bug("tells of nothing", ("progress",)),
    Bug("tells fractions", ("progress",)),
    Bug("slow", ("quick",)),
    Bug("prints", ("quiet",)),
    Bug("changes its params", ("untouched",)),
    Bug("changes the model", ("untouched",)),
    Bug("scales the model", ("untouched", "any-calculator")),
    Bug("seeds numpy", ("global-state",)),
    Bug("sets a variable", ("global-state",)),
    Bug("floor", ("floors",)),
    Bug("compares badly", ("compare",), case={"params": {"n_steps": 7, "bug": ""}}),
    Bug("derives undeclared", ("derive",), spec={"derive": derives_undeclared}),
    Bug("derives nan", ("derive",), spec={"derive": derives_nan}),
    Bug("derives in place", ("derive", "complete"), spec={"derive": derives_in_place}),
    Bug("derives without looking", ("derive", "complete"), spec={"derive": derives_without_looking}),
    Bug("derives nothing", ("complete",), spec={"derive": None}),
    Bug("derives by a lambda", ("importable",), spec={"derive": lambda *given: derive(*given)}),  # noqa: PLW0108
    Bug("remembers", ("repeatable",)),
    Bug("other names", ("repeatable",), spec={"deterministic": False}),
    Bug("needs our calculator", ("any-calculator",)),
    Bug("knows its process", ("other-process",)),
    Bug("knows hashes", ("other-process",)),
    Bug("forgets the random state", ("resumed",)),
    Bug("saves too early", ("resumed",)),
    Bug("never loads", ("resumed",)),
    Bug("catches everything", ("resumed",)),
)


@hookimpl
def mlpzoo_register_benchmarks():
    return [bug.register() for bug in (HONEST, *BUGS)]
