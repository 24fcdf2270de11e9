"""What is asked for and what it comes down to: requests, tasks, plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mlpzoo.benchmark import BenchmarkSpec, Case, RunSettings
from mlpzoo.results import Provenance, Result, Status

if TYPE_CHECKING:
    from mlpzoo.models import DType, ModelSpec

State = Literal["cached", "unsupported", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for, with the defaults of ``mlpzoo compare``.

    Attributes:
        models: Names or globs.
        benchmarks: Names, or ``all``.
        systems: Systems, cases, or globs of them.
        settings: Profile and seed.
        device: Device of every model.
        dtype: Precision of every model.
        isolate: Where tasks run; see ``mlpzoo compare --help``.
        fresh: Do not use stored results.
        jobs: Worker processes at a time.
        threads: Threads per worker; 0: the cores divided by ``jobs``.
        timeout_s: Time limit of one task.
        memory_limit_gb: Data memory of one worker; 0 for no limit.
        against: Level of theory that every model is compared with; empty: each with its own.
    """

    models: tuple[str, ...]
    benchmarks: tuple[str, ...] = ("re-forces",)
    systems: tuple[str, ...] = ("si",)
    settings: RunSettings = field(default_factory=RunSettings)
    device: str = "cpu"
    dtype: DType = "float64"
    isolate: Literal["auto", "always", "never"] = "auto"
    fresh: bool = False
    jobs: int = 1
    threads: int = 0
    timeout_s: float = 3600.0
    memory_limit_gb: float = 0.0
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One cell block of a table: one model (or one reference row) on one case.

    Attributes:
        title: Row title: the model's name, or what the reference row is.
        key: Of the stored result.
        state: ``cached``, ``unsupported`` or ``run``.
        place: Where it would run.
        result: The stored result if ``cached``, the reason if ``unsupported``.
        floor: Name of the reference row; empty for a model.
    """

    title: str
    benchmark: BenchmarkSpec
    benchmark_module: str
    case: Case
    settings: RunSettings
    key: str
    state: State
    place: str
    model: ModelSpec | None = None
    family: str = ""
    plugin_module: str = ""
    provenance: Provenance = field(default_factory=Provenance)
    result: Result | None = None
    floor: str = ""

    @property
    def label(self) -> str:
        """``model · benchmark · case``."""
        return f"{self.title} · {self.benchmark.name} · {self.case.name}"

    @property
    def store_name(self) -> str:
        """What the file of its result is called."""
        return f"{self.benchmark.name}-{self.case.name}-{self.settings.profile}-{self.title}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All tasks, and the cases that cannot run yet."""

    request: Request
    tasks: tuple[Task, ...]
    unavailable: tuple[Case, ...] = ()


def names_in(text: str | Sequence[str]) -> tuple[str, ...]:
    """``"a, b"`` to ``("a", "b")``; a sequence stays one."""
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(part for part in (p.strip() for p in parts) if part)


def result_of(task: Task, status: Status, message: str) -> Result:
    """A result without values for a task."""
    return Result(
        model=task.title,
        benchmark=task.benchmark.name,
        version=task.benchmark.version,
        case=task.case.name,
        profile=task.settings.profile,
        status=status,
        message=message,
        provenance=task.provenance,
        is_floor=bool(task.floor),
    )
