"""The model under test."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import all_changes

from mlpzoo.calculator import build
from mlpzoo.testing.report import require
from mlpzoo.testing.tolerances import SYMMETRY, Tolerance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.models import Backend, DType, ModelCard, ModelSpec
    from mlpzoo.testing.lessons import Lessons

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a model says of one structure; None for what it does not declare or cannot have.

    Attributes:
        energy: eV.
        forces: eV/Å, shape (n_atoms, 3).
        stress: eV/Å³, ASE's sign and Voigt order, shape (6,).
    """

    energy: float
    forces: FloatArray | None = None
    stress: FloatArray | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms; 1 if there are no forces to tell."""
        return 1 if self.forces is None else len(self.forces)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A backend and a spec: everything that the checks need.

    Attributes:
        backend: The family.
        spec: The model, device and precision.
        golden: File of stored energies and forces; None looks for ``golden/FAMILY-CARD.json`` beside
            the backend's module.
        random: Whether its weights are random: then its numbers mean nothing, and are not looked at.
    """

    backend: Backend
    spec: ModelSpec
    golden: Path | None = None
    random: bool = False

    @cached_property
    def shared(self) -> ZooCalculator:
        """One calculator for all checks that do not need a fresh one: building may cost a second."""
        return self.calculator()

    @cached_property
    def other(self) -> ZooCalculator:
        """A second one, to compare the first with."""
        return self.calculator()

    @cached_property
    def card(self) -> ModelCard:
        """The card, or what the backend reads from the user's own weights."""
        return self.spec.card if self.spec.card is not None else self.shared.card

    @cached_property
    def lessons(self) -> Lessons:
        """Trainings that several checks look at, each done once."""
        from mlpzoo.testing.lessons import Lessons

        return Lessons(self)

    @property
    def dtype(self) -> DType:
        """The precision that was asked for."""
        return self.spec.dtype

    @property
    def golden_file(self) -> Path:
        """Where stored energies and forces are, or would be."""
        if self.golden is not None:
            return self.golden
        name = self.spec.name.replace("/", "-").replace(":", "-")
        return Path(inspect.getfile(type(self.backend))).parent / "golden" / f"{name}.json"

    def calculator(self) -> ZooCalculator:
        """A fresh calculator, as users get it."""
        return build(self.backend, self.spec)

    def with_dtype(self, dtype: DType) -> Subject:
        """The same model in another precision."""
        return replace(self, spec=replace(self.spec, dtype=dtype))

    def properties_of(self, atoms: Atoms) -> list[str]:
        """What the card declares and the structure can have: no stress without three lattice vectors."""
        has_stress = atoms.cell.rank == 3 and bool(atoms.pbc.all())  # noqa: PLR2004
        return [p for p in self.card.properties if p != "stress" or has_stress]

    def evaluate(
        self,
        atoms: Atoms,
        *,
        calculator: ZooCalculator | None = None,
        properties: Sequence[str] = (),
    ) -> Evaluation:
        """Compute, never from a cache; everything that `properties_of` lists if not told otherwise."""
        calculator = calculator or self.shared
        wanted = list(properties) or self.properties_of(atoms)
        calculator.reset()
        calculator.calculate(atoms.copy(), wanted, list(all_changes))
        found = calculator.results
        return Evaluation(
            energy=float(found["energy"]),
            forces=np.array(found["forces"]) if "forces" in wanted else None,
            stress=np.array(found["stress"]) if "stress" in wanted else None,
        )

    def energy(self, atoms: Atoms) -> float:
        """Energy alone (eV)."""
        return self.evaluate(atoms, properties=["energy"]).energy

    def require_equal(
        self,
        found: Evaluation,
        expected: Evaluation,
        what: str,
        tolerance: Tolerance | None = None,
    ) -> None:
        """Compare two evaluations of structures with equally many atoms.

        Raises:
            BrokenPromiseError: They differ by more than the tolerance (default: that of a symmetry).
        """
        allowed = tolerance or SYMMETRY[self.dtype]
        n = expected.n_atoms
        pairs = (
            ("energy", found.energy / n, expected.energy / n, allowed.energy_ev, "eV/atom"),
            ("forces", found.forces, expected.forces, allowed.force_ev_per_ang, "eV/Å"),
            ("stress", found.stress, expected.stress, allowed.stress_ev_per_ang3, "eV/Å³"),
        )
        for name, a, b, absolute, unit in pairs:
            if a is None or b is None:
                continue
            difference = float(np.max(np.abs(np.asarray(a) - np.asarray(b))))
            limit = absolute + allowed.relative * float(np.max(np.abs(b)))
            require(
                difference <= limit,
                f"{what}: {name} differs by {difference:.3g} {unit} (allowed {limit:.2g})",
            )
