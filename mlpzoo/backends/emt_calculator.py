"""ASE's EMT without a memory, and vectorised over pairs of atoms.

ASE's keeps its list of neighbours until an atom has moved 0.3 Å, and sums in the list's order, so that the
last digits depend on where the atoms were before.  A run that was interrupted and goes on has another past;
in molecular dynamics it would soon have another future, too.  A new list each time takes 15 ms of CPU for 107
atoms, and ASE's loop over atoms 9; this takes 3.  Parameters and the formulas of a pair are ASE's methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.calculators.emt import EMT, beta
from ase.stress import full_3x3_to_voigt_6_stress

from mlpzoo.backends.pairs import pairs

if TYPE_CHECKING:
    from ase import Atoms


class EmtCalculator(EMT):
    """Energy, forces and stress depend on the structure alone, to the last bit."""

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All properties at once; eV, eV/Å, eV/Å³.

        Raises:
            PropertyNotImplementedError: The stress of a structure without a full cell.
        """
        Calculator.calculate(self, atoms, properties, system_changes)
        emt: Any = self  # ASE's methods have no types
        if "numbers" in system_changes:
            emt.initialize(self.atoms)
        n, par, kind = len(emt.atoms), emt.par, emt.ia2iz
        i, j, vectors, r = pairs(emt.atoms, emt.rc_list)
        w, slope = emt._calc_theta(r)  # noqa: SLF001  (ASE's formula of a pair)
        own1, other1 = emt._calc_dsigma1(i, j, r, w)  # noqa: SLF001
        own2, other2 = emt._calc_dsigma2(i, j, r, w)  # noqa: SLF001

        bound = np.bincount(i, minlength=n) > 0  # a lone atom has neither energy nor derivative
        sigma = np.bincount(i, own1, n)
        s = kind[bound]
        ds = -np.log(sigma[bound] * par["inv12gamma1"][s]) / (beta * par["eta2"][s])
        cohesive = par["E0"][s] * np.exp(-par["lambda"][s] * ds)
        sphere = 6.0 * par["V0"][s] * np.exp(-par["kappa"][s] * ds)
        stretched = par["lambda"][s] * ds
        energies, by_sigma = np.zeros(n), np.zeros(n)
        energies[bound] = cohesive * (1.0 + stretched) + sphere
        by_sigma[bound] = cohesive * par["lambda"][s] * stretched + par["kappa"][s] * sphere
        by_sigma[bound] /= beta * par["eta2"][s] * sigma[bound]

        pair_own = par["neghalfv0overgamma2"][kind[i]] * own2
        pair_other = par["neghalfv0overgamma2"][kind[j]] * other2
        energies += 0.5 * np.bincount(i, pair_own + pair_other, n) - par["E0"][kind]
        by_r = by_sigma[i] * own1 * (slope - par["eta2"][kind[j]])
        by_r += by_sigma[j] * other1 * (slope - par["eta2"][kind[i]])
        by_r += pair_own * (slope - par["kappa"][kind[j]] / beta)
        by_r += pair_other * (slope - par["kappa"][kind[i]] / beta)
        pull = (by_r / r)[:, None] * vectors

        energy = float(energies.sum())
        self.results = {"energy": energy, "free_energy": energy, "energies": energies}
        self.results["forces"] = np.stack([np.bincount(i, pull[:, k], n) for k in range(3)], axis=1)
        if emt.atoms.cell.rank == 3:  # noqa: PLR2004
            virial = 0.5 * vectors.T @ pull / emt.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(0.5 * (virial + virial.T))
        elif "stress" in properties:
            raise PropertyNotImplementedError
