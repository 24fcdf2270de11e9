"""Ground-state crystals of the elements and how hard they are: the scale that units must meet."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii, reference_states

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.models import ModelCard

BULK_MODULUS_GPA: Final = {
    "Si": 98.8, "Cu": 137.0, "Al": 72.2, "Fe": 168.3, "W": 323.2, "Ni": 186.0, "Mg": 35.4,
    "Ti": 105.1, "C": 443.0, "Ge": 77.2, "Li": 11.6, "Na": 6.8, "K": 3.2, "Be": 100.3,
    "Ca": 15.2, "Sr": 11.6, "Ba": 10.3, "V": 161.9, "Cr": 190.1, "Nb": 170.2, "Mo": 272.5,
    "Ta": 200.0, "Co": 191.4, "Zr": 83.3, "Hf": 109.0, "Ru": 320.8, "Re": 372.0, "Os": 418.0,
    "Rh": 270.4, "Ir": 355.0, "Pd": 180.8, "Pt": 278.3, "Ag": 100.7, "Au": 173.2, "Pb": 43.0,
    "Ne": 1.1, "Ar": 2.7, "Kr": 3.5, "Xe": 3.6,
}  # fmt: skip
"""Experiment, GPa: C. Kittel, Introduction to Solid State Physics, 8th ed. (2005), chapter 3, table 3;
rare gases: N. W. Ashcroft and N. D. Mermin, Solid State Physics (1976), table 20.4.  The order is the one
in which structures are made from a card of many elements.  Structures and lattice constants come with ASE
(``ase.data.reference_states``, from Ashcroft and Mermin)."""

FALLBACK: Final = ("Si", "Cu", "Al")
"""Elements to try for a card that names none."""


def known_crystals(card: ModelCard) -> list[str]:
    """Elements of the card whose crystal and bulk modulus are in the table, in the table's order."""
    return [symbol for symbol in BULK_MODULUS_GPA if symbol in card.elements]


def species(card: ModelCard, at_most: int = 2) -> list[str]:
    """The elements that test structures are made of: those with a known crystal first."""
    elements = card.elements or FALLBACK
    known = [symbol for symbol in BULK_MODULUS_GPA if symbol in elements]
    return (known + [symbol for symbol in elements if symbol not in known])[:at_most]


@cache
def spacing(symbol: str) -> float:
    """Distance of nearest neighbours (Å): of the crystal, or from covalent radii."""
    if symbol in BULK_MODULUS_GPA:
        pair = crystal(symbol).repeat(3)
        distances = pair.get_distances(len(pair) // 2, range(len(pair)), mic=True)
        return float(np.min(distances[distances > 0.1]))  # noqa: PLR2004
    return 2.3 * float(covalent_radii[atomic_numbers[symbol]])


def crystal(symbol: str, *, conventional: bool = False) -> Atoms:
    """The ground-state crystal, primitive or with four or eight atoms.

    Elements without a known one are made fcc.
    """
    if symbol not in BULK_MODULUS_GPA:
        return bulk(symbol, "fcc", a=2**0.5 * spacing(symbol), cubic=conventional)
    state: Any = reference_states[atomic_numbers[symbol]]
    symmetry = state["symmetry"]
    if not conventional:
        return bulk(symbol)
    if symmetry == "hcp":
        return bulk(symbol, orthorhombic=True)
    atoms = bulk(symbol, cubic=True)
    return atoms.repeat((2, 1, 1)) if symmetry == "bcc" else atoms
