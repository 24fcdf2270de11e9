"""What a benchmark is: cases, quantities, and one function of a calculator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlpzoo.checkpoint import Checkpoint

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.data.dataset import DatasetSpec

Profile = Literal["smoke", "standard", "paper"]
PROFILES: tuple[Profile, ...] = ("smoke", "standard", "paper")

ProgressFn = Callable[[int, int, str], None]
"""``progress(done, total, what)``: called inside a task as often as there is something to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One column of a table.

    Attributes:
        name: Identifier, ``snake_case``: the key in ``Outcome.values``.
        unit: Printed in the header; empty for a pure number.
        title: Column header.
        decimals: Digits after the point.
        better: ``lower``, ``closer`` (to the reference) or ``none`` (not ranked: counts, offsets).
        shown: Whether the terminal table shows it; csv and json always do.
        in_heading: Printed in the table's heading if it is the same for all rows (sizes, counts).
        conditional: Only some kinds of cases have it, for example one crystal structure: it may be that no
            case at hand does.
    """

    name: str
    unit: str
    title: str
    decimals: int = 3
    better: Literal["lower", "closer", "none"] = "lower"
    shown: bool = True
    in_heading: bool = False
    conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference value with its source.

    Attributes:
        quantity: Which quantity.
        value: In the quantity's unit.
        level_of_theory: ``PBE``, ``experiment``, ...
        source: DOI, or the command that computed it.
    """

    quantity: str
    value: float
    level_of_theory: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One structure, path or data set that a benchmark runs on.

    Attributes:
        name: For example ``si-vacancy``.
        system: What ``--system`` selects, for example ``si``.
        elements: A model must know all of them, or it is ``unsupported``.
        title: One line for people.
        params: What the run function needs; JSON-able.
        fingerprint: sha256 of the data behind it; part of the result's key.
        level_of_theory: Of the reference.
        references: Reference values.
        floors: Rows that no model computes, for example the reference's own noise: name to row title.
        unavailable: What to type before it can run, for example a fetch command; empty if it can run.
    """

    name: str
    system: str
    elements: tuple[str, ...]
    title: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    level_of_theory: str = ""
    references: tuple[Reference, ...] = ()
    floors: dict[str, str] = field(default_factory=dict)
    unavailable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A NumPy array as plain data.

    Attributes:
        dtype: NumPy type string, for example ``<f8``.
        shape: Shape.
        data: C-ordered bytes.
        codec: How the bytes are compressed: not at all, or by ``zlib``.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes
    codec: Literal["", "zlib"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a benchmark's run function returns.

    Attributes:
        values: Quantity name to value, in the quantity's unit.  A quantity that is undefined for this case
            is left out; NaN is an error.
        interval: Quantity name to its 95 % interval (low, high).
        arrays: Whatever figures and paired comparisons need later: name to NumPy array.
        message: A remark for the table's notes.
        absent: Quantity name to why it has no number, in a word or two that the table prints in its cell:
            ``melted``, ``too few hops``.  A quantity is not both here and in ``values``.
    """

    values: dict[str, float]
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """The same for every model of a table.

    Attributes:
        profile: How much is computed. ``smoke``: seconds, to try things; ``standard``: within an hour for
            a small model on two cores; ``paper``: the sizes and lengths of publications.
        seed: Seed of every random number.
    """

    profile: Profile = "standard"
    seed: int = 0


def _silent(done: int, total: int, what: str) -> None:
    del done, total, what


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a benchmark's run function can say and keep while it runs.

    Attributes:
        progress: Call ``job.progress(done, total, what)`` as often as there is something to say.
        directory: Of its checkpoints; None keeps nothing.  A task that was interrupted, killed or ran out
            of time finds what it had saved when it is started again; the directory goes once the result
            is stored.
    """

    progress: ProgressFn = _silent
    directory: Path | None = None

    def checkpoint(self, name: str) -> Checkpoint:
        """Named arrays that outlive the process: ``load()`` at the start, ``save(...)`` now and then."""
        return Checkpoint(None if self.directory is None else self.directory / name)


RunFn = Callable[["Calculator", Case, RunSettings, Job], Outcome]
DrawFn = Callable[[dict[str, dict[str, Any]], dict[str, dict[str, Any]], str], Any]
DeriveFn = Callable[[dict[str, float], dict[str, float]], dict[str, float]]
CompareFn = Callable[[dict[str, Any], dict[str, Any], RunSettings], dict[str, tuple[float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSpec:
    """A benchmark: one function plus data.

    Attributes:
        name: For example ``re-forces``.
        version: Raise it when the same inputs give other numbers: older results are then not shown.
        title: One line for people.
        quantities: The columns.
        cases: Function of the known data sets that lists the cases; must be cheap.
        run: ``run(calculator, case, settings, job) -> Outcome``; an importable module-level function,
            because it runs next to the calculator, in the family's environment.
        run_floor: ``run_floor(case, name, settings) -> Outcome`` for each of the case's ``floors``.
        compare: Paired comparison of two results of one case: ``compare(arrays_a, arrays_b, settings)``
            gives, for each quantity that it covers, the 95 % interval of ``a - b``.  An interval that holds 0
            is printed as a tie.
        draw: ``draw(rows, floors, title)`` gives a matplotlib figure of a table; both map titles to
            the arrays of their results.
        derive: ``derive(values, references)`` gives quantities that need both a result's values and the
            reference values that it is compared with; called when a table is made, so that a new reference
            needs no new run.
        deterministic: The same seed gives the same numbers to the last bit.  False for wall-clock times.
    """

    name: str
    version: int
    title: str
    quantities: tuple[Quantity, ...]
    cases: Callable[[Sequence[DatasetSpec]], Sequence[Case]]
    run: RunFn
    run_floor: Callable[[Case, str, RunSettings], Outcome] | None = None
    compare: CompareFn | None = None
    draw: DrawFn | None = None
    derive: DeriveFn | None = None
    deterministic: bool = True
