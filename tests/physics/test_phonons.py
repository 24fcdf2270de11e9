"""Phonons: springs and chains in closed form, ASE's own phonons, instabilities, exact continuation."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.data import atomic_masses, atomic_numbers
from ase.neighborlist import neighbor_list
from ase.phonons import Phonons
from ase.units import _amu, _e

from mlpzoo.backends.emt_calculator import EmtCalculator
from mlpzoo.backends.tersoff import T3
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.checkpoint import Checkpoint
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.evaluate import Evaluated
from mlpzoo.physics.phonons import AT_ONCE, IMAGINARY_THZ, cell_phonons, crystal_phonons, mode_names
from mlpzoo.physics.relax import relax

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
FE = Crystal(symbol="Fe", structure="bcc", lattice_constant_ang=2.87)
SI = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.431986)
THZ_IN_EV = 4.135667696e-3  # Planck's constant, eV/THz


def thz(stiffness: float, symbol: str = "Cu") -> float:
    """Frequency of a mode whose element of the dynamical matrix is stiffness / mass; eV/Å² in, THz out.

    From SI units, not from anyone's conversion factor.
    """
    mass = atomic_masses[atomic_numbers[symbol]] * _amu
    return float(np.sqrt(stiffness * _e * 1e20 / mass) / (2 * np.pi) * 1e-12)


class Springs(Calculator):
    """Harmonic springs at rest between nearest and next-nearest neighbours of a crystal."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, near: float, k1: float, far: float = 0.0, k2: float = 0.0) -> None:
        super().__init__()
        self.near, self.k1, self.far, self.k2 = near, k1, far, k2
        self.calls, self.interrupt_at = 0, -1

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces of the springs."""
        super().calculate(atoms, properties, system_changes)
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        self.calls += 1
        reach = 1.07 * max(self.near, self.far)
        first, vectors, lengths = neighbor_list("iDd", atoms, reach)
        close = lengths < (self.near + (self.far or 2 * self.near)) / 2
        stiffness = np.where(close, self.k1, self.k2)
        stretch = lengths - np.where(close, self.near, self.far)
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, first, (stiffness * stretch / lengths)[:, None] * vectors)
        self.results = {"energy": 0.25 * float((stiffness * stretch**2).sum()), "forces": forces}


class Chain(Calculator):
    """A ring of atoms along x with springs k1, k2, k1, ... between them; all are held across by k0."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, home: np.ndarray, k1: float, k2: float, k0: float) -> None:
        super().__init__()
        self.home, self.k1, self.k2, self.k0 = home, k1, k2, k0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces."""
        super().calculate(atoms, properties, system_changes)
        away = atoms.positions - self.home
        away -= atoms.cell.lengths() * np.rint(away / atoms.cell.lengths())
        stiffness = np.where(np.arange(len(atoms)) % 2 == 0, self.k1, self.k2)
        stretch = np.roll(away[:, 0], -1) - away[:, 0]
        pull = stiffness * stretch
        forces = np.zeros_like(away)
        forces[:, 0] = pull - np.roll(pull, 1)
        across = away[:, 1:] - away[:, 1:].mean(axis=0)  # translations stay free
        forces[:, 1:] = -self.k0 * across
        energy = 0.5 * (stiffness * stretch**2).sum() + 0.5 * self.k0 * (across**2).sum()
        self.results = {"energy": float(energy), "forces": forces}


NEAR = {
    "fcc": np.array([p for p in itertools.product((-0.5, 0.0, 0.5), repeat=3) if np.count_nonzero(p) == 2]),
    "bcc": np.array(list(itertools.product((-0.5, 0.5), repeat=3))),
}
FAR = np.concatenate([np.eye(3), -np.eye(3)])


def closed_form(structure: str, symbol: str, q: np.ndarray, k1: float, k2: float) -> np.ndarray:
    """Frequencies of springs at rest at ``q`` (in 2 π / a): D(q) = (1/M) Σ k n n (1 - cos q r); THz, sorted."""
    matrix = np.zeros((3, 3))
    for bonds, k in ((NEAR[structure], k1), (FAR, k2)):
        for r in bonds:
            n = r / np.linalg.norm(r)
            matrix += k * np.outer(n, n) * (1 - np.cos(2 * np.pi * (q @ r)))
    return np.array([np.sign(v) * thz(abs(v), symbol) for v in np.linalg.eigvalsh(matrix)])


def fcc_springs(a: float, k1: float, k2: float = 0.0) -> Springs:
    """Of an fcc crystal with lattice constant ``a``."""
    return Springs(a / np.sqrt(2), k1, a, k2)


# -- closed forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k1", "k2"), [(3.0, 0.0), (2.0, 0.5), (2.0, -0.1)])
def test_fcc_springs_have_their_closed_form(k1: float, k2: float) -> None:
    """D(q) = (1/M) Σ k n n (1 - cos q r) over the neighbours: X LA 8 k1, X TA 4 k1; L LA 8 k1 + 4 k2, TA 2 k1 + 4 k2.

    The next-nearest ones are at (a, 0, 0): at X, q r = 2 π, so that they add nothing; at L, q r = π.
    """
    crystal = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6)
    found = crystal_phonons(crystal, fcc_springs(3.6, k1, k2), repeat=2).modes_thz
    assert found.keys() == {"x_ta", "x_la", "l_ta", "l_la"} == set(mode_names("fcc"))
    assert found == pytest.approx(
        {
            "x_ta": thz(4 * k1),
            "x_la": thz(8 * k1),
            "l_ta": thz(2 * k1 + 4 * k2),
            "l_la": thz(8 * k1 + 4 * k2),
        },
        rel=1e-3,
    )


def test_bcc_springs_have_their_closed_form() -> None:
    """H = (1, 0, 0) is three-fold, N = (1/2, 1/2, 0), in 2 π / a."""
    k1, k2 = 3.0, 1.5
    springs = Springs(FE.neighbour_distance_ang, k1, FE.lattice_constant_ang, k2)
    found = crystal_phonons(FE, springs, repeat=2).modes_thz
    at_h = closed_form("bcc", "Fe", np.array([1.0, 0.0, 0.0]), k1, k2)
    assert at_h == pytest.approx([thz(16 / 3 * k1, "Fe")] * 3), "2 k1 (1/3) of 8 bonds"
    assert found["h_la"] == pytest.approx(at_h[0], rel=1e-3)
    at_n = closed_form("bcc", "Fe", np.array([0.5, 0.5, 0.0]), k1, k2)
    assert [found[name] for name in ("n_ta1", "n_ta2", "n_la")] == pytest.approx(at_n, rel=1e-3)


@pytest.mark.parametrize(("k1", "k2"), [(3.0, 0.5), (2.0, -1.2)])
def test_supercell_holds_all_modes_of_its_points(k1: float, k2: float) -> None:
    """Of 2 x 2 x 2 cubic cells: 32 points; the second set of springs makes 20 modes unstable."""
    points = []
    for q in itertools.product((0.0, 0.5, 1.0, 1.5), repeat=3):
        vector = np.array(q)
        # Once each: modulo the reciprocal lattice, (1, 1, 1), (2, 0, 0), ...
        shifts = [
            np.array(s) for s in itertools.product(range(-2, 3), repeat=3) if len({x % 2 for x in s}) == 1
        ]
        if not any(np.allclose(vector - other, shift) for other in points for shift in shifts):
            points.append(vector)
    assert len(points) == 32
    expected = np.concatenate([closed_form("fcc", "Cu", q, k1, k2) for q in points])
    expected = np.sort(np.delete(expected, np.argsort(np.abs(expected))[:3]))
    found = cell_phonons(CU.supercell(2), fcc_springs(CU.lattice_constant_ang, k1, k2))
    assert found.frequencies_thz == pytest.approx(expected, abs=0.01)
    assert found.n_imaginary == (expected < 0).sum() == (0 if k2 > 0 else 20)
    assert found.mean_thz == pytest.approx(expected[expected > 0].mean(), rel=1e-3)


@pytest.mark.parametrize("n_atoms", [2, 4, 6])
@pytest.mark.parametrize("symbols", ["CuCu", "CuAl"])
def test_chain_of_two_springs_has_its_closed_form(symbols: str, n_atoms: int) -> None:
    """Born and von Kármán: ω² = (K/2μ) (1 ± sqrt(1 - 16 k1 k2 μ² sin²(q/2) / (K² m1 m2))), K = k1 + k2."""
    k1, k2, k0 = 4.0, 2.5, 3.0
    n_cells = n_atoms // 2
    home = np.zeros((n_atoms, 3))
    home[:, 0] = 2.0 * np.arange(n_atoms)
    home[1::2, 0] -= 0.2  # the two springs differ, and so do their lengths
    atoms = Atoms(symbols * n_cells, home, cell=[2.0 * n_atoms, 9.0, 9.0], pbc=True)
    found = cell_phonons(atoms, Chain(home, k1, k2, k0)).frequencies_thz
    m1, m2 = atoms.get_masses()[:2]
    reduced, both = m1 * m2 / (m1 + m2), k1 + k2
    unit = thz(1.0) ** 2 * atomic_masses[29]  # of k / m in THz²
    squares = []
    for q in 2 * np.pi * np.arange(n_cells) / n_cells:
        share = 16 * k1 * k2 * np.sin(q / 2) ** 2 * reduced**2 / (both**2 * m1 * m2)
        root = np.sqrt(max(0.0, 1 - share))
        squares += [both / (2 * reduced) * (1 - root), both / (2 * reduced) * (1 + root)]
    along = np.sqrt(unit * np.array(squares[1:]))  # without the translation
    # Across: every atom against the mean; with the masses on both sides.
    inverse = np.diag(1 / np.sqrt(atoms.get_masses()))
    held = inverse @ (k0 * (np.eye(n_atoms) - 1.0 / n_atoms)) @ inverse
    across = np.sqrt(unit * np.linalg.eigvalsh(held)[1:])
    expected = np.sort(np.concatenate([along, across, across]))
    assert found.shape == (3 * n_atoms - 3,)
    assert found == pytest.approx(expected, rel=1e-6)


# -- other programs ----------------------------------------------------------------------------------


def test_emt_copper_has_the_frequencies_that_ase_finds(tmp_path: Path) -> None:
    """Another program, another shape of the supercell; X and L lie on the grids of both."""
    found = crystal_phonons(CU, EMT(), repeat=4).modes_thz
    other = Phonons(bulk("Cu", a=3.59), EMT(), supercell=(6, 6, 6), delta=0.01, name=str(tmp_path / "ase"))
    other.run()
    other.read(acoustic=True)
    points = np.array([[0.5, 0.0, 0.5], [0.5, 0.5, 0.5]])
    x, ell = np.sort(other.band_structure(points, verbose=False), axis=1) / THZ_IN_EV
    assert found == pytest.approx({"x_ta": x[0], "x_la": x[2], "l_ta": ell[0], "l_la": ell[2]}, rel=5e-3)
    assert x[0] == pytest.approx(x[1], rel=1e-4)
    assert 4.0 < x[0] < x[2] < 9.0


def test_modes_of_silicon_are_in_their_order() -> None:
    """Tersoff's T3: acoustic modes too stiff, optical ones near 16 THz; none of them imaginary."""
    tersoff = TersoffCalculator({("Si", "Si", "Si"): T3})
    found = crystal_phonons(SI, tersoff, repeat=2)
    modes = found.modes_thz
    assert list(modes) == list(mode_names("diamond"))
    assert 15.0 < modes["gamma_to"] < 17.5
    assert modes["x_ta"] < modes["x_la"] < modes["x_to"]
    assert modes["l_ta"] < modes["l_la"] < modes["l_lo"] < modes["l_to"]
    assert found.n_imaginary == 0
    assert found.n_displacements == 1, "by symmetry"
    assert modes["gamma_to"] <= found.highest_thz + 1e-6


# -- meshes and cells --------------------------------------------------------------------------------


def test_mesh_of_springs_is_stable_and_its_mean_is_that_of_all_points() -> None:
    found = crystal_phonons(CU, fcc_springs(3.59, 3.0, 0.3), repeat=2)
    assert found.weights.sum() == 12**3
    assert found.mesh_thz.shape == (len(found.weights), 3)
    assert found.n_imaginary == 0
    assert found.highest_thz == pytest.approx(thz(8 * 3.0 + 4 * 0.3), rel=0.05)
    real = np.where(found.mesh_thz > 0, found.mesh_thz, 0.0)
    assert found.mean_thz == pytest.approx((real * found.weights[:, None]).sum() / (3 * 12**3), rel=2e-3), (
        "but for the translations"
    )


def test_imaginary_modes_of_unstable_springs_are_counted() -> None:
    """2 k1 + 4 k2 < 0: the transverse modes at the four L points are unstable, and their neighbourhood is."""
    found = crystal_phonons(CU, fcc_springs(3.59, 2.0, -1.2), repeat=2)
    assert found.modes_thz["l_ta"] == pytest.approx(-thz(4 * 1.2 - 2 * 2.0), rel=2e-3)
    assert found.modes_thz["x_ta"] > 0
    assert found.n_imaginary == (found.weights * (found.mesh_thz < IMAGINARY_THZ).sum(axis=1)).sum() >= 8
    real = found.mesh_thz[found.mesh_thz > 0]
    assert real.min() <= found.mean_thz <= real.max()


def test_supercell_holds_the_modes_of_the_crystal() -> None:
    """In 2 x 2 x 2 cubic cells of fcc: those of X three times, of L four times."""
    found = crystal_phonons(CU, EMT(), repeat=2).modes_thz
    cell = cell_phonons(CU.supercell(2), EMT())
    assert cell.frequencies_thz.shape == (93,)
    assert cell.n_imaginary == 0
    for name, times in (("x_ta", 6), ("x_la", 3), ("l_ta", 8), ("l_la", 4)):
        near = np.abs(cell.frequencies_thz / found[name] - 1) < 1e-3
        assert near.sum() >= times
    assert cell.n_displacements == 1


@pytest.mark.parametrize("rattle", [1e-6, 1e-4])
def test_forces_that_a_relaxation_left_cancel(rattle: float) -> None:
    """The opposite of every displacement is there, by symmetry or in fact: 7 displacements or 186.

    What is left is the effect of the distance from the minimum, proportional to it: 0.08 THz for 0.01 Å.
    """
    start = CU.supercell(2)
    del start[0]
    relaxed = relax(start, EmtCalculator(), fmax_ev_per_ang=1e-5).atoms
    expected = cell_phonons(relaxed, EmtCalculator()).frequencies_thz
    off = relaxed.copy()
    way = start.positions - relaxed.positions
    off.positions += 0.003 * way / np.abs(way).max()
    off.rattle(rattle, seed=1)
    assert np.abs(EmtCalculator().get_property("forces", off)).max() > 0.01
    found = cell_phonons(off, EmtCalculator())
    assert found.n_displacements == (7 if rattle < 1e-5 else 186)
    assert found.frequencies_thz == pytest.approx(expected, abs=0.04)


def test_symmetry_of_a_vacancy_spares_displacements() -> None:
    atoms = CU.supercell(2)
    del atoms[0]
    assert cell_phonons(atoms, fcc_springs(3.59, 3.0)).n_displacements < 31


# -- continuation ------------------------------------------------------------------------------------


def rattled() -> Atoms:
    """Four atoms without symmetry: 24 displacements."""
    atoms = CU.cubic()
    atoms.positions += 0.02 * np.random.default_rng(0).standard_normal((4, 3))
    return atoms


def test_interrupted_computation_continues_exactly(tmp_path: Path) -> None:
    whole = cell_phonons(rattled(), fcc_springs(3.59, 3.0))
    assert whole.n_displacements == 24
    checkpoint = Checkpoint(tmp_path / "phonons")
    stopped = fcc_springs(3.59, 3.0)
    stopped.interrupt_at = 2 * AT_ONCE + 3
    with pytest.raises(KeyboardInterrupt):
        cell_phonons(rattled(), stopped, checkpoint=checkpoint)
    resumed, idle = fcc_springs(3.59, 3.0), fcc_springs(3.59, 3.0)
    again = cell_phonons(rattled(), resumed, checkpoint=checkpoint)
    assert resumed.calls == 24 - 2 * AT_ONCE
    assert np.array_equal(again.frequencies_thz, whole.frequencies_thz)
    cell_phonons(rattled(), idle, checkpoint=checkpoint)
    assert idle.calls == 0


def test_checkpoint_of_another_structure_is_not_used(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "phonons")
    cell_phonons(CU.supercell(2), fcc_springs(3.59, 3.0), checkpoint=checkpoint)
    calculator = fcc_springs(3.59, 3.0)
    cell_phonons(rattled(), calculator, checkpoint=checkpoint)
    assert calculator.calls == 24


def test_displacements_are_evaluated_in_batches() -> None:
    class AtOnce(Springs):
        sizes: list[int] = []  # noqa: RUF012

        def evaluate_many(self, frames):
            self.sizes.append(len(frames))
            one = fcc_springs(3.59, 3.0)
            return [Evaluated(energy_ev=0.0, forces_ev_per_ang=one.get_property("forces", f)) for f in frames]

    calculator = AtOnce(3.59 / np.sqrt(2), 3.0)
    told: list[tuple[int, int, str]] = []
    found = cell_phonons(rattled(), calculator, progress=lambda *step: told.append(step), what="some cell")
    assert calculator.sizes == [AT_ONCE] * 3
    assert told == [(done, 24, "some cell") for done in (0, 8, 16, 24)]
    expected = cell_phonons(rattled(), fcc_springs(3.59, 3.0)).frequencies_thz
    assert np.array_equal(found.frequencies_thz, expected)
