"""ABINIT as a reference engine: a second program with other pseudopotentials, to cross-check the first.

PseudoDojo's scalar-relativistic PBE pseudopotentials (van Setten et al., Comput. Phys. Commun. 226, 39
(2018), doi 10.1016/j.cpc.2018.01.012), the k-points and the smearing of Quantum ESPRESSO's `kdens`.
Energies of the two differ by a constant per atom; forces and stresses can be compared.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlpzoo.data.engines import DftLevel, DftOutput
from mlpzoo.data.espresso_engine import K_LENGTH_ANG
from mlpzoo.data.program import (
    TIMEOUT_S,
    check_elements,
    check_installed,
    elsewhere,
    hashes_of,
    run_program,
)
from mlpzoo.errors import CalculationError
from mlpzoo.units import RYDBERG_IN_EV

if TYPE_CHECKING:
    from ase import Atoms

INSTALL_HINT: Final = "Debian: apt-get install abinit abinit-data libopenblas0-pthread"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbinitLevel:
    """Settings of one level of theory: norm-conserving plane waves, Gaussian smearing.

    Attributes:
        level: Name of the level.
        title: One line for tables.
        ecut_ha: Plane-wave cutoff; 14 Ha is PseudoDojo's "low" hint for silicon.
        k_length_ang: k-points times cell length in each direction, shifted by half a step.
        tsmear_ha: Width of the smearing.
        empty_bands: Bands over occupied ones.
        tolvrs: Threshold of the squared residual of the potential.
        max_scf: Cycles after which the calculation has failed.
        pseudopotentials: File names by chemical symbol.
        valence: Valence electrons by chemical symbol.
        level_of_theory: The functional, which is the pseudopotentials' own.
    """

    level: str
    title: str
    ecut_ha: float = 14.0
    k_length_ang: float = K_LENGTH_ANG
    tsmear_ha: float = 0.00185
    empty_bands: float = 1.06
    tolvrs: float = 1e-9
    max_scf: int = 60
    pseudopotentials: dict[str, str] = field(default_factory=lambda: {"Si": "Si.psp8"})
    valence: dict[str, int] = field(default_factory=lambda: {"Si": 4})
    level_of_theory: str = "PBE"

    def settings(self) -> dict[str, Any]:
        """Give what goes into the data set's provenance."""
        return {
            "ecut_ha": self.ecut_ha,
            "k_length_ang": self.k_length_ang,
            "koffset": [1, 1, 1],
            "smearing": "gaussian",
            "tsmear_ha": self.tsmear_ha,
            "tolvrs": self.tolvrs,
            "bands_over_occupied": self.empty_bands,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AbinitEngine:
    """Where the program and its pseudopotentials are.

    Attributes:
        command: The program's name or path.
        pseudo_dir: Folder of the pseudopotentials.
        timeout_s: A calculation that takes longer has failed.
        name: Of the engine.
    """

    command: str = "abinit"
    pseudo_dir: Path = Path("/usr/share/abinit/psp/Pseudodojo_nc_sr_04_pbe_standard_psp8")
    timeout_s: float = TIMEOUT_S
    name: str = "abinit"

    def levels(self) -> Sequence[AbinitLevel]:
        """One, for cells of any size."""
        return (AbinitLevel(level="abinit", title="ABINIT PBE, PseudoDojo, k-points as in kdens"),)

    def configured(self, options: Mapping[str, str]) -> AbinitEngine:
        """The same engine with another ``command`` or ``pseudo_dir``.

        Raises:
            UsageError: There is no such option.
        """
        return elsewhere(self, options)

    def check(self, levels: Sequence[DftLevel]) -> None:
        """Refuse to start without the program or a pseudopotential.

        Raises:
            EnvError: one of them is missing.
        """
        files = [name for level in levels for name in _ours(level).pseudopotentials.values()]
        check_installed(self, files, INSTALL_HINT)

    def pseudopotentials(self, level: DftLevel) -> dict[str, dict[str, str]]:
        """File and hash of the pseudopotential of each element."""
        return hashes_of(_ours(level).pseudopotentials, self.pseudo_dir)

    def run(self, atoms: Atoms, level: DftLevel, folder: Path) -> DftOutput:
        """Run one calculation in a folder of its own.

        Raises:
            CalculationError: it did not finish or converge.
            DataError: an element without a pseudopotential.
        """
        known = _ours(level)
        check_elements(atoms, known.pseudopotentials)
        own = folder / known.level
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        write_input(own / "run.abi", atoms, known, self.pseudo_dir)
        run_program([self.command, "run.abi"], own, own / "log", self.timeout_s)
        return parse_output(own, len(atoms))


def write_input(path: Path, atoms: Atoms, level: AbinitLevel, pseudo_dir: Path) -> None:
    """Write the input of one calculation."""
    import numpy as np
    from ase.io.abinit import write_abinit_in

    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    mesh = [max(1, round(level.k_length_ang / float(height))) for height in heights]
    occupied = sum(level.valence[symbol] for symbol in atoms.get_chemical_symbols()) / 2
    species = sorted(set(atoms.numbers))
    files = {atom.number: level.pseudopotentials[atom.symbol] for atom in atoms}
    parameters = {
        "xc": "PBE",
        "ecut": level.ecut_ha * 2 * RYDBERG_IN_EV,  # ASE writes these two in eV
        "occopt": 7,
        "tsmear": level.tsmear_ha * 2 * RYDBERG_IN_EV,
        "nband": max(math.ceil(level.empty_bands * occupied), math.ceil(occupied) + 4),
        "kptopt": 1,
        "ngkpt": mesh,
        "nshiftk": 1,
        "shiftk": [0.5, 0.5, 0.5],
        "chksymbreak": 0,
        "chksymtnons": 0,
        "nstep": level.max_scf,
        "tolvrs": level.tolvrs,
        "optforces": 1,
        "optstress": 1,
        **dict.fromkeys(("prtwf", "prtden", "prteig", "prtgsr"), 0),
    }
    with path.open("w") as file:
        write_abinit_in(file, atoms, parameters, species, [str(pseudo_dir / files[z]) for z in species])


def parse_output(folder: Path, n_atoms: int) -> DftOutput:
    """Read a finished, converged calculation.

    Raises:
        CalculationError: it did not finish or converge, or its numbers are not finite.
    """
    import numpy as np
    from ase.io.abinit import read_abinit_out

    path = folder / "run.abo"
    text = path.read_text(errors="replace") if path.is_file() else ""
    if "not enough SCF cycles to converge" in text:
        raise CalculationError("abinit did not converge in the cycles that it was given", hint="see its log")
    if "Calculation completed" not in text:
        log = (folder / "log").read_text(errors="replace")
        said = re.search(r"--- !ERROR.*?message: \|\n(.*?)\n\.\.\.", log, re.DOTALL)
        lines = (said[1] if said else text or log).splitlines()[-12:]
        tail = " | ".join(line.strip() for line in lines if line.strip(" -\t"))
        raise CalculationError(f"abinit did not finish: {tail[-400:]}", hint="see input and log")
    try:
        with path.open() as file:
            found = read_abinit_out(file)
    except Exception as error:
        raise CalculationError(f"abinit's output cannot be read: {type(error).__name__}: {error}") from error
    forces, stress = found.get("forces", np.empty(0)), found.get("stress", np.full(6, np.nan))
    if forces.shape != (n_atoms, 3) or not np.isfinite([*forces.ravel(), *stress, found["energy"]]).all():
        raise CalculationError(f"abinit printed forces of shape {forces.shape} or non-finite numbers")
    cycles = re.findall(r"^ ETOT +(\d+)", text, re.MULTILINE)
    seconds = re.search(r"Proc\.\s+0 individual time \(sec\): cpu=\s*([0-9.]+)", text)
    return DftOutput(
        energy_ev=float(found["energy"]),
        forces_ev_per_ang=forces.tolist(),
        stress_ev_per_ang3=stress.tolist(),
        code=f"ABINIT {found['version']}",
        n_scf=int(cycles[-1]) if cycles else 0,
        cpu_s=float(seconds[1]) if seconds else 0.0,
    )


def _ours(level: DftLevel) -> AbinitLevel:
    assert isinstance(level, AbinitLevel)  # noqa: S101  (one of ours)
    return level
