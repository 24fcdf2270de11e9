"""Input and output of Quantum ESPRESSO's `pw.x` for one self-consistent calculation with forces."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.espresso import write_espresso_in

from mlpzoo.errors import CalculationError, DataError

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "pw"


@dataclass(frozen=True, slots=True, kw_only=True)
class PwLevel:
    """Settings of one level of theory: PBE, plane waves, Gaussian smearing, no symmetry.

    Attributes:
        level: Name of the level, as in the columns `forces_<level>`.
        title: One line for tables.
        kmesh: Monkhorst-Pack mesh, shifted by half a step; None is Γ alone with real wave functions.
        ecutwfc_ry: Plane-wave cutoff.
        degauss_ry: Width of the smearing.
        n_bands: Number of bands; None leaves it to the program.
        conv_thr_ry: Threshold of the self-consistent cycle (estimated energy error).
        mixing_beta: Of the density mixing.
        symmetry: Whether the program may use the symmetry of the structure, which saves k-points.
        stress: Whether it computes the stress too.
        keep_density: Whether it leaves its density for the next calculation in the same folder.
        pseudopotentials: File names by chemical symbol.
    """

    level: str
    title: str
    kmesh: tuple[int, int, int] | None
    ecutwfc_ry: float = 18.0
    degauss_ry: float = 0.0037
    n_bands: int | None = None
    conv_thr_ry: float = 1e-6
    mixing_beta: float = 0.5
    symmetry: bool = False
    stress: bool = False
    keep_density: bool = False
    pseudopotentials: dict[str, str] = field(default_factory=lambda: {"Si": "Si.pbe-rrkj.UPF"})

    def settings(self) -> dict[str, Any]:
        """Give what goes into the data set's provenance."""
        mesh: dict[str, Any] = (
            {"kmesh": list(self.kmesh), "koffset": [1, 1, 1]} if self.kmesh else {"kmesh": "gamma"}
        )
        bands = {} if self.n_bands is None else {"n_bands": self.n_bands}
        return {
            "ecutwfc_ry": self.ecutwfc_ry,
            **mesh,
            "smearing": "gaussian",
            "degauss_ry": self.degauss_ry,
            "conv_thr_ry": self.conv_thr_ry,
            **bands,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PwOutput:
    """What is read from an output.

    Total energy (eV; with smearing the free energy), forces (eV/Å), stress (eV/Å³, ASE's sign and Voigt
    order, if it was asked for), cost.
    """

    energy_ev: float
    forces_ev_per_ang: list[list[float]]
    stress_ev_per_ang3: list[float] | None
    code: str
    n_scf: int
    cpu_s: float


def parse_output(path: Path, n_atoms: int) -> PwOutput:
    """Read a finished, converged pw.x calculation.

    Raises:
        CalculationError: it did not finish or converge, or its numbers are not finite; the message quotes
            the output.
    """
    text = path.read_text(errors="replace")
    converged = re.search(r"convergence has been achieved in\s+(\d+) iterations", text)
    if "JOB DONE" not in text or converged is None:
        tail = " | ".join(line.strip() for line in text.splitlines()[-12:] if line.strip(" %\t"))
        message = f"pw.x did not converge or finish: {tail[-400:]}"
        raise CalculationError(message, hint="see the input; a smaller mixing_beta often helps")
    atoms = read(path, index=-1, format="espresso-out")
    assert isinstance(atoms, Atoms)  # noqa: S101  (index is one number)
    energy = float(atoms.get_potential_energy())
    forces = np.asarray(atoms.get_forces())
    stress = atoms.calc.results.get("stress")
    if forces.shape != (n_atoms, 3) or not np.isfinite(forces).all() or not np.isfinite(energy):
        message = f"pw.x printed forces of shape {forces.shape} or non-finite numbers"
        raise CalculationError(message, hint="see the output file")
    version = re.search(r"Program PWSCF v\.?\s*([0-9.]+)", text)
    cpu = re.search(r"PWSCF\s+:\s+(.*?)CPU", text)
    return PwOutput(
        energy_ev=energy,
        forces_ev_per_ang=forces.tolist(),
        stress_ev_per_ang3=None if stress is None else np.asarray(stress).tolist(),
        code=f"Quantum ESPRESSO {version[1].rstrip('.')}" if version else "Quantum ESPRESSO",
        n_scf=int(converged[1]),
        cpu_s=_seconds(cpu[1]) if cpu else 0.0,
    )


def write_input(file: TextIO, atoms: Atoms, level: PwLevel, *, pseudo_dir: Path, restart: bool) -> None:
    """Write the input of one calculation; `restart` starts from the density in the same folder.

    Raises:
        DataError: an element without a pseudopotential.
    """
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(level.pseudopotentials))
    if unknown:
        message = f"no pseudopotential is set for {', '.join(unknown)}"
        raise DataError(message, hint="add it to the level's pseudopotentials")
    bands = {} if level.n_bands is None else {"nbnd": level.n_bands}
    data = {
        "control": {
            "calculation": "scf",
            "tprnfor": True,
            "tstress": level.stress,
            "disk_io": "nowf" if level.keep_density else "none",
            "prefix": PREFIX,
            "outdir": ".",
            "pseudo_dir": str(pseudo_dir),
        },
        "system": {
            "ecutwfc": level.ecutwfc_ry,
            "nosym": not level.symmetry,
            "occupations": "smearing",
            "smearing": "gaussian",
            "degauss": level.degauss_ry,
            **bands,
        },
        "electrons": {
            "conv_thr": level.conv_thr_ry,
            "mixing_beta": level.mixing_beta,
            "startingpot": "file" if restart else "atomic",
        },
    }
    write_espresso_in(
        file,
        atoms,
        data,
        pseudopotentials=level.pseudopotentials,
        kpts=level.kmesh,
        koffset=(1, 1, 1) if level.kmesh else (0, 0, 0),
    )


def _seconds(clock: str) -> float:
    """Read pw.x's `1h 2m 3.45s`."""
    units = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    return round(
        sum(float(value) * units[unit] for value, unit in re.findall(r"([0-9.]+)\s*([dhms])", clock)), 2
    )
