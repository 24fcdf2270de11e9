"""The one calculator that users and benchmarks see, wherever the framework lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from mlpzoo.errors import BadNumberError, CalculationError, UnsupportedElementError
from mlpzoo.physics.evaluate import Evaluated, ManyAtOnce

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from mlpzoo.models import Backend, ModelCard, ModelSpec

PUBLIC_PROPERTIES = ("energy", "forces", "stress")
MAX_ATOMS_AT_ONCE = 512
"""Of all structures in one call of a framework: 8 MB an atom for the largest published models."""


class ZooCalculator(Calculator):
    """An ASE calculator that checks what goes in and what comes out of another one.

    Results are eV, eV/Å and eV/Å³ in ASE's sign and Voigt order.  Only the properties that the card
    declares exist; any other raises ASE's ``PropertyNotImplementedError``.  Caching is ASE's own, on
    species, positions, cell, pbc, charges and magnetic moments; the inner calculator's cache is not used.

    Args:
        inner: The framework's calculator.
        card: What it declares: elements and properties.

    Attributes:
        n_evaluations: Number of times the inner calculator was run.
        calculation_time_s: How long that took.
        card: The card.
    """

    implemented_properties: list[str] = list(PUBLIC_PROPERTIES)  # noqa: RUF012  (ASE's declaration)

    def __init__(self, inner: Calculator, card: ModelCard) -> None:
        super().__init__()
        self.inner = inner
        self.card = card
        self.n_evaluations = 0
        self.calculation_time_s = 0.0
        self.implemented_properties = [p for p in PUBLIC_PROPERTIES if p in card.properties]
        if "energy" in self.implemented_properties:
            self.implemented_properties.append("free_energy")
        self._known = frozenset(card.elements)
        self._checked_numbers: bytes = b""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Run the inner calculator on a private copy of ``atoms``; see the class for units.

        Raises:
            UnsupportedElementError: A species is not on the card.
            BadNumberError: The energy, a force or a stress is NaN or infinite.
            CalculationError: A result has the wrong shape or is missing.
        """
        atoms = self.atoms if atoms is None else atoms
        assert atoms is not None  # noqa: S101  (ASE's contract; for the type checker)
        self.atoms = atoms = atoms.copy()
        if system_changes:
            self.results = {}
        self._check_elements(atoms)
        if "stress" in properties and atoms.cell.rank < 3:  # noqa: PLR2004
            raise PropertyNotImplementedError(
                f"{self.card.name}: the stress of a structure without a full cell"
            )
        wanted = list(dict.fromkeys("energy" if p == "free_energy" else p for p in properties))
        self.n_evaluations += 1
        if system_changes:
            self.inner.results = {}  # or an inner that computes only what is asked leaves stale ones
        try:
            inside = atoms.copy()
            start = time.perf_counter()
            self.inner.calculate(inside, wanted, list(system_changes))
            self.calculation_time_s += time.perf_counter() - start
            found = dict(self.inner.results)
            if atoms.cell.rank < 3:  # noqa: PLR2004  (what some frameworks return then is NaN)
                found.pop("stress", None)
            self.results.update(self._checked(found, wanted, len(atoms)))
        except BaseException:
            self.reset()  # so that the next call starts anew, and tells the inner one that all is new
            raise

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, in their order, with the checks of `calculate`.

        Several at once if the inner calculator has a method of this name and kind (see
        `mlpzoo.models.Backend.calculator`), else one after the other.  Structures may differ in everything;
        they are not changed.

        Raises:
            PropertyNotImplementedError: The card declares no energy or no forces.
            UnsupportedElementError: A species is not on the card.
            BadNumberError: An energy or a force is NaN or infinite.
            CalculationError: The inner calculator returned something else than one result a structure.
        """
        missing = {"energy", "forces"} - set(self.implemented_properties)
        if missing:
            raise PropertyNotImplementedError(f"{self.card.name}: {', '.join(sorted(missing))}")
        for atoms in frames:
            self._check_elements(atoms)
        found: list[Evaluated] = []
        for group in _groups(frames):
            if isinstance(self.inner, ManyAtOnce) and len(group) > 1:
                found += self._at_once(self.inner, group)
            else:
                found += [self._alone(atoms) for atoms in group]
        return found

    def _alone(self, atoms: Atoms) -> Evaluated:
        self.calculate(atoms, ["energy", "forces"])
        return Evaluated(energy_ev=self.results["energy"], forces_ev_per_ang=self.results["forces"].copy())

    def _at_once(self, inner: ManyAtOnce, group: list[Atoms]) -> list[Evaluated]:
        self.reset()  # what the inner one is asked next is all new to it
        self.n_evaluations += len(group)
        inside = [atoms.copy() for atoms in group]
        start = time.perf_counter()
        found = inner.evaluate_many(inside)
        self.calculation_time_s += time.perf_counter() - start
        if len(found) != len(group):
            raise CalculationError(
                f"{self.card.name} returned {len(found)} results for {len(group)} structures",
                hint="this is a defect of the plugin: 'mlpzoo check' shows it",
            )
        checked = []
        for atoms, one in zip(group, found, strict=True):
            results = {"energy": one.energy_ev, "forces": one.forces_ev_per_ang}
            good = self._checked(results, ["energy", "forces"], len(atoms))
            checked.append(Evaluated(energy_ev=good["energy"], forces_ev_per_ang=good["forces"]))
        return checked

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What differs from the structure of the stored results, exactly and in a few microseconds."""
        del tol
        old = self.atoms
        if old is None or len(old) != len(atoms):
            return list(all_changes)
        same = {
            "positions": np.array_equal(old.arrays["positions"], atoms.arrays["positions"]),
            "numbers": np.array_equal(old.arrays["numbers"], atoms.arrays["numbers"]),
            "cell": np.array_equal(old.cell.array, atoms.cell.array),
            "pbc": np.array_equal(old.pbc, atoms.pbc),
        }
        for name in ("initial_charges", "initial_magmoms"):
            mine, theirs = old.arrays.get(name), atoms.arrays.get(name)
            if mine is not None or theirs is not None:
                same[name] = mine is not None and theirs is not None and np.array_equal(mine, theirs)
        return [name for name, equal in same.items() if not equal]

    def reset(self) -> None:
        """Forget the last structure and its results."""
        super().reset()
        self.results = {}

    def _check_elements(self, atoms: Atoms) -> None:
        if not self._known:
            return
        numbers = atoms.numbers.tobytes()
        if numbers == self._checked_numbers:
            return
        unknown = sorted(set(atoms.get_chemical_symbols()) - self._known)
        if unknown:
            raise UnsupportedElementError(
                f"{self.card.name} does not know {', '.join(unknown)}; "
                f"it knows {', '.join(self.card.elements)}",
                hint="choose a model for these elements: 'mlpzoo models --elements ...'",
            )
        self._checked_numbers = numbers

    def _checked(self, found: dict[str, Any], wanted: list[str], n_atoms: int) -> dict[str, Any]:
        """The declared results, as float64, finite and of the right shape."""
        shapes = {"energy": (), "forces": (n_atoms, 3), "stress": (6,)}
        results: dict[str, Any] = {}
        for name in self.implemented_properties:
            value = found.get(name)
            if name == "free_energy" or (value is None and name not in wanted):
                continue
            array = np.asarray(value if value is not None else np.nan, dtype=float)
            if value is not None and array.size == 1 and name == "energy":
                array = array.reshape(())
            if value is None or array.shape != shapes[name]:
                shape = "nothing" if value is None else f"an array of shape {array.shape}"
                raise CalculationError(
                    f"{self.card.name} returned {shape} for the {name} of {n_atoms} atoms",
                    hint="this is a defect of the plugin: 'mlpzoo check' shows it",
                )
            if not np.isfinite(array).all():
                raise BadNumberError(
                    f"{self.card.name} returned a non-finite {name}{_where(array)} for {n_atoms} atoms",
                    hint="the structure may be outside of what the model was trained on",
                )
            results[name] = float(array) if name == "energy" else array.copy()
        if "energy" in results:
            results["free_energy"] = results["energy"]
        return results


def _groups(frames: Sequence[Atoms]) -> Iterator[list[Atoms]]:
    """Consecutive structures, together not larger than what goes into memory at once."""
    group: list[Atoms] = []
    n_atoms = 0
    for atoms in frames:
        if group and n_atoms + len(atoms) > MAX_ATOMS_AT_ONCE:
            yield group
            group, n_atoms = [], 0
        group.append(atoms)
        n_atoms += len(atoms)
    if group:
        yield group


def _where(array: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """Which atom has the first non-finite force; empty for the energy and the stress."""
    if array.ndim != 2:  # noqa: PLR2004  (forces)
        return ""
    return f" on atom {int(np.argmax(~np.isfinite(array).all(axis=1)))}"


def card_of(backend: Backend, spec: ModelSpec, inner: Calculator) -> ModelCard:
    """The card to check against: the named one, or what can be read from the user's own weights."""
    from mlpzoo.models import ModelCard

    if spec.card is not None:
        return spec.card
    describe = getattr(backend, "describe", None)
    if describe is not None:
        card: ModelCard = describe(spec)
        return card
    return ModelCard(
        name=spec.name,
        family=backend.family,
        elements=(),
        properties=tuple(p for p in PUBLIC_PROPERTIES if p in inner.implemented_properties),
    )


def build(backend: Backend, spec: ModelSpec) -> ZooCalculator:
    """The checked calculator of a model, in this process.

    Raises:
        ModelError: The weights cannot be loaded.
    """
    inner = backend.calculator(spec)
    return ZooCalculator(inner, card_of(backend, spec, inner))
