"""LAMMPS as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_masses, atomic_numbers

from mlpzoo_lammps.box import Box, box_of, stress_of
from mlpzoo_lammps.engine import Engine

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


class LammpsCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) of a pair style.

    As long as nothing but positions changes, and no atom by more than half a skin, neighbour lists are kept.
    Whenever ASE says that more changed (after ``reset()``, for instance), the structure is computed from
    nothing, and its results are the same to the last bit whatever was computed before.

    Args:
        name: Of the model, for messages.
        commands: Its ``labelmap``, ``pair_style`` and ``pair_coeff`` lines.
        elements: Chemical symbol of each atom type.

    Raises:
        ModelError: LAMMPS refuses the potential.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, name: str, commands: Sequence[str], elements: Sequence[str]) -> None:
        super().__init__()
        self._open = (name, tuple(commands), [float(atomic_masses[atomic_numbers[s]]) for s in elements])
        self._engine: Engine | None = Engine(*self._open)
        self._types = np.zeros(len(atomic_numbers) + 1, dtype=int)
        for number, symbol in enumerate(elements, start=1):
            self._types[atomic_numbers[symbol]] = number
        self._last: Any = None
        self._box: Box | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All properties at once; the stress only of structures with three lattice vectors.

        Raises:
            ValueError: An element has no atom type.
            CalculationError: LAMMPS cannot compute the structure.
        """
        super().calculate(atoms, properties, system_changes)
        structure: Any = self.atoms
        types = self._types[structure.numbers]
        if not types.all():
            unknown = sorted(set(structure.symbols[types == 0]))
            raise ValueError(f"no atom type for {', '.join(unknown)}")
        try:
            if self._engine is None:
                self._engine = Engine(*self._open)
            move = self._move(structure, system_changes)
            if move is not None:
                self._engine.compute_moved(move)
            else:
                self._compute_new(self._engine, structure, types)
            self._collect(self._engine, structure)
        except BaseException:
            self._forget()
            raise

    def _move(self, structure: Any, system_changes: Sequence[str]) -> FloatArray | None:
        """Displacements in LAMMPS's frame since the neighbour lists were made; None if they are of no use."""
        if self._last is None or self._box is None or set(system_changes) - {"positions"}:
            return None
        last, box, engine = self._last, self._box, self._engine
        same = (
            np.array_equal(last.numbers, structure.numbers)
            and np.array_equal(last.cell.array, structure.cell.array)
            and np.array_equal(last.pbc, structure.pbc)
        )
        if not same or engine is None:
            return None
        move: FloatArray = (structure.positions - last.positions) @ box.rotation
        if not engine.holds_after(move) or not box.is_within_walls(box.inside(structure.positions)):
            return None
        return move

    def _compute_new(self, engine: Engine, structure: Any, types: Any) -> None:
        self._last = None
        box = box_of(structure)
        engine.compute_new(box, box.wrapped(box.inside(structure.positions)), types.tolist())
        self._box, self._last = box, structure

    def _collect(self, engine: Engine, structure: Any) -> None:
        box = self._box
        assert box is not None  # noqa: S101  (for the type checker)
        energy = engine.energy_ev
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": engine.forces @ box.rotation.T,
        }
        if structure.cell.rank == 3:  # noqa: PLR2004
            self.results["stress"] = stress_of(engine.pressure, box, structure.cell.volume)

    def _forget(self) -> None:
        """After an error LAMMPS is opened anew: what state it is in is not known."""
        self._last = None
        if self._engine is not None:
            self._engine.close()
            self._engine = None
