"""The benchmark under test, what it runs on, and its runs: each done once, for all checks that look at it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from mlpzoo.benchmark import RunSettings
from mlpzoo.calculator import build
from mlpzoo.errors import UsageError
from mlpzoo.models import ModelName
from mlpzoo.testing.benchmark_interrupted import Used, WatchedJob
from mlpzoo.testing.benchmark_runs import Ran, run_once

if TYPE_CHECKING:
    from mlpzoo import wire
    from mlpzoo.benchmark import BenchmarkSpec, Case
    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.models import ModelSpec
    from mlpzoo.plugins import Plugin
    from mlpzoo.registry import Registry
    from mlpzoo.workers import Worker

BUILTIN = "builtin:backends"


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A case and the model that it is run with."""

    case: Case
    model: ModelSpec


@dataclass(kw_only=True)
class Resumed:
    """A run that was interrupted twice and started again with the same directory.

    Attributes:
        ran: The last part.
        kept: Whether the parts before it left a checkpoint.
        found: Whether the last part took up one.
        stops: After how many force calls it was interrupted.
    """

    ran: Ran
    kept: bool
    found: bool
    stops: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class BenchmarkSubject:
    """A benchmark, and what it is run with.

    Attributes:
        registry: Where it is.
        name: Its name.
        models: Names of models to run it with; by default the built-in potentials.  Each case gets the first
            one that knows its elements.
        systems: Names of systems or cases, or globs; by default all that can run.
        settings: Profile and seed.
        cpu_limit_s: Processor time that one case may take.
        worker: The other process; by default one is started when it is needed.
    """

    registry: Registry
    name: str
    models: tuple[str, ...] = ()
    systems: tuple[str, ...] = ("*",)
    settings: RunSettings = field(default_factory=lambda: RunSettings(profile="smoke"))
    cpu_limit_s: float = 60.0
    worker: Worker | None = None

    @property
    def spec(self) -> BenchmarkSpec:
        """The benchmark."""
        return self.registry.benchmark(self.name).item

    @property
    def plugin(self) -> Plugin:
        """Who registered it."""
        return self.registry.benchmark(self.name).plugin

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """All its cases on this machine."""
        return self.registry.cases(self.spec)

    @cached_property
    def picks(self) -> tuple[Pick, ...]:
        """The cases that it is run on, each with a model.

        Raises:
            UsageError: There is no such model or system, or a model's framework is not here.
        """
        for pattern in self.systems:
            if pattern != "*" and not self.registry.select_cases(self.spec, (pattern,)):
                known = ", ".join(case.name for case in self.cases) or "none"
                raise UsageError(f"'{self.name}' has no case for '{pattern}'", hint=f"it has: {known}")
        candidates = self._candidates()
        found = []
        for case in self.registry.select_cases(self.spec, self.systems):
            model = next((m for m in candidates if m.card is None or m.card.supports(case.elements)), None)
            if model is not None and not case.unavailable:
                found.append(Pick(case=case, model=model))
        return tuple(found)

    def _candidates(self) -> list[ModelSpec]:
        cards = self.registry.cards
        names = self.models or tuple(n for n, entry in cards.items() if entry.plugin.name == BUILTIN)
        for name in names:
            family = ModelName.parse(name).family
            if not self.registry.runs_here(family):
                raise UsageError(
                    f"{', '.join(self.registry.missing(family))} cannot be imported here",
                    hint="name a model whose framework is importable in this Python",
                )
        return [self.registry.resolve(name) for name in names]

    def calculator(self, model: ModelSpec) -> ZooCalculator:
        """A fresh calculator."""
        return build(self.registry.backend(model.family).item, model)

    def run(self, pick: Pick, *, plain: bool = False) -> Ran:
        """One more run."""
        return run_once(self.spec, pick.case, self.settings, self.calculator(pick.model), plain=plain)

    @cached_property
    def first(self) -> dict[str, Ran]:
        """Case to its first run."""
        return {pick.case.name: self.run(pick) for pick in self.picks}

    @cached_property
    def quickest(self) -> Pick:
        """What is run again and again: the case that took the least time."""
        return min(self.picks, key=lambda pick: self.first[pick.case.name].cpu_s)

    @property
    def expected(self) -> Ran:
        """The first run of the quickest case."""
        return self.first[self.quickest.case.name]

    @cached_property
    def plain(self) -> Ran:
        """A second run, with an ASE calculator that is not ours."""
        return self.run(self.quickest, plain=True)

    @cached_property
    def again(self) -> Ran:
        """A second run, with a calculator like the first."""
        return self.run(self.quickest)

    @cached_property
    def elsewhere(self) -> wire.Report:
        """A run in another process."""
        from mlpzoo.testing.benchmark_elsewhere import run_elsewhere

        return run_elsewhere(self, self.quickest)

    @cached_property
    def resumed(self) -> Resumed:
        """A run that is interrupted twice, somewhere in its first and its second half, and started again."""
        n, pick = self.expected.n_evaluations, self.quickest
        label = crc32(self.name.encode())
        stops = (1 + label % max(1, n // 2), 1 + (label >> 8) % max(1, n // 2))
        with tempfile.TemporaryDirectory() as directory:
            for at_most in (*stops, None):
                kept = any(Path(directory).rglob("*.npz"))
                used = Used()
                job = WatchedJob(directory=Path(directory) / "work", used=used)
                calculator = self.calculator(pick.model)
                ran = run_once(self.spec, pick.case, self.settings, calculator, job=job, at_most=at_most)
                if not ran.interrupted:
                    break
        return Resumed(ran=ran, kept=kept, found=bool(used.found), stops=stops)
