"""Ends of hops: equal energies, the same order of atoms, few atoms that move."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator
from ase.calculators.morse import MorsePotential

from mlpzoo.backends.tersoff import T3
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.errors import CalculationError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.defect_sites import DISTORTED, identify_interstitial, interstitial_starts
from mlpzoo.physics.hops import interstitial_hop, vacancy_hops
from mlpzoo.physics.neb_path import displacement

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
SI = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.431986)
FE = Crystal(symbol="Fe", structure="bcc", lattice_constant_ang=2.87)
CRYSTALS = {"diamond": (SI, 2), "fcc": (CU, 3), "bcc": (FE, 3)}
ALL = [(s, name) for s, (crystal, n) in CRYSTALS.items() for name in interstitial_starts(crystal, n)]
MOVERS = {"split_110": 3, "dumbbell_100": 3, "dumbbell_111": 3}
"""Of a dumbbell: its two atoms, and the one that becomes its partner; else the interstitial atom alone."""


def potential(crystal: Crystal) -> Calculator:
    """One that feels angles for silicon, and pairs for metals."""
    if crystal.structure == "diamond":
        return TersoffCalculator({("Si", "Si", "Si"): T3})
    return MorsePotential(epsilon=0.4, rho0=4.0, r0=crystal.neighbour_distance_ang, rcut1=1.5, rcut2=2.0)


def difference_ev(crystal: Crystal, hop) -> float:
    """Between the unrelaxed ends."""
    energies = [potential(crystal).get_property("energy", atoms) for atoms in (hop.initial, hop.final)]
    return float(energies[1] - energies[0])


@pytest.mark.parametrize(("structure", "name"), ALL)
def test_ends_of_an_interstitial_hop_are_equivalent(structure: str, name: str) -> None:
    crystal, repeat = CRYSTALS[structure]
    hop = interstitial_hop(crystal, repeat, name)
    assert difference_ev(crystal, hop) == pytest.approx(0.0, abs=1e-7)
    assert identify_interstitial(hop.initial, crystal, repeat) == name
    assert identify_interstitial(hop.final, crystal, repeat) == name
    way = np.linalg.norm(displacement(hop.initial, hop.final), axis=1)
    assert 0.3 < way.max() < 1.1 * crystal.lattice_constant_ang
    assert (way > 1e-6).sum() <= MOVERS.get(name, 1), "the others stay"


@pytest.mark.parametrize("structure", CRYSTALS)
def test_one_atom_jumps_into_the_vacancy(structure: str) -> None:
    crystal, repeat = CRYSTALS[structure]
    coordination = {"diamond": 4, "fcc": 12, "bcc": 8}[structure]
    jumps = []
    for neighbour in range(coordination):
        hops = vacancy_hops(crystal, repeat, neighbour=neighbour)
        for hop in hops.values():
            assert difference_ev(crystal, hop) == pytest.approx(0.0, abs=1e-7)
        way = displacement(hops["ideal"].initial, hops["ideal"].final)
        [atom] = np.flatnonzero(np.linalg.norm(way, axis=1) > 1e-6)
        assert np.linalg.norm(way[atom]) == pytest.approx(crystal.neighbour_distance_ang)
        # It jumps to the origin, where the vacancy was.
        assert hops["ideal"].initial.positions[atom] + way[atom] == pytest.approx(
            np.rint(
                (hops["ideal"].initial.positions[atom] + way[atom]) / crystal.lattice_constant_ang / repeat
            )
            * crystal.lattice_constant_ang
            * repeat,
            abs=1e-9,
        )
        jumps.append(tuple(np.round(way[atom], 6)))
    assert len(set(jumps)) == coordination, "all neighbours are different"


def test_pairs_of_neighbours_move_little_beside_the_atom_that_jumps() -> None:
    hops = vacancy_hops(SI, 2)
    assert hops.keys() == {"ideal", "paired"}
    way = np.sort(np.linalg.norm(displacement(hops["paired"].initial, hops["paired"].final), axis=1))
    assert way[-2] < 0.61
    assert way[-1] > 1.5
    assert (way > 1e-6).sum() == 7, "three old neighbours, three new ones, and the atom that jumps"


def test_unknown_configuration_is_an_error() -> None:
    with pytest.raises(CalculationError, match="no hop is known for an interstitial that is distorted"):
        interstitial_hop(CU, 2, DISTORTED)
    with pytest.raises(CalculationError, match="hexagonal"):
        interstitial_hop(CU, 2, "hexagonal")
