"""Energies and forces, stored: the same model must give them on every machine and release.

The structures are stored with the numbers, so that a later kit may build others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from ase import Atoms

from mlpzoo.errors import DataError
from mlpzoo.testing.structures import mixed, molecule, perturbed
from mlpzoo.testing.subject import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlpzoo.testing.subject import Subject

SCHEMA = "mlpzoo.golden/1"


class Stored(msgspec.Struct):
    """One structure and what the model said of it; eV, Å."""

    symbols: list[str]
    cell_ang: list[list[float]]
    pbc: list[bool]
    positions_ang: list[list[float]]
    energy_ev: float
    forces_ev_per_ang: list[list[float]] | None = None
    stress_ev_per_ang3: list[float] | None = None


class GoldenFile(msgspec.Struct):
    """What is in a golden file."""

    schema: str
    model: str
    dtype: str
    structures: dict[str, Stored]


def write_golden(subject: Subject, path: Path | None = None) -> Path:
    """Compute and store three small structures.

    Args:
        subject: A model in float64 that is known to be right.
        path: Where to; the place where the kit looks if None.

    Returns:
        The path.
    """
    path = path or subject.golden_file
    structures = {
        "crystal": perturbed(subject.card, "golden"),
        "mixture": mixed(subject.card, "golden"),
        "molecule": molecule(subject.card),
    }
    stored = {label: _stored(atoms, subject.evaluate(atoms)) for label, atoms in structures.items()}
    file = GoldenFile(schema=SCHEMA, model=subject.card.name, dtype=subject.dtype, structures=stored)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_one_line_each(msgspec.json.encode(file)))
    return path


def read_golden(path: Path) -> Iterator[tuple[str, Atoms, Evaluation]]:
    """Yield label, structure and stored numbers.

    Raises:
        DataError: The file is no golden file.
    """
    hint = "write it anew with mlpzoo.testing.write_golden"
    try:
        file = msgspec.json.decode(path.read_bytes(), type=GoldenFile)
    except msgspec.MsgspecError as error:
        raise DataError(f"{path}: {error}", hint=hint) from error
    if file.schema != SCHEMA or not file.structures:
        raise DataError(f"{path}: schema {file.schema!r} instead of {SCHEMA!r}", hint=hint)
    for label, item in file.structures.items():
        atoms = Atoms(item.symbols, positions=item.positions_ang, cell=item.cell_ang, pbc=item.pbc)
        forces = None if item.forces_ev_per_ang is None else np.array(item.forces_ev_per_ang)
        stress = None if item.stress_ev_per_ang3 is None else np.array(item.stress_ev_per_ang3)
        yield label, atoms, Evaluation(item.energy_ev, forces, stress)


def _one_line_each(data: bytes) -> bytes:
    """One line per structure: short, and a change of one shows as one line of a diff."""
    return data.replace(b'},"', b'},\n"').replace(b':{"', b':{\n"', 1) + b"\n"


def _stored(atoms: Atoms, evaluation: Evaluation) -> Stored:
    forces, stress = evaluation.forces, evaluation.stress
    return Stored(
        symbols=atoms.get_chemical_symbols(),
        cell_ang=atoms.cell.array.tolist(),
        pbc=atoms.pbc.tolist(),
        positions_ang=atoms.positions.tolist(),
        energy_ev=evaluation.energy,
        forces_ev_per_ang=None if forces is None else forces.tolist(),
        stress_ev_per_ang3=None if stress is None else stress.tolist(),
    )
