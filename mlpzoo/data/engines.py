"""What computes reference energies and forces: one interface for every DFT program.

A plugin registers engines by the hook ``mlpzoo_register_engines``. For a program that ASE has a calculator
for, `AseEngine` is all that is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mlpzoo.errors import CalculationError, UsageError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True, slots=True, kw_only=True)
class DftOutput:
    """What is read from a finished, converged calculation.

    Attributes:
        energy_ev: Total energy; with smeared occupations the free energy, which the forces belong to.
        forces_ev_per_ang: One row an atom.
        stress_ev_per_ang3: ASE's sign and Voigt order; None if it was not computed.
        code: Program and version.
        n_scf: Self-consistent cycles.
        cpu_s: CPU time.
    """

    energy_ev: float
    forces_ev_per_ang: list[list[float]]
    stress_ev_per_ang3: list[float] | None
    code: str
    n_scf: int = 0
    cpu_s: float = 0.0


@runtime_checkable
class DftLevel(Protocol):
    """One level of theory of an engine, for cells of any size."""

    @property
    def level(self) -> str:
        """Unique name: labels are files called so, data sets have columns ``forces_<level>``."""

    @property
    def title(self) -> str:
        """One line for tables."""

    @property
    def level_of_theory(self) -> str:
        """What models trained on it are called: ``PBE``, ..."""

    def settings(self) -> dict[str, Any]:
        """All that decides the numbers, for the provenance of a data set: the same for all its frames."""


@runtime_checkable
class ReferenceEngine(Protocol):
    """A program that labels structures. Everything but `run` must be cheap."""

    @property
    def name(self) -> str:
        """What users type: ``espresso``, ``abinit``, ..."""

    def levels(self) -> Sequence[DftLevel]:
        """The levels of theory that it offers; the first is its default."""

    def configured(self, options: Mapping[str, str]) -> ReferenceEngine:
        """The same engine with other options (``command``, ``pseudo_dir``, ...).

        Raises:
            UsageError: There is no such option.
        """

    def check(self, levels: Sequence[DftLevel]) -> None:
        """Refuse to start without the program or a pseudopotential.

        Raises:
            EnvError: One is missing; the hint is the command that installs it.
        """

    def pseudopotentials(self, level: DftLevel) -> dict[str, dict[str, str]]:
        """``file`` and ``sha256`` of the pseudopotential of each element; empty if there are none."""

    def run(self, atoms: Atoms, level: DftLevel, folder: Path) -> DftOutput:
        """Compute one structure.

        Args:
            atoms: Periodic.
            level: One of `levels`.
            folder: Private to this structure. What an earlier level left there (a density) may be used.

        Raises:
            CalculationError: It did not finish or converge: never a number that is not.
        """


def known_options(engine: str, options: Mapping[str, str], known: Sequence[str]) -> Mapping[str, str]:
    """The options, if the engine has them all.

    Raises:
        UsageError: It does not.
    """
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UsageError(
            f"the engine '{engine}' has no option '{unknown[0]}'",
            hint=f"it has {', '.join(known)}" if known else "it has none",
        )
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class AseLevel:
    """A level of theory of an `AseEngine`.

    Attributes:
        level: Its name.
        title: One line for tables.
        level_of_theory: For example ``PBE``.
        given: All that decides the numbers.
    """

    level: str
    title: str
    level_of_theory: str
    given: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """A copy of what was given."""
        return dict(self.given)


@dataclass(frozen=True, slots=True, kw_only=True)
class AseEngine:
    """Any ASE calculator as an engine.

    Attributes:
        name: What users type.
        code: Program and version.
        offered: Its levels.
        calculator: ``calculator(level, folder, options)`` makes the calculator. It must raise when a
            calculation does not converge; many of ASE's do not, so check it.
        checks: Called with the options before any work; raises `EnvError` if the program is missing.
        known: Names of its options.
        options: Their values.
    """

    name: str
    code: str
    offered: tuple[AseLevel, ...]
    calculator: Callable[[AseLevel, Path, Mapping[str, str]], Calculator]
    checks: Callable[[Mapping[str, str]], None] = lambda _: None
    known: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def levels(self) -> Sequence[AseLevel]:
        """As given."""
        return self.offered

    def configured(self, options: Mapping[str, str]) -> AseEngine:
        """The same engine with these options."""
        import dataclasses

        return dataclasses.replace(self, options=dict(known_options(self.name, options, self.known)))

    def check(self, levels: Sequence[DftLevel]) -> None:
        """Call ``checks``."""
        del levels
        self.checks(self.options)

    def pseudopotentials(self, level: DftLevel) -> dict[str, dict[str, str]]:
        """None that are known of: they belong into ``given``."""
        del level
        return {}

    def run(self, atoms: Atoms, level: DftLevel, folder: Path) -> DftOutput:
        """Let the calculator compute it.

        Raises:
            CalculationError: It raised, or its numbers are not finite.
        """
        import numpy as np

        assert isinstance(level, AseLevel)  # noqa: S101  (one of ours)
        folder.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        try:
            calculator = self.calculator(level, folder, self.options)
            energy = float(calculator.get_property("energy", atoms))
            forces = np.asarray(calculator.get_property("forces", atoms), dtype=float)
            stress = calculator.results.get("stress")
        except Exception as error:
            raise CalculationError(f"{self.name}: {type(error).__name__}: {error}", hint="") from error
        numbers = [energy, *forces.ravel(), *(() if stress is None else np.ravel(stress))]
        if forces.shape != (len(atoms), 3) or not np.isfinite(numbers).all():
            raise CalculationError(f"{self.name} gave forces of shape {forces.shape} or non-finite numbers")
        return DftOutput(
            energy_ev=energy,
            forces_ev_per_ang=forces.tolist(),
            stress_ev_per_ang3=None if stress is None else np.asarray(stress, dtype=float).tolist(),
            code=self.code,
            cpu_s=round(time.process_time() - start, 2),
        )
