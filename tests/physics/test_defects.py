"""Point defects: closed forms, published energies, symmetric starts, and what a relaxed structure is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS

from mlpzoo.backends.tersoff import T3
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import CalculationError
from mlpzoo.physics import defects
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.defect_sites import (
    DISTORTED,
    INTERSTITIALS,
    identify_interstitial,
    interstitial_starts,
    vacancy,
    vacancy_starts,
)
from mlpzoo.physics.defects import interstitial_formation, vacancy_formation

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
SI = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.431986)
FE = Crystal(symbol="Fe", structure="bcc", lattice_constant_ang=2.87)
CRYSTALS = {"diamond": (SI, 2), "fcc": (CU, 2), "bcc": (FE, 3)}
ALL = [(s, name) for s, (crystal, n) in CRYSTALS.items() for name in interstitial_starts(crystal, n)]


class Bonds(Calculator):
    """Bonds of one energy, at rest, between nearest neighbours only."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, length: float, depth: float, stiffness: float = 5.0) -> None:
        super().__init__()
        self.length, self.depth, self.stiffness = length, depth, stiffness

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces of the bonds."""
        super().calculate(atoms, properties, system_changes)
        first, vectors, lengths = neighbor_list("iDd", atoms, 1.1 * self.length)
        stretch = lengths - self.length
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, first, (self.stiffness * stretch / lengths)[:, None] * vectors)
        energy = 0.5 * float((0.5 * self.stiffness * stretch**2 - self.depth).sum())
        self.results = {"energy": energy, "forces": forces}


class Counting(Calculator):
    """Another calculator, counted; it may refuse a structure."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, inner: Calculator, refuse=lambda _: False) -> None:
        super().__init__()
        self.inner, self.refuse, self.calls = inner, refuse, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces of the inner calculator."""
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        if self.refuse(atoms):
            raise CalculationError("it exploded")
        copy = atoms.copy()
        self.results = {name: self.inner.get_property(name, copy) for name in ("energy", "forces")}


class PerAtom(Calculator):
    """An energy per atom, and one for a wrong number of atoms; no forces."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, n_sites: int, defect_ev: float) -> None:
        super().__init__()
        self.n_sites, self.defect_ev = n_sites, defect_ev

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """The energy."""
        super().calculate(atoms, properties, system_changes)
        energy = -3.7 * len(atoms) + (self.defect_ev if len(atoms) != self.n_sites else 0.0)
        self.results = {"energy": energy, "forces": np.zeros((len(atoms), 3))}


def tersoff() -> TersoffCalculator:
    """Silicon."""
    return TersoffCalculator({("Si", "Si", "Si"): T3})


def space_group(atoms: Atoms) -> int:
    """Number of the space group, to 1e-9 Å."""
    cell = (np.array(atoms.cell), atoms.get_scaled_positions(), atoms.numbers)
    return spglib.get_symmetry_dataset(cell, symprec=1e-9).number


@pytest.mark.parametrize(("structure", "bonds"), [("fcc", 12), ("bcc", 8), ("diamond", 4)])
def test_bonds_of_nearest_neighbours_give_half_their_number(structure: str, bonds: int) -> None:
    """z bonds are cut, and the atom gives z/2 back: E_f = z ε - z/2 ε; bonds at rest relax nowhere."""
    crystal, repeat = CRYSTALS[structure]
    calculator = Bonds(crystal.neighbour_distance_ang, depth=0.4)
    formed = vacancy_formation(crystal, calculator, repeat=repeat, fmax_ev_per_ang=0.01)
    assert formed.unrelaxed_ev == pytest.approx(bonds / 2 * 0.4)
    assert formed.relaxed_ev == pytest.approx(formed.unrelaxed_ev)
    assert (formed.start, formed.relaxed.n_steps) == ("ideal", 0)
    assert formed.n_sites == len(crystal.supercell(repeat))


def test_only_the_defect_costs_energy() -> None:
    vacant = vacancy_formation(CU, PerAtom(32, 1.25), repeat=2, fmax_ev_per_ang=0.01)
    assert vacant.relaxed_ev == pytest.approx(1.25)
    formed = interstitial_formation(
        CU, PerAtom(32, 2.5), repeat=2, fmax_ev_per_ang=0.01, check_stability=False
    )
    assert [one.formation_ev for one in formed.found.values()] == pytest.approx([2.5] * 3)
    assert formed.n_sites == 32


def test_emt_copper_vacancy_by_another_route() -> None:
    """ASE alone: the primitive cell's energy per atom, its own supercell, its BFGS."""
    atoms = bulk("Cu", "fcc", a=3.59, cubic=True).repeat(3)
    del atoms[50]
    atoms.calc = EMT()
    unrelaxed = atoms.get_potential_energy()
    assert BFGS(atoms, logfile=None).run(fmax=0.002)
    per_atom = EMT().get_property("energy", bulk("Cu", "fcc", a=3.59))
    formed = vacancy_formation(CU, EMT(), repeat=3, fmax_ev_per_ang=0.005)
    assert formed.unrelaxed_ev == pytest.approx(unrelaxed - 107 * per_atom, abs=1e-9)
    assert formed.relaxed_ev == pytest.approx(atoms.get_potential_energy() - 107 * per_atom, abs=1e-4)
    assert 1.2 < formed.relaxed_ev < formed.unrelaxed_ev < 1.3


def test_tersoff_silicon_is_the_published_one() -> None:
    """Balamane et al., Phys. Rev. B 46, 2250 (1992), T3: vacancy 3.70, tetrahedral 3.45, hexagonal 4.61 eV.

    The elastic energy that a cell of fixed size costs goes as one over its volume: two sizes give the limit.
    """
    energies = []
    for repeat in (2, 3):
        vacant = vacancy_formation(SI, tersoff(), repeat=repeat, fmax_ev_per_ang=0.01)
        formed = interstitial_formation(
            SI, tersoff(), repeat=repeat, fmax_ev_per_ang=0.01, check_stability=False
        )
        assert all(one.became == name for name, one in formed.found.items())
        energies.append(
            [
                vacant.relaxed_ev,
                formed.found["tetrahedral"].formation_ev,
                formed.found["hexagonal"].formation_ev,
            ]
        )
    small, large = np.array(energies)
    limit = large - (small - large) * 8 / (27 - 8)
    assert limit == pytest.approx([3.70, 3.45, 4.61], abs=0.01)


@pytest.mark.parametrize("site", [0, 1, 5, 37, 63])
def test_every_atom_leaves_the_same_vacancy(site: int) -> None:
    expected = {name: tersoff().get_property("energy", a) for name, a in vacancy_starts(SI, 2).items()}
    starts = vacancy_starts(SI, 2, site=site)
    assert starts.keys() == {"ideal", "paired"}
    for name, atoms in starts.items():
        assert tersoff().get_property("energy", atoms) == pytest.approx(expected[name], abs=1e-8)


def test_vacancy_keeps_the_order_of_the_others() -> None:
    perfect = SI.supercell(2).positions
    assert np.array_equal(vacancy(SI, 2, site=9).positions, np.delete(perfect, 9, axis=0))
    moved = vacancy_starts(SI, 2)["paired"].positions - perfect[1:]
    assert sorted(np.linalg.norm(moved, axis=1).round(9))[-5:] == pytest.approx([0.0, 0.3, 0.3, 0.3, 0.3])
    assert vacancy_starts(CU, 2).keys() == {"ideal"}


def test_paired_neighbours_are_two_short_pairs() -> None:
    atoms = vacancy_starts(SI, 2)["paired"]
    moved = np.flatnonzero(np.linalg.norm(atoms.positions - vacancy(SI, 2).positions, axis=1) > 0.1)
    lengths = np.sort([atoms.get_distance(i, j, mic=True) for i in moved for j in moved if i < j])
    apart = SI.lattice_constant_ang / np.sqrt(2)
    assert lengths[:2] == pytest.approx([apart - 0.6] * 2)
    assert np.ptp(lengths[2:]) < 1e-9
    assert lengths[2] > lengths[1] + 0.3


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own
def test_starts_are_exactly_symmetric() -> None:
    """Point groups of the sites as they are known: Td 215; D2d 111, 115; Oh 221; D3d 166; D4h 123; D2h 65; C2v 35."""
    found = {name: space_group(atoms) for name, atoms in vacancy_starts(SI, 2).items()}
    assert found == {"ideal": 215, "paired": 111}
    assert space_group(vacancy(CU, 2)) == 221
    interstitials = {
        structure: {name: space_group(atoms) for name, atoms in interstitial_starts(crystal, n).items()}
        for structure, (crystal, n) in CRYSTALS.items()
    }
    assert interstitials == {
        "diamond": {"split_110": 35, "tetrahedral": 215, "hexagonal": 166},
        "fcc": {"dumbbell_100": 123, "octahedral": 221, "tetrahedral": 215},
        "bcc": {"split_110": 65, "dumbbell_111": 166, "octahedral": 123, "tetrahedral": 115},
    }


@pytest.mark.parametrize(("structure", "name"), ALL)
def test_starts_are_what_they_are_called(structure: str, name: str) -> None:
    crystal, repeat = CRYSTALS[structure]
    atoms = interstitial_starts(crystal, repeat)[name]
    assert name in INTERSTITIALS
    assert len(atoms) == len(crystal.supercell(repeat)) + 1
    assert identify_interstitial(atoms, crystal, repeat) == name
    generator = np.random.default_rng(1)
    rattled = atoms.copy()
    rattled.positions += (
        0.02 * crystal.lattice_constant_ang / 3.6 * generator.standard_normal((len(atoms), 3))
    )
    rattled.positions += [0.2, -0.1, 0.15]  # drift
    rattled.wrap()
    shuffled = rattled[generator.permutation(len(atoms))]
    assert identify_interstitial(shuffled, crystal, repeat) == name


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ((0, 0, 1), "dumbbell_100"),
        ((0, -1, 1), "split_110"),
        ((-1, 1, 1), "dumbbell_111"),
        ((0.1, 0, 1), "dumbbell_100"),
        ((0, np.tan(np.deg2rad(22.5)), 1), DISTORTED),
    ],
)
def test_dumbbell_is_named_by_its_axis_at_any_site(axis: tuple[float, ...], expected: str) -> None:
    atoms = CU.supercell(2)
    half = np.array(axis) / np.linalg.norm(axis) * 1.05
    atoms.append("Cu")
    atoms.positions[-1] = atoms.positions[17] + half
    atoms.positions[17] -= half
    assert identify_interstitial(atoms, CU, 2) == expected


def test_other_structures_are_distorted() -> None:
    between = interstitial_starts(SI, 2)["tetrahedral"]
    between.positions[-1] += [0.4, 0.4, 0.4]  # towards a hexagonal site, in neither basin
    assert identify_interstitial(between, SI, 2) == DISTORTED
    pair = interstitial_starts(SI, 2)["tetrahedral"]
    pair.positions[20] = SI.interstitial_sites(2)["tetrahedral"][5]  # and a Frenkel pair
    assert identify_interstitial(pair, SI, 2) == DISTORTED
    uneven = interstitial_starts(CU, 2)["dumbbell_100"]
    uneven.positions[0] += [0.7, 0, 0]
    uneven.positions[-1] += [0.3, 0, 0]
    assert identify_interstitial(uneven, CU, 2) == DISTORTED


def test_saddle_of_full_symmetry_is_told_from_a_minimum() -> None:
    """EMT copper: octahedral and tetrahedral stay by symmetry alone, the dumbbell is the minimum."""
    formed = interstitial_formation(CU, EMT(), repeat=3, fmax_ev_per_ang=0.02, check_stability=True)
    assert {name: one.became for name, one in formed.found.items()} == {
        "dumbbell_100": "dumbbell_100",
        "octahedral": "octahedral",
        "tetrahedral": "tetrahedral",
    }
    assert {name: one.displaced_to for name, one in formed.found.items()} == {
        "dumbbell_100": "",
        "octahedral": "dumbbell_100",
        "tetrahedral": "dumbbell_100",
    }
    lowest = formed.found["dumbbell_100"].formation_ev
    for one in formed.found.values():
        assert one.displaced_ev == pytest.approx(lowest, abs=0.01)
        assert one.formation_ev >= lowest - 1e-6
    name, energy = formed.lowest()
    assert name == "dumbbell_100"
    assert energy == pytest.approx(lowest, abs=0.005)


def test_name_with_another_energy_is_distorted() -> None:
    """Tersoff's hexagonal interstitial falls into a minimum near the tetrahedral site, 0.6 eV above the real one."""
    formed = interstitial_formation(SI, tersoff(), repeat=2, fmax_ev_per_ang=0.02, check_stability=True)
    hexagonal = formed.found["hexagonal"]
    assert (hexagonal.became, hexagonal.displaced_to) == ("hexagonal", DISTORTED)
    assert hexagonal.displaced_ev > formed.found["tetrahedral"].formation_ev + 0.3
    assert formed.found["tetrahedral"].displaced_to == ""
    assert formed.lowest()[0] == "tetrahedral"


def test_what_became_another_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    off = interstitial_starts(CU, 3)["octahedral"]
    off.positions[-1] += [0.5, 0.1, 0.05]
    monkeypatch.setattr(defects, "interstitial_starts", lambda *_: {"octahedral": off})
    formed = interstitial_formation(CU, EMT(), repeat=3, fmax_ev_per_ang=0.02, check_stability=False)
    assert formed.found["octahedral"].became == "dumbbell_100"
    assert formed.lowest() == ("dumbbell_100", formed.found["octahedral"].formation_ev)


def test_one_that_cannot_be_relaxed_does_not_hide_the_others() -> None:
    hexagonal = interstitial_starts(SI, 2)["hexagonal"].positions[-1]
    calculator = Counting(tersoff(), lambda a: np.linalg.norm(a.positions[-1] - hexagonal) < 1e-6)
    formed = interstitial_formation(SI, calculator, repeat=2, fmax_ev_per_ang=0.05, check_stability=False)
    assert formed.failed == {"hexagonal": "it exploded"}
    assert formed.found.keys() == {"split_110", "tetrahedral"}
    none = Counting(tersoff(), lambda a: len(a) == 65)
    with pytest.raises(CalculationError, match=r"no interstitial .* split_110: it exploded"):
        interstitial_formation(SI, none, repeat=2, fmax_ev_per_ang=0.05, check_stability=False)


def test_finished_relaxations_are_not_repeated(tmp_path: Path) -> None:
    results = []
    for expected_calls in (None, 1):
        calculator = Counting(tersoff())
        checkpoint = Checkpoint(tmp_path / "defect")
        vacant = vacancy_formation(
            SI, calculator, repeat=2, fmax_ev_per_ang=0.05, checkpoint=checkpoint.child("v")
        )
        formed = interstitial_formation(
            SI,
            calculator,
            repeat=2,
            fmax_ev_per_ang=0.05,
            check_stability=True,
            checkpoint=checkpoint.child("i"),
        )
        results.append((vacant.by_start_ev, formed.lowest()))
        assert expected_calls in {None, calculator.calls}, "that of the perfect supercell"
    assert results[0] == results[1]


def test_progress_names_the_defect() -> None:
    told: list[tuple[int, int, str]] = []
    interstitial_formation(
        CU,
        EMT(),
        repeat=2,
        fmax_ev_per_ang=0.1,
        check_stability=False,
        progress=lambda *step: told.append(step),
    )
    assert {(done, total, text.split(":")[0]) for done, total, text in told} == {
        (0, 3, "dumbbell_100"),
        (1, 3, "octahedral"),
        (2, 3, "tetrahedral"),
    }
