"""The ASE calculator: energies, forces and stresses of a potential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlpzoo.backends.pairs import pairs
from mlpzoo_nnp.symmetry import Bonds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo_nnp.potential import Potential

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

_TRIPLES_AT_ONCE: Final = 16_000
"""Arrays of so many numbers fit into a core's cache."""


class NnpCalculator(Calculator):
    """A Behler-Parrinello potential: J. Behler, M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007).

    Args:
        potential: What `mlpzoo_nnp.potential.read_potential` read.
    """

    implemented_properties: list[str] = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All properties at once; eV, eV/Å, eV/Å³.

        Raises:
            ValueError: The potential does not know an element.
        """
        super().calculate(atoms, properties, system_changes)
        structure: Any = self.atoms
        n = len(structure)
        species = self._species(structure)
        i, j, vectors, lengths = pairs(structure, self.potential.radius_ang)
        order = np.argsort(i, kind="stable")
        i, j = i[order], j[order]
        bonds = Bonds(n_atoms=n, atom=i, species=species[j], vectors=vectors[order], lengths=lengths[order])
        energies, gradient = energies_and_gradient(self.potential, species, bonds)
        forces = np.zeros((n, 3))
        for x in range(3):
            forces[:, x] = np.bincount(i, gradient[:, x], n) - np.bincount(j, gradient[:, x], n)
        energy = float(energies.sum())
        self.results = {"energy": energy, "free_energy": energy, "energies": energies, "forces": forces}
        if structure.cell.rank == 3:  # noqa: PLR2004
            stress = bonds.vectors.T @ gradient / structure.cell.volume
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _species(self, atoms: Any) -> IntArray:
        known = {symbol: index for index, symbol in enumerate(self.potential.elements)}
        symbols = atoms.get_chemical_symbols()
        unknown = sorted(set(symbols) - set(known))
        if unknown:
            raise ValueError(f"the potential does not know {', '.join(unknown)}")
        return np.array([known[symbol] for symbol in symbols], dtype=np.int64)


def energies_and_gradient(
    potential: Potential, species: IntArray, bonds: Bonds
) -> tuple[FloatArray, FloatArray]:
    """Energies of atoms, and the derivative of their sum by the vector of each bond.

    Args:
        potential: The potential.
        species: Index of each atom's element.
        bonds: All of them, both ways, lengths in Å.

    Returns:
        eV, shape (n_atoms,); eV/Å, shape (n_bonds, 3).
    """
    energies = np.zeros(bonds.n_atoms)
    gradient = np.zeros((len(bonds.lengths), 3))
    for element, atoms in _portions(species, np.bincount(bonds.atom, minlength=bonds.n_atoms)):
        local = np.full(bonds.n_atoms, -1)
        local[atoms] = np.arange(len(atoms))
        chosen = np.flatnonzero(local[bonds.atom] >= 0)
        own = Bonds(
            n_atoms=len(atoms),
            atom=local[bonds.atom[chosen]],
            species=bonds.species[chosen],
            vectors=bonds.vectors[chosen],
            lengths=bonds.lengths[chosen],
        )
        energies[atoms], gradient[chosen] = _of_one_element(potential, element, own)
    return energies, gradient


def _portions(species: IntArray, n_bonds: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Atoms of one element, in ascending order, with a limited number of pairs of bonds."""
    for element in np.unique(species):
        atoms = np.flatnonzero(species == element)
        load = np.cumsum(n_bonds[atoms] * (n_bonds[atoms] - 1) // 2)
        for number in np.unique(load // _TRIPLES_AT_ONCE):
            yield int(element), atoms[load // _TRIPLES_AT_ONCE == number]


def _of_one_element(potential: Potential, element: int, bonds: Bonds) -> tuple[FloatArray, FloatArray]:
    """As `energies_and_gradient`, of central atoms of one element and their bonds."""
    part = potential.parts[element]
    surroundings = [group.part(bonds, potential.charges, potential.cutoff) for group in part.groups]
    values = np.zeros((bonds.n_atoms, len(part.factor)))
    for one in surroundings:
        one.add_values(values)
    energies, by_value = part.energies(values, potential.unit_ev)
    gradient = np.zeros((len(bonds.lengths), 3))
    for one in surroundings:
        one.add_gradient(by_value, gradient)
    return energies, gradient
