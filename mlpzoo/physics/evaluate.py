"""Energies and forces of many structures at once, where the calculator can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

Progress = Callable[[int, int, str], None]
"""``progress(done, total, what)``."""


def nothing(done: int, total: int, what: str) -> None:
    """Progress for nobody."""
    del done, total, what


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """Energy in eV and forces in eV/Å, shape (n_atoms, 3), of one structure."""

    energy_ev: float
    forces_ev_per_ang: NDArray[np.float64]


def taken_apart(
    energies_ev: NDArray[np.floating], forces_ev_per_ang: NDArray[np.floating], n_atoms: Sequence[int]
) -> list[Evaluated]:
    """Of each structure what a model said of all of them in one call; for `ManyAtOnce`.

    Args:
        energies_ev: One for each structure, in any shape.
        forces_ev_per_ang: Of all atoms, structure after structure, shape (sum of n_atoms, 3).
        n_atoms: Of each structure.
    """
    each = np.split(forces_ev_per_ang, np.cumsum(n_atoms)[:-1])
    return [
        Evaluated(energy_ev=float(energy), forces_ev_per_ang=forces.astype(float))
        for energy, forces in zip(energies_ev.ravel(), each, strict=True)
    ]


@runtime_checkable
class ManyAtOnce(Protocol):
    """A calculator that takes several structures in one call."""

    def evaluate_many(self, frames: Sequence[Atoms]) -> list[Evaluated]:
        """Energy and forces of each structure, in their order."""


def evaluate_many(calculator: Calculator, frames: Sequence[Atoms]) -> list[Evaluated]:
    """Energy and forces of each structure: in one call where the calculator can, else one after the other.

    Structures may differ in species, number of atoms and cell; they are not changed.
    """
    if isinstance(calculator, ManyAtOnce):
        return calculator.evaluate_many(frames)
    found = []
    for atoms in frames:
        forces = cast("NDArray[np.float64]", calculator.get_property("forces", atoms))
        energy = calculator.get_property("energy", atoms)
        found.append(
            Evaluated(energy_ev=float(energy), forces_ev_per_ang=np.array(forces, dtype=float, copy=True))
        )
    return found
