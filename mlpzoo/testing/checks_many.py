"""The promise about several structures in one call: nothing is mixed up between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.physics.evaluate import ManyAtOnce
from mlpzoo.testing.report import Check, NotApplicableError, require
from mlpzoo.testing.structures import boxed, isolated, mixed, molecule, perturbed, primitive_pair
from mlpzoo.testing.subject import Evaluation
from mlpzoo.testing.tolerances import MANY

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.testing.subject import Subject


def many_at_once_as_one_by_one(subject: Subject) -> None:
    """Structures that differ in size, species, cell and periodicity, twice in another order."""
    calculator = subject.shared
    if not isinstance(calculator.inner, ManyAtOnce):
        raise NotApplicableError("the calculator has no evaluate_many")
    card = subject.card
    candidates = [
        mixed(card, "many"),
        perturbed(card, "many"),
        molecule(card),
        mixed(card, "many larger").repeat((2, 1, 1)),
        isolated(card),
        boxed(molecule(card), 9.0, pbc=False),
        primitive_pair(card),
    ]
    frames, expected = [], []
    for atoms in candidates:
        evaluation = _alone(subject, atoms)
        if evaluation is not None:
            frames.append(atoms)
            expected.append(evaluation)
    for shift in (0, 1):
        order = np.roll(np.arange(len(frames)), shift)
        given = [frames[i].copy() for i in order]
        found = calculator.evaluate_many(given)
        require(len(found) == len(given), f"{len(found)} results for {len(given)} structures")
        for position, (i, one) in enumerate(zip(order, found, strict=True)):
            what = f"structure {position + 1} of {len(given)} at once instead of alone"
            here = Evaluation(one.energy_ev, one.forces_ev_per_ang)
            subject.require_equal(here, expected[i], what, MANY[subject.dtype])
            require(given[position] == frames[i], f"{what}: the atoms were changed")
    again = Evaluation(float(calculator.get_property("energy", frames[0])))
    subject.require_equal(again, expected[0], "one structure after several at once", MANY[subject.dtype])


def _alone(subject: Subject, atoms: Atoms) -> Evaluation | None:
    """None if the model cannot evaluate it: another check says so."""
    try:
        return subject.evaluate(atoms, properties=["energy", "forces"])
    except Exception:  # noqa: BLE001  (a stranger's code)
        return None


CHECKS = (
    Check(
        name="many-at-once",
        promise="evaluate_many gives what one structure after the other gives",
        function=many_at_once_as_one_by_one,
        needs=("energy", "forces"),
    ),
)
