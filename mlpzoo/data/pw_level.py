"""Levels of theory of Quantum ESPRESSO. Nothing here imports ASE or numpy until a cell is looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class PwLevel:
    """Settings of one level of theory: plane waves, Gaussian smearing.

    Either ``kmesh`` (one mesh whatever the cell, for sets of equal cells) or ``k_length_ang`` (equal density
    in all cells) decides the k-points; with neither it is Γ alone with real wave functions.

    Attributes:
        level: Name of the level, as in the columns `forces_<level>`.
        title: One line for tables.
        kmesh: Monkhorst-Pack mesh, shifted by half a step.
        k_length_ang: k-points times cell length, in each direction, shifted by half a step.
        ecutwfc_ry: Plane-wave cutoff.
        degauss_ry: Width of the smearing.
        n_bands: Number of bands; None leaves it to the program.
        empty_bands: Bands over occupied ones, instead of ``n_bands``; 0 leaves it to the program.
        conv_thr_ry: Threshold of the self-consistent cycle (estimated energy error).
        conv_thr_ry_per_atom: The same for cells of all sizes, instead.
        mixing_beta: Of the density mixing.
        symmetry: Whether the program may use the symmetry of the structure, which saves k-points.
        stress: Whether it computes the stress too.
        keep_density: Whether it leaves its density for the next calculation in the same folder.
        pseudopotentials: File names by chemical symbol.
        pulay_ev_per_atom: By chemical symbol, (2/3) E_cut dE/dE_cut of the crystal (negative). Stresses are
            those of a fixed set of plane waves, energies those of a fixed cutoff; this times atoms per
            volume, added to the diagonal, makes the stress the derivative of the energy (Francis and Payne,
            J. Phys. Condens. Matter 2, 4395 (1990), doi 10.1088/0953-8984/2/19/007). Empty: as they are.
        level_of_theory: The functional, which is the pseudopotentials' own.
    """

    level: str
    title: str
    kmesh: tuple[int, int, int] | None = None
    k_length_ang: float = 0.0
    ecutwfc_ry: float = 18.0
    degauss_ry: float = 0.0037
    n_bands: int | None = None
    empty_bands: float = 0.0
    conv_thr_ry: float = 1e-6
    conv_thr_ry_per_atom: float = 0.0
    mixing_beta: float = 0.5
    symmetry: bool = False
    stress: bool = False
    keep_density: bool = False
    pseudopotentials: dict[str, str] = field(default_factory=lambda: {"Si": "Si.pbe-rrkj.UPF"})
    pulay_ev_per_atom: dict[str, float] = field(default_factory=dict)
    level_of_theory: str = "PBE"

    def settings(self) -> dict[str, Any]:
        """Give what goes into the data set's provenance."""
        points: dict[str, Any] = {"kmesh": "gamma"}
        if self.k_length_ang:
            points = {"k_length_ang": self.k_length_ang, "koffset": [1, 1, 1]}
        elif self.kmesh:
            points = {"kmesh": list(self.kmesh), "koffset": [1, 1, 1]}
        per_atom = self.conv_thr_ry_per_atom
        return {
            "ecutwfc_ry": self.ecutwfc_ry,
            **points,
            "smearing": "gaussian",
            "degauss_ry": self.degauss_ry,
            **({"conv_thr_ry_per_atom": per_atom} if per_atom else {"conv_thr_ry": self.conv_thr_ry}),
            **({} if self.n_bands is None else {"n_bands": self.n_bands}),
            **({"bands_over_occupied": self.empty_bands} if self.empty_bands else {}),
            **({"pulay_ev_per_atom": dict(self.pulay_ev_per_atom)} if self.pulay_ev_per_atom else {}),
        }

    def pulay_stress_ev_per_ang3(self, atoms: Atoms) -> float:
        """What is added to the diagonal of the program's stress; 0 if the level has no correction."""
        if not self.pulay_ev_per_atom:
            return 0.0
        energy = sum(self.pulay_ev_per_atom[symbol] for symbol in atoms.get_chemical_symbols())
        return energy / float(atoms.get_volume())

    def for_cell(self, atoms: Atoms, valence: Mapping[str, float]) -> PwLevel:
        """The same level with the k-mesh, bands and threshold of one cell written out.

        Args:
            atoms: The cell.
            valence: Valence electrons of each element's pseudopotential.
        """
        import numpy as np

        changes: dict[str, Any] = {}
        if self.k_length_ang:
            heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
            changes["kmesh"] = tuple(max(1, round(self.k_length_ang / float(h))) for h in heights)
        if self.empty_bands:
            occupied = sum(valence[symbol] for symbol in atoms.get_chemical_symbols()) / 2
            changes["n_bands"] = max(math.ceil(self.empty_bands * occupied), math.ceil(occupied) + 4)
        if self.conv_thr_ry_per_atom:
            changes["conv_thr_ry"] = self.conv_thr_ry_per_atom * len(atoms)
        return replace(self, **changes)
