"""Quantum ESPRESSO as an ASE calculator that never computes a structure twice.

Every converged calculation is a file named by the hash of its structure and settings. A benchmark that is run
with this calculator can be interrupted at any time: run again, it walks through the stored calculations
in an instant and goes on with the next one.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from mlpzoo.data.engines import DftOutput
from mlpzoo.data.espresso_engine import K_LENGTH_ANG
from mlpzoo.data.pw_level import PwLevel
from mlpzoo.errors import DataError
from mlpzoo.files import write_atomically

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.data.espresso_engine import PwEngine

SMALL_CELL_ATOMS: Final = 16
EMPTY_BANDS: Final = 1.06
VALENCE: Final = {"Si": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was spent since the calculator was made: new calculations, those found on disk, CPU seconds."""

    computed: int = 0
    found: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A file of the store."""

    output: DftOutput
    settings: dict[str, Any]
    pseudopotentials: dict[str, dict[str, str]] = field(default_factory=dict)


def level_for(atoms: Atoms) -> PwLevel:
    """The settings of the silicon labels for a cell of any size: cutoff, smearing, density of k-points.

    Symmetry is used: it changes the cost, not the numbers. Small cells converge further, because their
    energies are compared per atom, and give the stress.

    Raises:
        DataError: An element whose number of valence electrons is not known.
    """
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(VALENCE))
    if unknown:
        raise DataError(
            f"no DFT settings are known for {', '.join(unknown)}", hint=f"they are for {', '.join(VALENCE)}"
        )
    lengths = atoms.cell.lengths()
    mesh = tuple(max(1, round(K_LENGTH_ANG / float(length))) for length in lengths)
    occupied = sum(VALENCE[symbol] for symbol in atoms.get_chemical_symbols()) / 2
    small = len(atoms) <= SMALL_CELL_ATOMS
    return PwLevel(
        level="k-density",
        title="QE PBE, k-points as in the 2x2x2 mesh of 64 atoms",
        kmesh=(mesh[0], mesh[1], mesh[2]),
        n_bands=max(math.ceil(EMPTY_BANDS * occupied), math.ceil(occupied) + 4),
        conv_thr_ry=1e-9 if small else 1e-7,
        mixing_beta=0.7,
        symmetry=True,
        stress=small,
        keep_density=True,
    )


def _description(record: _Record) -> str:
    """Cutoff, k-points and pseudopotentials in a few words."""
    settings = record.settings
    mesh = "x".join(map(str, settings["kmesh"])) if settings["kmesh"] != "gamma" else "Γ"
    files = ", ".join(f"{p['file']} (sha256 {p['sha256'][:12]})" for p in record.pseudopotentials.values())
    return f"{settings['ecutwfc_ry']:g} Ry, k-mesh {mesh} shifted, {files}"


class PwCalculator(Calculator):
    """Energies, forces and stresses by `pw.x`, or from the store.

    Args:
        engine: Where the program is.
        directory: The store; several processes may share it.
        level: Settings of a structure.
        told: Told of every new calculation, in a few words.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  (ASE's declaration)

    def __init__(
        self,
        engine: PwEngine,
        directory: Path,
        *,
        level: Callable[[Atoms], PwLevel] = level_for,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.store = directory
        self.level = level
        self.told = told
        self.costs = Costs()
        self.code = ""
        self.description = ""
        self._cell = b""
        directory.mkdir(parents=True, exist_ok=True)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Find or compute.

        Raises:
            CalculationError: `pw.x` did not converge or finish.
            EnvError: The program or a pseudopotential is missing.
        """
        del system_changes
        atoms = self.atoms if atoms is None else atoms
        assert atoms is not None  # noqa: S101  (ASE's contract; for the type checker)
        self.atoms = atoms = atoms.copy()
        level = self.level(atoms)
        if "stress" in properties:
            level = replace(level, stress=True)
        record = self._find(atoms, level)
        if record is None:
            record = self._compute(atoms, level)
        else:
            self.costs = replace(self.costs, found=self.costs.found + 1)
        output = record.output
        self.code = output.code
        self.description = _description(record)
        self.results = {
            "energy": output.energy_ev,
            "free_energy": output.energy_ev,
            "forces": np.array(output.forces_ev_per_ang),
        }
        if output.stress_ev_per_ang3 is not None:
            self.results["stress"] = np.array(output.stress_ev_per_ang3)

    def _path(self, atoms: Atoms, level: PwLevel) -> Path:
        """Where the record lies: named by everything that decides the numbers."""
        digest = hashlib.sha256(msgspec.json.encode(level.settings(), order="sorted"))
        digest.update(msgspec.json.encode(self.engine.pseudopotentials(level), order="sorted"))
        digest.update(atoms.numbers.astype("<i8").tobytes())
        for array in (atoms.cell.array, atoms.positions):
            digest.update((np.round(array, 7) + 0.0).astype("<f8").tobytes())
        return self.store / f"{digest.hexdigest()[:32]}.json"

    def _find(self, atoms: Atoms, level: PwLevel) -> _Record | None:
        try:
            record = msgspec.json.decode(self._path(atoms, level).read_bytes(), type=_Record)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        return None if level.stress and record.output.stress_ev_per_ang3 is None else record

    def _compute(self, atoms: Atoms, level: PwLevel) -> _Record:
        self.engine.check([level])
        folder = self.store / f"work-{os.getpid()}"
        cell = atoms.numbers.tobytes() + atoms.cell.array.tobytes()
        if cell != self._cell:  # the density of another cell is no start
            shutil.rmtree(folder, ignore_errors=True)
        self._cell = b""
        self.told(f"{len(atoms)} atoms, k-mesh {'x'.join(map(str, level.kmesh or ()))}")
        output = self.engine.run(atoms, level, folder)
        self._cell = cell
        record = _Record(
            output=output,
            settings=level.settings(),
            pseudopotentials=self.engine.pseudopotentials(level),
        )
        write_atomically(self._path(atoms, level), msgspec.json.format(msgspec.json.encode(record), indent=1))
        self.costs = replace(
            self.costs, computed=self.costs.computed + 1, cpu_s=self.costs.cpu_s + output.cpu_s
        )
        return record

    def close(self) -> None:
        """Delete the scratch files."""
        shutil.rmtree(self.store / f"work-{os.getpid()}", ignore_errors=True)
