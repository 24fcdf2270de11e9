"""Input and output of Quantum ESPRESSO's `pw.x` for one self-consistent calculation with forces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.espresso import write_espresso_in

from mlpzoo.data.engines import DftOutput
from mlpzoo.data.pw_level import PwLevel
from mlpzoo.errors import CalculationError, DataError

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "pw"


def parse_output(path: Path, n_atoms: int) -> DftOutput:
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
    return DftOutput(
        energy_ev=energy,
        forces_ev_per_ang=forces.tolist(),
        stress_ev_per_ang3=None if stress is None else np.asarray(stress).tolist(),
        code=f"Quantum ESPRESSO {version[1].rstrip('.')}" if version else "Quantum ESPRESSO",
        n_scf=int(converged[1]),
        cpu_s=_seconds(cpu[1]) if cpu else 0.0,
    )


def write_input(file: TextIO, atoms: Atoms, level: PwLevel, *, pseudo_dir: Path, restart: bool) -> None:
    """Write the input of one calculation at a level that is written out for this cell (`PwLevel.for_cell`).

    `restart` starts from the density in the same folder.

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
