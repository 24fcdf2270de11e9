"""What a promise of a benchmark is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlpzoo.testing.benchmark_subject import BenchmarkSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkCheck:
    """One promise of every benchmark, and the function that tests it.

    Attributes:
        name: Short, ``kebab-case``.
        promise: What holds, in one sentence without a full stop.
        function: Raises `BrokenPromiseError` (or anything else) if it does not hold and `NotApplicableError`
            if the promise does not concern the benchmark.
        needs: Names of checks that have to pass before this one says anything.
    """

    name: str
    promise: str
    function: Callable[[BenchmarkSubject], None]
    needs: tuple[str, ...] = ()
