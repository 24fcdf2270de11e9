"""Promises about state: nothing is remembered that should not be, nothing is touched, nothing is random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import all_changes
from ase.constraints import FixAtoms

from mlpzoo.testing.crystals import species
from mlpzoo.testing.process import changes_of_process, output_of
from mlpzoo.testing.report import Check, require
from mlpzoo.testing.structures import mixed, perturbed
from mlpzoo.testing.subject import Evaluation
from mlpzoo.testing.tolerances import REPEAT

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.testing.subject import Subject


def no_state_between_structures(subject: Subject) -> None:
    """One calculator goes from A to B, which differs in one thing only; another comes from elsewhere."""
    base = mixed(subject.card, "state")
    elsewhere = perturbed(subject.card, "elsewhere").repeat((2, 1, 1))
    one, other = subject.shared, subject.other
    first = _as_users_do(subject, base, one)
    for what, atoms in _changed_in_one_thing(subject, base).items():
        from_base = _as_users_do(subject, atoms, one)
        _as_users_do(subject, elsewhere, other)
        from_elsewhere = _as_users_do(subject, atoms, other)
        subject.require_equal(from_base, from_elsewhere, f"only the {what} changed since the last call")
        again = _as_users_do(subject, base, one)
        subject.require_equal(again, first, f"back to the first structure after other {what}")


def shared_by_structures(subject: Subject) -> None:
    """Two structures share a calculator and ask in turn, one property at a time."""
    a, b = mixed(subject.card, "share a"), mixed(subject.card, "share b")
    expected = [subject.evaluate(a), subject.evaluate(b)]
    a.calc = b.calc = subject.shared
    energies = [a.get_potential_energy()]
    forces = [None, None]
    if "forces" in subject.card.properties:
        forces = [b.get_forces(), a.get_forces()][::-1]
    energies.append(b.get_potential_energy())
    again = a.get_potential_energy()
    require(again == energies[0], "the energy of one structure changed by asking for another")
    for energy, force, reference in zip(energies, forces, expected, strict=True):
        subject.require_equal(Evaluation(energy, force), reference, "two structures share one calculator")


def atoms_untouched(subject: Subject) -> None:
    """What the framework's calculator is given comes back as it was, to the last bit."""
    atoms = _annotated(mixed(subject.card, "untouched"))
    atoms.positions[0] -= 2 * atoms.cell[0]
    before = atoms.copy()
    try:
        subject.shared.inner.calculate(atoms, subject.properties_of(atoms), list(all_changes))
    finally:
        subject.shared.reset()  # it must not think that the framework saw what it saw
    for name in ("positions", "numbers", "cell", "pbc"):
        same = np.array_equal(np.asarray(getattr(before, name)), np.asarray(getattr(atoms, name)))
        require(same, f"the calculator changed the {name} of the atoms that it was given")
    require(before.info == atoms.info, "the calculator changed atoms.info")
    require(before.arrays.keys() == atoms.arrays.keys(), "the calculator added or removed atoms.arrays")
    for name, array in before.arrays.items():
        require(np.array_equal(array, atoms.arrays[name]), f"the calculator changed atoms.arrays[{name!r}]")
    kept = [c.todict() for c in before.constraints] == [c.todict() for c in atoms.constraints]
    require(kept, "the calculator changed the constraints")
    require(atoms.calc is None, "the calculator attached itself to the atoms")


def annotations_ignored(subject: Subject) -> None:
    """Constraints, tags, velocities and notes are not physics: results are the same without them."""
    atoms = mixed(subject.card, "annotations")
    found = subject.evaluate(_annotated(atoms))
    subject.require_equal(found, subject.evaluate(atoms), "constraints, tags, momenta and info added")


def deterministic(subject: Subject) -> None:
    """The same structure again, after another one, and on another calculator."""
    atoms = mixed(subject.card, "repeat")
    allowed = REPEAT[subject.dtype]
    first = subject.evaluate(atoms)
    subject.require_equal(subject.evaluate(atoms), first, "the same structure twice", allowed)
    subject.evaluate(perturbed(subject.card, "other"))
    subject.require_equal(subject.evaluate(atoms), first, "the same structure after another", allowed)
    fresh = subject.evaluate(atoms, calculator=subject.other)
    subject.require_equal(fresh, first, "the same structure on another calculator", allowed)


def global_state(subject: Subject) -> None:
    """Building and calling leaves the process as it was (imports, done before, are not looked at)."""
    atoms = mixed(subject.card, "process")
    subject.evaluate(atoms)

    def build_and_call() -> None:
        subject.evaluate(atoms, calculator=subject.calculator())

    changed = changes_of_process(build_and_call, dtype=subject.dtype)
    require(not changed, f"building and calling the model changed {', '.join(changed)}")


def quiet(subject: Subject) -> None:
    """A call of a calculator that has been called before: a line a step would flood an MD run."""
    calculator = subject.shared
    subject.evaluate(perturbed(subject.card, "quiet"), calculator=calculator)
    atoms = mixed(subject.card, "quiet")
    text = output_of(lambda: subject.evaluate(atoms, calculator=calculator))
    require(not text, f"a force call printed {text[:80]!r}")


def _changed_in_one_thing(subject: Subject, base: Atoms) -> dict[str, Atoms]:
    changed = {name: base.copy() for name in ("positions", "cell", "pbc")}
    changed["positions"].rattle(0.1, rng=np.random.RandomState(3))
    changed["cell"].cell[:] = base.cell.array @ (np.eye(3) + 0.02 * np.triu(np.ones((3, 3))))
    changed["pbc"].pbc = (True, True, False)
    if len(species(subject.card)) > 1:
        changed["species"] = base.copy()
        changed["species"].symbols[:] = list(base.symbols)[::-1]
    changed["number of atoms"] = base[:-1]
    return changed


def _as_users_do(subject: Subject, atoms: Atoms, calculator: ZooCalculator) -> Evaluation:
    """Through ``atoms.get_...()``, caches and all."""
    mine = atoms.copy()
    mine.calc = calculator
    energy = float(mine.get_potential_energy())
    wanted = subject.properties_of(mine)
    forces = mine.get_forces() if "forces" in wanted else None
    stress = mine.get_stress() if "stress" in wanted else None
    return Evaluation(energy, forces, stress)


def _annotated(atoms: Atoms) -> Atoms:
    """The atoms with everything on them that says nothing about their energy."""
    result: Atoms = atoms.copy()
    result.set_constraint(FixAtoms([0]))
    result.set_tags(range(len(atoms)))
    result.set_momenta(np.full((len(atoms), 3), 0.1))
    result.set_array("note", np.arange(len(atoms)) * 0.5)
    result.info.update(config_type="kit", ref_energy=1.0)
    return result


CHECKS = (
    Check(
        name="no-state",
        promise="results depend on the structure, not on what was computed before",
        function=no_state_between_structures,
    ),
    Check(
        name="shared-calculator",
        promise="several structures can share one calculator",
        function=shared_by_structures,
    ),
    Check(
        name="atoms-untouched",
        promise="the calculator leaves the atoms that it is given alone",
        function=atoms_untouched,
    ),
    Check(
        name="annotations",
        promise="constraints, tags, velocities and info do not change the results",
        function=annotations_ignored,
    ),
    Check(
        name="deterministic",
        promise="the same structure gives the same numbers again",
        function=deterministic,
    ),
    Check(
        name="global-state",
        promise="building and calling leaves the process alone",
        function=global_state,
    ),
    Check(
        name="quiet",
        promise="a force call prints nothing",
        function=quiet,
    ),
)
