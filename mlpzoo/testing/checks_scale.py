"""Promises about physical scale: consistent unit errors pass every other test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.testing.crystals import BULK_MODULUS_GPA, crystal, known_crystals
from mlpzoo.testing.golden import read_golden
from mlpzoo.testing.report import Check, NotApplicableError, require
from mlpzoo.testing.tolerances import GOLDEN
from mlpzoo.units import EV_PER_ANG3_IN_GPA

if TYPE_CHECKING:
    from mlpzoo.testing.subject import Subject

MAX_ELEMENTS = 2
STEP = 0.02
FARTHEST = 0.25
ALLOWED_RATIO = 3.0
ALLOWED_MISFIT = 0.10


def lattice_constant(subject: Subject) -> None:
    """The energy of the ground-state crystal has its minimum within 10 % of the measured lattice constant.

    A model that was trained on compounds only may break this for their elements: its author lists it in
    `BackendConformance.known_failures`.
    """
    for symbol in _crystals(subject):
        scale = _scale_at_minimum(subject, symbol)
        require(scale, f"the energy of {symbol} has no minimum near the measured lattice constant")
        require(
            abs(scale - 1) <= ALLOWED_MISFIT,
            f"the lattice constant of {symbol} is {scale:.3f} of the measured one: wrong units?",
        )


def bulk_modulus(subject: Subject) -> None:
    """Within a factor of 3 of experiment: 27.2 (Hartree), 23.06 (kcal/mol) and 96.5 (kJ/mol) are far off.

    B = V E''(V) at the minimum, which is E''(s) / 9V for V ~ s^3.
    """
    for symbol in _crystals(subject):
        scale = _scale_at_minimum(subject, symbol)
        if not scale:
            raise NotApplicableError(f"{symbol} has no minimum; see the check 'lattice-constant'")
        energies = [_energy(subject, symbol, scale + 0.5 * STEP * i) for i in range(-2, 3)]
        curvature = float(np.dot([-1, 16, -30, 16, -1], energies)) / (12 * (0.5 * STEP) ** 2)
        per_volume = curvature / (9 * scale * crystal(symbol).get_volume())
        found, measured = per_volume * EV_PER_ANG3_IN_GPA, BULK_MODULUS_GPA[symbol]
        require(
            1 / ALLOWED_RATIO < found / measured < ALLOWED_RATIO,
            f"the bulk modulus of {symbol} is {found:.3g} GPa, measured {measured:g}: wrong units?",
        )


def golden(subject: Subject) -> None:
    """Energies and forces are those that the plugin's author stored."""
    if subject.random:
        raise NotApplicableError("its weights are random: there is nothing to store")
    path = subject.golden_file
    if not path.is_file():
        raise NotApplicableError(f"no golden/{path.name}; see mlpzoo.testing.write_golden")
    for label, atoms, expected in read_golden(path):
        subject.require_equal(subject.evaluate(atoms), expected, label, GOLDEN[subject.dtype])


def _crystals(subject: Subject) -> list[str]:
    if subject.random:
        raise NotApplicableError("its weights are random: there is no crystal to compare")
    if not subject.card.elements:
        raise NotApplicableError("the card names no elements")
    found = known_crystals(subject.card)[:MAX_ELEMENTS]
    if not found:
        raise NotApplicableError("no element of the card has a simple crystal with a known bulk modulus")
    return found


def _energy(subject: Subject, symbol: str, scale: float) -> float:
    """Energy of the primitive cell with its measured lattice constants scaled (eV)."""
    atoms = crystal(symbol)
    atoms.set_cell(scale * atoms.cell.array, scale_atoms=True)
    return subject.energy(atoms)


def _scale_at_minimum(subject: Subject, symbol: str) -> float:
    """Lattice constant at the nearest minimum of the energy over the measured one; 0 if there is none.

    Walks downhill from the measured one: an MLIP may have nonsense minima far away.
    """
    energies = {i: _energy(subject, symbol, 1 + i * STEP) for i in (-1, 0, 1)}
    at = min(energies, key=lambda i: energies[i])
    while abs(at) * STEP < FARTHEST:
        for i in (at - 1, at + 1):
            if i not in energies:
                energies[i] = _energy(subject, symbol, 1 + i * STEP)
        lowest = min((at - 1, at, at + 1), key=lambda i: energies[i])
        if lowest == at:
            left, middle, right = (energies[at + i] for i in (-1, 0, 1))
            return 1 + STEP * (at + 0.5 * (left - right) / (left - 2 * middle + right))
        at = lowest
    return 0.0


CHECKS = (
    Check(
        name="lattice-constant",
        promise="a ground-state crystal has a lattice constant within 10 % of experiment",
        function=lattice_constant,
    ),
    Check(
        name="bulk-modulus",
        promise="its bulk modulus is within a factor of 3 of experiment: the units are right",
        function=bulk_modulus,
    ),
    Check(
        name="golden",
        promise="energies and forces are those that the author stored",
        function=golden,
    ),
)
