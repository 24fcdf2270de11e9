"""Measure the Pulay stress of the level `kdens` for silicon: what `pulay_ev_per_atom` is set to.

    python pulay.py WORK_DIR

The stress of pw.x is that of a fixed set of plane waves. With dE/dE_cut of the crystal it becomes the derivative of the
energy at a fixed cutoff (Francis and Payne, J. Phys. Condens. Matter 2, 4395 (1990)); the last column checks that, for
the perfect crystal, by the energies of two slightly larger and smaller cells.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from mlpzoo.data.engines import DftOutput
from mlpzoo.data.espresso_engine import ANY_CELL, PwEngine
from mlpzoo.units import EV_PER_ANG3_IN_GPA

LEVEL = replace(ANY_CELL, symmetry=True, conv_thr_ry_per_atom=1e-12, pulay_ev_per_atom={})


def run(atoms: Atoms, folder: Path, ecutwfc_ry: float = LEVEL.ecutwfc_ry) -> DftOutput:
    """One calculation; rattled cells have no symmetry to use."""
    return PwEngine().run(atoms, replace(LEVEL, ecutwfc_ry=ecutwfc_ry), folder)


def main() -> None:
    """Print a row a structure."""
    work = Path(sys.argv[1])
    print("a (Å)  rattled (Å)  (2/3) E dE/dE (eV/atom)  stress (GPa)  corrected  -dE/dV with + sign")
    for a, rattle in ((5.476, 0.0), (5.20, 0.0), (5.70, 0.0), (5.476, 0.15)):
        atoms = bulk("Si", cubic=True, a=a)
        atoms.rattle(rattle, seed=1)
        low, high = (run(atoms, work, LEVEL.ecutwfc_ry + d).energy_ev for d in (-0.5, 0.5))
        pulay = -2 / 3 * LEVEL.ecutwfc_ry * (low - high) / len(atoms)
        raw = float(np.mean(run(atoms, work).stress_ev_per_ang3[:3]))
        corrected = raw + pulay * len(atoms) / atoms.get_volume()
        derivative = float("nan")
        if not rattle:
            sizes = (0.996 * a, 1.004 * a)
            energies = [run(bulk("Si", cubic=True, a=size), work).energy_ev for size in sizes]
            derivative = (energies[1] - energies[0]) / (sizes[1] ** 3 - sizes[0] ** 3)
        gpa = [EV_PER_ANG3_IN_GPA * value for value in (raw, corrected, derivative)]
        print(f"{a:5.3f}  {rattle:11.2f}  {pulay:23.4f}  {gpa[0]:12.3f}  {gpa[1]:9.3f}  {gpa[2]:9.3f}", flush=True)


if __name__ == "__main__":
    main()
