"""Lennard-Jones solids of one element: rare gases and fcc metals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlpzoo.errors import UsageError
from mlpzoo.models import ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec

RARE_GASES: Final = {  # epsilon (eV), sigma (Å)
    "Ar": (0.0104, 3.40),
    "Kr": (0.0140, 3.65),
    "Ne": (0.0031, 2.74),
    "Xe": (0.0200, 3.98),
}
METALS: Final = {  # epsilon (kcal/mol), position of the minimum 2^(1/6) sigma (Å)
    "Ag": (4.56, 2.955),
    "Al": (4.02, 2.925),
    "Au": (5.29, 2.951),
    "Cu": (4.72, 2.616),
    "Ni": (5.65, 2.552),
    "Pb": (2.93, 3.565),
    "Pd": (6.15, 2.819),
    "Pt": (7.80, 2.845),
}
ONSET_SIGMA: Final = 3.0
CUTOFF_SIGMA: Final = 4.0


class LennardJonesBackend:
    """The family ``lj``: one card per element, because no mixing rule is published with the numbers."""

    family: Final = "lj"
    requires: Final = ()
    lock_file: Final = None

    def cards(self) -> tuple[ModelCard, ...]:
        """One card per element; argon is the default."""
        return tuple(_card(symbol) for symbol in (*RARE_GASES, *METALS))

    def calculator(self, spec: ModelSpec) -> Calculator:
        """ASE's Lennard-Jones with its smooth cutoff.

        Raises:
            UsageError: A path was given.
        """
        if spec.path is not None or spec.card is None:
            raise UsageError("lj reads no files", hint="use a card: 'mlpzoo models lj/*'")
        from ase.calculators.lj import LennardJones
        from ase.units import kcal, mol

        (symbol,) = spec.card.elements
        is_metal = symbol in METALS
        epsilon = METALS[symbol][0] * kcal / mol if is_metal else RARE_GASES[symbol][0]
        sigma = _sigma(symbol)
        return LennardJones(
            epsilon=epsilon, sigma=sigma, rc=CUTOFF_SIGMA * sigma, ro=ONSET_SIGMA * sigma, smooth=True
        )


def _sigma(symbol: str) -> float:
    """Where the pair energy is zero (Å)."""
    if symbol in METALS:
        return METALS[symbol][1] / float(2 ** (1 / 6))
    return RARE_GASES[symbol][1]


def _card(symbol: str) -> ModelCard:
    is_metal = symbol in METALS
    return ModelCard(
        name=f"lj/{symbol.lower()}",
        family="lj",
        title=f"Lennard-Jones {symbol}",
        elements=(symbol,),
        properties=("energy", "forces", "stress"),
        cutoff_ang=CUTOFF_SIGMA * _sigma(symbol),
        level_of_theory="empirical",
        training_set="density and surface tension" if is_metal else "properties of the dilute gas",
        licence="LGPL-2.1-or-later (ASE)",
        citation="10.1021/jp801931d"
        if is_metal
        else "10.1103/PhysRev.112.1534; Ashcroft & Mermin, Solid State Physics (1976), table 20.1",
        notes=f"Switched off smoothly between {ONSET_SIGMA:g} and {CUTOFF_SIGMA:g} sigma, so that forces are "
        "continuous. A pair potential: no Cauchy pressure, and vacancies cost about as much as cohesion. "
        "Always float64.",
    )
