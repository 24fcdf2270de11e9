"""Promises about the card: what it says is there, and what it does not say is refused."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.data import chemical_symbols

from mlpzoo.calculator import PUBLIC_PROPERTIES
from mlpzoo.errors import ModelError, UnsupportedElementError, UsageError
from mlpzoo.testing.report import BrokenPromiseError, Check, NotApplicableError, require
from mlpzoo.testing.structures import generator, mixed, perturbed
from mlpzoo.testing.tolerances import SYMMETRY

if TYPE_CHECKING:
    from mlpzoo.testing.subject import FloatArray, Subject

STRANGERS = ("Og", "He", "U", "Xe", "Fe")
"""Elements to try that a model may not know."""

SAMPLE = ("H", "O", "Fe", "Xe", "Gd", "U", "Lr")
"""Elements to try on a model that claims to know all."""


def card_is_complete(subject: Subject) -> None:
    """Everything that a reader of a table needs; nothing that cannot be true."""
    card = subject.card
    wrong = [e for e in card.elements if e not in chemical_symbols[1:]]
    require(not wrong, f"the card lists {', '.join(wrong)}: no chemical symbol")
    require(len(set(card.elements)) == len(card.elements), "the card lists an element twice")
    unknown = sorted(set(card.properties) - set(PUBLIC_PROPERTIES))
    require(not unknown, f"the card declares {', '.join(unknown)}; known are {', '.join(PUBLIC_PROPERTIES)}")
    require("energy" in card.properties, "the card does not declare the energy")
    require(card.cutoff_ang >= 0 and math.isfinite(card.cutoff_ang), "the cutoff is negative or not finite")
    if subject.spec.card is None:
        return
    missing = [n for n in ("title", "licence", "citation", "level_of_theory") if not getattr(card, n)]
    require(not missing, f"the card has no {', '.join(missing)}")
    if card.checkpoint is not None and (card.checkpoint.sha256 or not card.checkpoint.url):
        digest = card.checkpoint.sha256
        require(re.fullmatch("[0-9a-f]{64}", digest), f"{digest!r} is no sha256 of the weights")


def properties_as_declared(subject: Subject) -> None:
    """Each declared property can be asked for alone; any other raises ASE's error."""
    calculator = subject.shared
    for name in PUBLIC_PROPERTIES:
        atoms = mixed(subject.card, f"only {name}")
        if name not in subject.card.properties:
            require(_is_refused(subject, name), f"{name} is not declared, but asking for it raises no error")
            continue
        value = np.asarray(calculator.get_property(name, atoms))
        shape = {"energy": (), "forces": (len(atoms), 3), "stress": (6,)}[name]
        require(value.shape == shape, f"{name} has the shape {value.shape} instead of {shape}")
        require(value.dtype == np.float64, f"{name} is {value.dtype} instead of float64")
        require(np.isfinite(value).all(), f"{name} is not finite")
    require(_is_refused(subject, "dipole"), "a dipole is delivered, which no card declares")


def elements_as_declared(subject: Subject) -> None:
    """A dimer of every element on the card: finite, and no two alike."""
    if not subject.card.elements:
        raise NotApplicableError("the card names no elements; see the check 'unknown-element'")
    _require_distinct(subject, subject.card.elements)


def unknown_elements_refused(subject: Subject) -> None:
    """An element that is not on the card is named in the error; a card without a list knows them all."""
    card = subject.card
    if not card.elements:
        _require_distinct(subject, SAMPLE)
        return
    stranger = next((e for e in STRANGERS if e not in card.elements), "")
    if not stranger:
        raise NotApplicableError("the card lists every element that could be tried")
    known = mixed(card, "stranger")
    expected = subject.energy(known)
    atoms = known.copy()
    atoms.symbols[len(atoms) // 2] = stranger
    try:
        energy = subject.energy(atoms)
    except UnsupportedElementError as error:
        require(re.search(rf"\b{stranger}\b", str(error)), f"the error does not name {stranger}: {error}")
    else:
        raise BrokenPromiseError(f"{stranger} is not on the card but has the energy {energy:g} eV")
    again = subject.energy(known)
    require(abs(again - expected) < SYMMETRY[subject.dtype].energy_ev, "the energy changed after the error")


def float64_is_float64(subject: Subject) -> None:
    """Energy and forces are smooth on a scale of 1e-6 Å, which float32 cannot resolve.

    Nine points 1e-6 Å apart lie on a parabola to 1e-12 relative in float64 (100 roundings of 1e-16, and
    noise of sums); rounding a position, an energy or a force to float32 leaves 3e-8.
    """
    if subject.dtype != "float64":
        raise NotApplicableError("float32 was asked for")
    atoms = perturbed(subject.card, "smooth")
    direction = generator("smooth").normal(size=(len(atoms), 3))
    energies, forces = [], []
    for step in range(-4, 5):
        moved = atoms.copy()
        moved.positions += 1e-6 * step * direction
        evaluation = subject.evaluate(moved)
        energies.append(evaluation.energy)
        forces.append(np.zeros(3) if evaluation.forces is None else evaluation.forces.ravel())
    noise = _roughness(np.array(energies)[:, None])
    allowed = 1e-10 * (abs(energies[0]) + 0.1 * len(atoms))
    require(noise <= allowed, f"the energy is rough: {noise:.2g} eV over 1e-6 Å (allowed {allowed:.2g})")
    noise = _roughness(np.array(forces))
    allowed = 1e-9 * float(np.abs(forces).max()) + 1e-12
    require(noise <= allowed, f"the forces are rough: {noise:.2g} eV/Å (allowed {allowed:.2g})")


def float32_agrees(subject: Subject) -> None:
    """A float32 calculator agrees with the float64 one, and is another, unless the card's notes say why."""
    if subject.dtype != "float64":
        raise NotApplicableError("float32 was asked for")
    atoms = mixed(subject.card, "precision")
    other = subject.with_dtype("float32")
    try:
        calculator = other.calculator()
    except (ModelError, UsageError) as error:
        raise NotApplicableError(f"no float32: {error.message}") from error
    expected, found = subject.evaluate(atoms), other.evaluate(atoms, calculator=calculator)
    other.require_equal(found, expected, "float32 instead of float64")
    same = found.energy == expected.energy and np.array_equal(
        np.asarray(found.forces), np.asarray(expected.forces)
    )
    require(
        not same or "float64" in subject.card.notes,
        "float32 gives the bits of float64: say 'always float64' in the card's notes, or honour it",
    )


def _is_refused(subject: Subject, name: str) -> bool:
    try:
        subject.shared.get_property(name, mixed(subject.card, f"not {name}"))
    except PropertyNotImplementedError:
        return True
    return False


def _require_distinct(subject: Subject, symbols: tuple[str, ...]) -> None:
    """Dimers of 2 Å: energies that are equal to the last bit betray one element taken for another."""
    seen: dict[float, str] = {}
    for symbol in symbols:
        try:
            energy = subject.energy(Atoms([symbol] * 2, positions=[[0, 0, 0], [0, 0, 2.0]]))
        except Exception as error:
            raise BrokenPromiseError(f"{symbol} is on the card but fails: {error}") from error
        if energy != 0:
            require(energy not in seen, f"{symbol} has the energy of {seen.get(energy)}: {energy!r} eV")
            seen[energy] = symbol


def _roughness(values: FloatArray) -> float:
    """Largest distance of nine equidistant samples from a parabola, over all columns."""
    x = np.arange(-4.0, 5.0) / 4
    basis = np.linalg.qr(np.stack([np.ones(9), x, x**2], axis=1))[0]
    centred = values - values[4]
    return float(np.abs(centred - basis @ (basis.T @ centred)).max())


CHECKS = (
    Check(
        name="card",
        promise="the card is complete: elements, properties, licence, citation, level of theory",
        function=card_is_complete,
    ),
    Check(
        name="properties",
        promise="every declared property can be asked for alone, any other is refused",
        function=properties_as_declared,
    ),
    Check(
        name="elements",
        promise="every element on the card works and none is taken for another",
        function=elements_as_declared,
    ),
    Check(
        name="unknown-element",
        promise="an element that is not on the card is refused by name",
        function=unknown_elements_refused,
    ),
    Check(
        name="float64",
        promise="float64 is float64: energies and forces are smooth on a scale of 1e-6 Å",
        function=float64_is_float64,
    ),
    Check(
        name="float32",
        promise="float32, if offered, agrees with float64",
        function=float32_agrees,
    ),
)
