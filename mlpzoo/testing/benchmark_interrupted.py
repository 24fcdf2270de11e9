"""Runs of a benchmark that are cut short, and checkpoints that tell whether they are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import all_changes

from mlpzoo.benchmark import Job
from mlpzoo.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray


class InterruptedHere(BaseException):
    """Stands for a kill: no benchmark should catch it."""


@dataclass
class Calls:
    """Force calls of a calculator.

    Attributes:
        done: How many were made.
        at_most: After so many it is interrupted; None: never.
        interrupted: Whether it was.
    """

    done: int = 0
    at_most: int | None = None
    interrupted: bool = False

    def count(self, n: int) -> None:
        """Count calls that are about to be made.

        Raises:
            InterruptedHere: There were enough.
        """
        if self.at_most is not None and self.done >= self.at_most:
            self.interrupted = True
            raise InterruptedHere
        self.done += n


def count_calls(calculator: Calculator, at_most: int | None = None) -> Calls:
    """Count the force calls of a framework's calculator from now on, whoever makes them."""
    calls = Calls(at_most=at_most)
    inside: Any = calculator
    calculate, many = inside.calculate, getattr(inside, "evaluate_many", None)

    def counted(
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        calls.count(1)
        calculate(atoms, properties, system_changes)

    def counted_many(frames: Sequence[Atoms]) -> Any:
        calls.count(len(frames))
        assert many is not None  # noqa: S101  (only then this is attached)
        return many(frames)

    inside.calculate = counted
    if many is not None:
        inside.evaluate_many = counted_many
    return calls


@dataclass
class Used:
    """Which checkpoints were found."""

    found: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class WatchedCheckpoint(Checkpoint):
    """A checkpoint that tells when it is used."""

    used: Used = field(default_factory=Used)

    def child(self, name: str) -> Checkpoint:
        """One that tells the same."""
        return WatchedCheckpoint(super().child(name).path, self.used)

    def load(self) -> dict[str, NDArray[Any]] | None:
        """Load and tell."""
        arrays = super().load()
        if arrays is not None:
            self.used.found.add(str(self.path))
        return arrays


@dataclass(frozen=True, kw_only=True)
class WatchedJob(Job):
    """A job whose checkpoints tell when they are used."""

    used: Used = field(default_factory=Used)

    def checkpoint(self, name: str) -> Checkpoint:
        """A checkpoint that tells."""
        return WatchedCheckpoint(super().checkpoint(name).path, self.used)
