"""Quantum ESPRESSO as a reference engine: where `pw.x` is, its levels of theory, one calculation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.data.engines import DftLevel, DftOutput
from mlpzoo.data.program import (
    TIMEOUT_S,
    check_elements,
    check_installed,
    elsewhere,
    hashes_of,
    run_program,
)
from mlpzoo.data.pw_level import PwLevel
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

INSTALL_HINT: Final = "Debian: apt-get install quantum-espresso quantum-espresso-data libopenblas0-pthread"
K_LENGTH_ANG: Final = 21.876
"""k-points times cell length: the shifted 2x2x2 mesh of 64 silicon atoms, as dense elsewhere."""

GAMMA: Final = PwLevel(level="gamma", title="QE PBE, Γ only", n_bands=138, keep_density=True)
K222: Final = PwLevel(
    level="k222", title="QE PBE, 2x2x2 shifted", kmesh=(2, 2, 2), n_bands=138, mixing_beta=0.4
)
ANY_CELL: Final = PwLevel(
    level="kdens",
    title="QE PBE, k-points as dense as 2x2x2 shifted of 64 atoms",
    k_length_ang=K_LENGTH_ANG,
    empty_bands=1.06,
    conv_thr_ry_per_atom=1.6e-8,
    mixing_beta=0.4,
    stress=True,
    pulay_ev_per_atom={"Si": -0.0457},  # benchmarks_data/si/sampling/pulay.py
)
"""The level of `K222` for cells of any size: the same cutoff, smearing, k-density and threshold."""


HIGH_CUTOFF: Final = replace(
    ANY_CELL, level="e30", title="QE PBE, as kdens, 30 Ry", ecutwfc_ry=30.0, pulay_ev_per_atom={}
)
DENSE_MESH: Final = replace(
    ANY_CELL, level="k333", title="QE PBE, as kdens, 3x3x3 of 64 atoms", k_length_ang=1.5 * K_LENGTH_ANG
)
"""Two levels that differ from `ANY_CELL` in one thing each: what its labels are worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PwEngine:
    """Where the program and its pseudopotentials are.

    Attributes:
        command: The program's name or path.
        pseudo_dir: Folder of the pseudopotentials.
        timeout_s: A calculation that takes longer has failed.
        name: Of the engine.
    """

    command: str = "pw.x"
    pseudo_dir: Path = Path("/usr/share/espresso/pseudo")
    timeout_s: float = TIMEOUT_S
    name: str = "espresso"

    def levels(self) -> Sequence[PwLevel]:
        """`kdens` for cells of any size; `k222` and its noise floor `gamma` for those of about 64 atoms.

        `e30` and `k333` are for the convergence of `kdens`.
        """
        return (ANY_CELL, GAMMA, K222, HIGH_CUTOFF, DENSE_MESH)

    def configured(self, options: Mapping[str, str]) -> PwEngine:
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

    def run(self, atoms: Atoms, level: DftLevel, folder: Path) -> DftOutput:
        """Run one calculation in `folder`; a density that an earlier one left there is the start.

        Raises:
            CalculationError: it did not finish or converge.
            DataError: an element without a pseudopotential.
        """
        from mlpzoo.data.espresso import PREFIX, parse_output, write_input

        known = _ours(level)
        check_elements(atoms, known.pseudopotentials)
        if known.empty_bands:
            files = known.pseudopotentials
            valence = {s: _valence(self.pseudo_dir / files[s]) for s in set(atoms.get_chemical_symbols())}
        else:
            valence = {}
        written_out = known.for_cell(atoms, valence)
        folder.mkdir(parents=True, exist_ok=True)
        restart = (folder / f"{PREFIX}.save" / "charge-density.dat").is_file()
        output = folder / f"{known.level}.out"
        with (folder / f"{known.level}.in").open("w") as file:
            write_input(file, atoms, written_out, pseudo_dir=self.pseudo_dir, restart=restart)
        run_program([self.command, "-in", f"{known.level}.in"], folder, output, self.timeout_s)
        found = parse_output(output, len(atoms))
        stress = found.stress_ev_per_ang3
        if stress is not None:
            extra = known.pulay_stress_ev_per_ang3(atoms)
            stress = [*(s + extra for s in stress[:3]), *stress[3:]]
        return replace(found, stress_ev_per_ang3=stress)

    def pseudopotentials(self, level: DftLevel) -> dict[str, dict[str, str]]:
        """File and hash of the pseudopotential of each element."""
        return hashes_of(_ours(level).pseudopotentials, self.pseudo_dir)


def _ours(level: DftLevel) -> PwLevel:
    assert isinstance(level, PwLevel)  # noqa: S101  (one of ours)
    return level


@cache
def _valence(path: Path) -> float:
    """Valence electrons of a UPF file, of version 1 or 2.

    Raises:
        DataError: It says nothing of them.
    """
    text = path.read_text(errors="replace")
    found = re.search(r'z_valence\s*=\s*"\s*([0-9.eEdD+-]+)', text) or re.search(
        r"^\s*([0-9.]+)\s+Z valence", text, re.MULTILINE
    )
    if found is None:
        raise DataError(f"{path.name} does not say how many valence electrons it has", hint="use a UPF file")
    return float(found[1].replace("d", "e").replace("D", "e"))
