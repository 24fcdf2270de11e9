"""Promises about what a benchmark declares: nothing runs."""

from __future__ import annotations

import inspect
import json
import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from ase.data import chemical_symbols

from mlpzoo.benchmark import Case
from mlpzoo.testing.benchmark_report import BenchmarkCheck
from mlpzoo.testing.report import NotApplicableError, require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlpzoo.testing.benchmark_subject import BenchmarkSubject

FRAMEWORKS = ("torch", "jax", "tensorflow")
HEAVY = ("numpy", "scipy", "ase", "matplotlib", "phonopy")
"""What the core's own benchmarks import only when they run: the command line has to start at once."""

MISSPELT = {
    **dict.fromkeys(("A", "Ang", "ang", "Angstrom", "angstrom", "Å^3", "A^3"), "Å, Å³"),
    **dict.fromkeys(("ev", "EV", "Ev"), "eV"),
    **dict.fromkeys(("mev", "MeV"), "meV"),
    **dict.fromkeys(("gpa", "Gpa", "GPA"), "GPa"),
    **dict.fromkeys(("kelvin", "Kelvin", "°K"), "K"),
    **dict.fromkeys(("deg", "degree", "degrees"), "°"),
    **dict.fromkeys(("percent", "pct"), "%"),
    **dict.fromkeys(("thz", "Thz", "THZ"), "THz"),
    **dict.fromkeys(("cm2", "cm^2"), "cm²"),
}
"""Spellings that would stand beside the right one in another table."""

HAS_DIMENSION = re.compile(
    r"energy|barrier|enthalpy|force|stress|pressure|modul[ui]s?|lattice_constant|distance|displacement|"
    r"volume|temperature|frequency|frequencies|diffusivity|angle|time"
)
NUMBER = re.compile(r"ratio|count|number|share|fraction|derivative|exponent|correlation|^n_|_over_|scaling")


def declared(subject: BenchmarkSubject) -> None:
    """Name, version, titles; quantities whose names are unique identifiers."""
    spec = subject.spec
    require(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", spec.name), f"{spec.name!r} is no name: use [a-z0-9._-]")
    is_version = type(spec.version) is int and spec.version > 0
    require(is_version, f"the version is {spec.version!r} instead of a positive whole number")
    require(spec.title.strip(), "it has no title")
    require(spec.quantities, "it declares no quantity")
    for quantity in spec.quantities:
        name = quantity.name
        require(re.fullmatch(r"[a-z][a-z0-9_]*", name), f"quantity {name!r} is not in snake_case")
        require(quantity.title.strip(), f"{name} has no title")
        require(quantity.better in ("lower", "closer", "none"), f"{name}: better = {quantity.better!r}")
        require(0 <= quantity.decimals <= 12, f"{name}: {quantity.decimals} decimals")  # noqa: PLR2004
    for what in ("name", "title"):
        twice = _repeated(getattr(q, what) for q in spec.quantities)
        require(not twice, f"two quantities have the {what} {', '.join(twice)}")


def units(subject: BenchmarkSubject) -> None:
    """Units are there where the name tells of a dimension, and spelt as everywhere in mlpzoo."""
    for quantity in subject.spec.quantities:
        name, unit = quantity.name, quantity.unit
        require(unit == unit.strip(), f"{name}: blanks around the unit {unit!r}")
        for part in re.split(r"[\s/·*()]+", unit):
            right = MISSPELT.get(part)
            require(right is None, f"{name}: the unit {unit!r} is spelt with {right} in mlpzoo")
        require("^" not in unit, f"{name}: write ² or ³ in the unit {unit!r}")
        number = NUMBER.search(name) or not HAS_DIMENSION.search(name)
        require(unit or number, f"{name} has no unit; a pure number says so in its name (ratio, share, ...)")


def cases(subject: BenchmarkSubject) -> None:
    """Cases have unique names, and are plain data that reach another process as they are."""
    found = subject.cases
    require(found, "it has no case, not even one that says why it is unavailable")
    twice = _repeated(case.name for case in found)
    require(not twice, f"two cases are called {', '.join(twice)}")
    again = subject.registry.cases(subject.spec)
    require(again == found, "its cases are others when they are asked for again")
    for case in found:
        require(case.name and case.system, f"case {case.name!r} of system {case.system!r}: a name is missing")
        wrong = [e for e in case.elements if e not in chemical_symbols[1:]]
        require(not wrong and case.elements, f"{case.name}: elements {case.elements!r}")
        sent = replace(case, references=())  # they stay here
        try:
            arrived = msgspec.json.decode(msgspec.json.encode(sent), type=Case)
        except (msgspec.MsgspecError, TypeError) as error:
            require(False, f"{case.name}: its params are not plain data: {error}")  # noqa: FBT003
        else:
            same = arrived == sent
            require(same, f"{case.name}: another process would get other params (tuples become lists)")


def references(subject: BenchmarkSubject) -> None:
    """A reference is a finite number for a quantity that is compared with one, and says where it is from."""
    wanted = {q.name for q in subject.spec.quantities if q.better == "closer"}
    for case in subject.cases:
        for reference in case.references:
            where = f"{case.name}: reference of {reference.quantity}"
            require(reference.quantity in wanted, f"{where}: no such quantity with better='closer'")
            require(math.isfinite(reference.value), f"{where} is {reference.value}")
            require(reference.source.strip(), f"{where} has no source")
            require(reference.level_of_theory.strip(), f"{where} has no level of theory")
        twice = _repeated(f"{r.quantity} ({r.level_of_theory})" for r in case.references)
        require(not twice, f"{case.name}: two references for {', '.join(twice)}")


def importable(subject: BenchmarkSubject) -> None:
    """Functions are found by module and name: they run in another process."""
    spec = subject.spec
    functions: dict[str, object] = {
        what: getattr(spec, what) for what in ("run", "run_floor", "compare", "draw", "derive")
    }
    for what, function in functions.items():
        if function is None:
            continue
        path = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"
        found: object = sys.modules.get(getattr(function, "__module__", ""))
        for part in getattr(function, "__qualname__", "").split("."):
            found = getattr(found, part, None)
        require(found is function, f"{what} is {path}: make it a function of the module")
    try:
        inspect.signature(spec.run).bind(None, None, None, None)
    except TypeError as error:
        require(False, f"run does not take (calculator, case, settings, job): {error}")  # noqa: FBT003


def light_import(subject: BenchmarkSubject) -> None:
    """Its module imports no framework; the core's own not even NumPy."""
    plugin = subject.plugin
    modules = dict.fromkeys((plugin.module_name, subject.spec.run.__module__))
    own = plugin.module_name.startswith("mlpzoo.")
    requires = (name for family in subject.registry.families for name in _requires(subject, family))
    heavy = sorted({*FRAMEWORKS, *requires, *(HEAVY if own else ())} - set(modules))
    found = _imported(tuple(modules), tuple(heavy), tuple(sys.path))
    require(not found, f"importing {', '.join(modules)} imports {', '.join(found)}")


@cache
def _imported(modules: tuple[str, ...], heavy: tuple[str, ...], path: tuple[str, ...]) -> list[str]:
    """Which of the heavy modules a new interpreter has imported after importing these."""
    program = (
        "import importlib, json, sys\n"
        "path, modules, heavy = json.loads(sys.argv[1])\n"
        "sys.path[:] = path\n"
        "for module in modules: importlib.import_module(module)\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))\n"
    )
    command = [sys.executable, "-c", program, json.dumps([path, modules, heavy])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        raise NotApplicableError(f"{', '.join(modules)} cannot be imported by name: {last}")
    return list(json.loads(done.stdout.splitlines()[-1]))


def _requires(subject: BenchmarkSubject, family: str) -> tuple[str, ...]:
    return tuple(subject.registry.backend(family).item.requires)


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, n in Counter(names).items() if n > 1)


CHECKS = (
    BenchmarkCheck(
        name="declared",
        promise="it has a name, a version and a title, and its quantities have unique names and titles",
        function=declared,
    ),
    BenchmarkCheck(
        name="units",
        promise="every quantity has its unit, spelt as everywhere",
        function=units,
    ),
    BenchmarkCheck(
        name="cases",
        promise="its cases have unique names and are plain data",
        function=cases,
    ),
    BenchmarkCheck(
        name="references",
        promise="every reference is a number for a declared quantity, with its source and level of theory",
        function=references,
    ),
    BenchmarkCheck(
        name="importable",
        promise="its functions can be imported by name",
        function=importable,
    ),
    BenchmarkCheck(
        name="light-import",
        promise="importing it imports no framework",
        function=light_import,
    ),
)
