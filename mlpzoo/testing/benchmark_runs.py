"""One run of a benchmark, with everything about it written down."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.benchmark import Job, Outcome
from mlpzoo.results import unpack
from mlpzoo.task_run import reason, report_of
from mlpzoo.testing.benchmark_interrupted import InterruptedHere, count_calls
from mlpzoo.testing.process import changes_of_process, output_of
from mlpzoo.testing.structures import perturbed

if TYPE_CHECKING:
    from mlpzoo import wire
    from mlpzoo.benchmark import BenchmarkSpec, Case, RunSettings
    from mlpzoo.calculator import ZooCalculator


@dataclass(kw_only=True)
class Ran:
    """What one run did.

    Attributes:
        outcome: What it returned; None if it raised or was interrupted.
        error: What it raised.
        interrupted: Whether it was.
        report: What a worker would send of the outcome.
        told: Every call of ``job.progress``.
        cpu_s: Processor time of this process.
        n_evaluations: Force calls.
        changed: What it left behind: process-wide settings, ``the case``, ``the model``.
        printed: What it wrote to standard output.
    """

    outcome: Any = None
    error: BaseException | None = None
    interrupted: bool = False
    report: wire.Report | None = None
    told: list[tuple[Any, Any, Any]] = field(default_factory=list)
    cpu_s: float = 0.0
    n_evaluations: int = 0
    changed: list[str] = field(default_factory=list)
    printed: str = ""

    @property
    def failure(self) -> str:
        """Why there is no result, as it would be stored; empty if there is one."""
        if self.error is not None:
            return reason(self.error)
        return self.report.message if self.report is not None and self.report.status == "failed" else ""


def run_once(
    spec: BenchmarkSpec,
    case: Case,
    settings: RunSettings,
    calculator: ZooCalculator,
    *,
    job: Job | None = None,
    plain: bool = False,
    at_most: int | None = None,
) -> Ran:
    """Run a benchmark; an exception of it is written down, not raised.

    Args:
        spec: The benchmark.
        case: What it runs on.
        settings: Profile and seed.
        calculator: A fresh one; it is altered.
        job: Where it keeps checkpoints; by default nowhere.
        plain: Hand over the family's own ASE calculator instead of the checked one.
        at_most: Interrupt it after so many force calls.
    """
    ran = Ran()
    given, card = copy.deepcopy(case), copy.deepcopy(calculator.card)
    before = _probe(calculator)
    calls = count_calls(calculator.inner, at_most)
    asked: Job = job or Job(progress=lambda *told: ran.told.append(told))

    def run() -> None:
        start = time.process_time()
        try:
            ran.outcome = spec.run(calculator.inner if plain else calculator, given, settings, asked)
            if calls.interrupted:
                raise RuntimeError("it went on after it was interrupted")
        except InterruptedHere:
            ran.interrupted = True
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a stranger's code: recorded, reported)
            ran.error = error
        ran.cpu_s = time.process_time() - start
        ran.n_evaluations, calls.at_most = calls.done, None

    ran.printed = output_of(lambda: ran.changed.extend(changes_of_process(run, dtype="float64")))
    if isinstance(ran.outcome, Outcome):
        _report(ran, {q.name for q in spec.quantities})
    if given != case:
        ran.changed.append("the case")
    if calculator.card != card or _probe(calculator) != before:
        ran.changed.append("the model")
    return ran


def _report(ran: Ran, declared: set[str]) -> None:
    try:
        ran.report = report_of(ran.outcome, declared)
    except Exception as error:  # noqa: BLE001  (values that are no numbers, arrays of objects)
        ran.error = error


def difference(found: wire.Report, expected: wire.Report, *, names_only: bool = False) -> str:
    """What differs between two reports of one benchmark, to the last bit; empty if nothing does.

    Args:
        found: One.
        expected: The other.
        names_only: Compare only what there is, not how large it is.
    """
    if names_only:
        one, other = ({*r.values, *r.absent, *r.arrays} for r in (found, expected))
        return f"{', '.join(sorted(one ^ other))} only once" if one != other else ""
    for kind in ("values", "interval", "absent"):
        a, b = getattr(found, kind), getattr(expected, kind)
        for name in sorted(set(a) | set(b)):
            if a.get(name) != b.get(name):
                return f"{kind} of {name}: {a.get(name, 'none')} instead of {b.get(name, 'none')}"
    if found.message != expected.message:
        return f"the message {found.message!r} instead of {expected.message!r}"
    for name in sorted(set(found.arrays) | set(expected.arrays)):
        if name not in found.arrays or name not in expected.arrays:
            return f"the array {name} is there only once"
        a, b = unpack(found.arrays[name]), unpack(expected.arrays[name])
        if (a.dtype, a.shape, a.tobytes()) != (b.dtype, b.shape, b.tobytes()):
            return f"the array {name}"
    return ""


def _probe(calculator: ZooCalculator) -> tuple[list[str], float, bytes]:
    """What the model says of itself, and of a structure that no benchmark uses."""
    atoms = perturbed(calculator.card, "probe")
    known = [p for p in ("energy", "forces") if p in calculator.card.properties]
    calculator.reset()
    calculator.calculate(atoms, known)
    energy, forces = calculator.results.get("energy", 0.0), calculator.results.get("forces", ())
    calculator.reset()
    return list(calculator.implemented_properties), float(energy), np.asarray(forces).tobytes()
