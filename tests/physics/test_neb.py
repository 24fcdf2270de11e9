"""Minimum-energy paths: forces of the band, known saddles, ASE's own NEB, symmetry, exact continuation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.mep import NEB
from ase.optimize import FIRE, LBFGS

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import BadNumberError, CalculationError, DataError
from mlpzoo.physics import neb as neb_module
from mlpzoo.physics import neb_band as band_module
from mlpzoo.physics import neb_pieces as pieces_module
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.evaluate import Evaluated
from mlpzoo.physics.hops import vacancy_hops
from mlpzoo.physics.neb import NebSettings, find_path
from mlpzoo.physics.neb import Path as Band
from mlpzoo.physics.neb_path import (
    band_forces,
    dips,
    displacement,
    interpolated,
    path_lengths,
    resampled,
    shortest_contact,
    tangents,
    unwrapped,
)
from mlpzoo.physics.neb_work import work
from mlpzoo.physics.relax import Relaxed, relax

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
AL = Crystal(symbol="Al", structure="fcc", lattice_constant_ang=3.995)
NI = Crystal(symbol="Ni", structure="fcc", lattice_constant_ang=3.487)
FAST = NebSettings(n_images=5, fmax_ev_per_ang=0.03)


class Fresh(Calculator):
    """EMT without memory, so that a number depends on the positions alone; counted, and can be interrupted."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, interrupt_at: int = -1) -> None:
        super().__init__()
        self.interrupt_at, self.calls = interrupt_at, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces of a new EMT."""
        super().calculate(atoms, properties, system_changes)
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        self.calls += 1
        inner, copy = EMT(), atoms.copy()
        self.results = {name: inner.get_property(name, copy) for name in ("energy", "forces")}


class AtOnce(Calculator):
    """Takes all images in one call, and none alone."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def evaluate_many(self, frames):
        """Energies and forces."""
        self.sizes.append(len(frames))
        inner = Fresh()
        return [
            Evaluated(
                energy_ev=float(inner.get_property("energy", atoms)),
                forces_ev_per_ang=inner.get_property("forces", atoms),
            )
            for atoms in frames
        ]


class Valley(Calculator):
    """One atom; V = A (x⁴/4 - s x³/3 - x²/2 + s x) + k/2 (y - c (1 - x²))² + k/2 z².

    Minima at (±1, 0, 0), and the saddle point between them at x = s, on the bent floor of the valley.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)
    height, stiffness, bend = 2.0, 10.0, 0.5

    def __init__(self, saddle: float) -> None:
        super().__init__()
        self.saddle = saddle

    def floor(self, x: float) -> float:
        """Energy at the bottom of the valley."""
        s = self.saddle
        return self.height * (x**4 / 4 - s * x**3 / 3 - x**2 / 2 + s * x)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces."""
        super().calculate(atoms, properties, system_changes)
        x, y, z = atoms.positions[0]
        off = y - self.bend * (1 - x**2)
        slope = self.height * (x**2 - 1) * (x - self.saddle)
        self.results = {
            "energy": self.floor(x) + 0.5 * self.stiffness * (off**2 + z**2),
            "forces": -np.array(
                [
                    [
                        slope + self.stiffness * off * 2 * self.bend * x,
                        self.stiffness * off,
                        self.stiffness * z,
                    ]
                ]
            ),
        }


class MuellerBrown(Calculator):
    """One atom on the surface of Müller and Brown, Theor. Chim. Acta 53, 75 (1979), in units of 10 meV."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)
    terms = (
        (-200.0, -1.0, 0.0, -10.0, 1.0, 0.0),
        (-100.0, -1.0, 0.0, -10.0, 0.0, 0.5),
        (-170.0, -6.5, 11.0, -6.5, -0.5, 1.5),
        (15.0, 0.7, 0.6, 0.7, -1.0, 1.0),
    )

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces."""
        super().calculate(atoms, properties, system_changes)
        x, y, z = atoms.positions[0]
        energy, forces = 10.0 * z**2, np.array([0.0, 0.0, -20.0 * z])
        for height, a, b, c, x0, y0 in self.terms:
            u, v = x - x0, y - y0
            value = height * np.exp(a * u * u + b * u * v + c * v * v)
            energy += value
            forces -= value * np.array([2 * a * u + b * v, b * u + 2 * c * v, 0.0])
        self.results = {"energy": 0.01 * energy, "forces": 0.01 * forces[None]}


def end(atoms: Atoms, calculator: Calculator) -> Relaxed:
    """A structure as it is, taken for relaxed."""
    energy = float(calculator.get_property("energy", atoms))
    return Relaxed(atoms=atoms, energy_ev=energy, start_energy_ev=energy, fmax_ev_per_ang=0.0, n_steps=0)


def ends(crystal: Crystal, repeat: int = 2, neighbour: int = 0) -> tuple[Relaxed, Relaxed]:
    """Both ends of a vacancy's hop in EMT."""
    hop = vacancy_hops(crystal, repeat, neighbour=neighbour)["ideal"]
    return relax(hop.initial, EMT(), fmax_ev_per_ang=0.005), relax(hop.final, EMT(), fmax_ev_per_ang=0.005)


@pytest.fixture(scope="module")
def copper() -> tuple[Relaxed, Relaxed]:
    """A hop in 31 atoms of copper."""
    return ends(CU)


@pytest.fixture(scope="module")
def copper_path(copper: tuple[Relaxed, Relaxed]) -> Band:
    """Its path."""
    return find_path(*copper, Fresh(), FAST)


# -- the band ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("climb", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_forces_are_those_of_ase(seed: int, climb: bool) -> None:
    generator = np.random.default_rng(seed)
    n_images, n_atoms, spring = 7, 5, 1.7
    band = np.cumsum(generator.standard_normal((n_images, n_atoms, 3)), axis=0)
    energies = generator.standard_normal(n_images)
    if seed == 0:
        energies = np.array([0.0, 0.3, 0.9, 1.4, 0.9, 0.5, 0.1])  # equal neighbours of the top
    forces = generator.standard_normal((n_images, n_atoms, 3))
    images = [Atoms(f"Cu{n_atoms}", positions) for positions in band]
    for atoms, energy, force in zip(images, energies, forces, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=force)
    expected = NEB(images, k=spring, climb=climb, method="improvedtangent").get_forces()
    highest = int(np.argmax(energies[1:-1])) + 1 if climb else None
    found = band_forces(band, energies, forces[1:-1], spring_ev_per_ang2=spring, climbing=highest)
    assert found.reshape(-1, 3) == pytest.approx(expected, abs=1e-10)


def test_three_equal_energies_have_a_tangent() -> None:
    band = np.array([[[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], [[2.0, 0.0, 0.0]]])
    assert tangents(band, np.zeros(3)) == pytest.approx(np.array([[[1.0, 0.0, 0.0]]]))


def test_band_goes_on_beyond_the_border() -> None:
    first = Atoms("Cu2", [[0.1, 0, 0], [5, 5, 5]], cell=[10, 10, 10], pbc=True)
    last = Atoms("Cu2", [[9.5, 0, 0], [5, 5, 5]], cell=[10, 10, 10], pbc=True)
    assert displacement(first, last) == pytest.approx(np.array([[-0.6, 0, 0], [0, 0, 0]]))
    band = interpolated(first, last, 4)
    assert band[:, 0, 0] == pytest.approx([0.1, -0.1, -0.3, -0.5])
    images = [Atoms("Cu2", positions, cell=[10, 10, 10], pbc=True) for positions in band]
    for image in images:
        image.wrap()
    assert unwrapped(images) == pytest.approx(band)
    assert path_lengths(band) == pytest.approx([0.0, 0.2, 0.4, 0.6])


def test_atoms_are_led_around_each_other() -> None:
    """Straight lines would lead one atom through another."""
    first = Atoms("Cu3", [[0, 0, 0], [4.0, 0.1, 0], [2.0, -0.1, 0]], cell=[20, 20, 20], pbc=True)
    last = Atoms("Cu3", [[4.0, 0.1, 0], [0, 0, 0], [2.0, -0.1, 0]], cell=[20, 20, 20], pbc=True)
    band = interpolated(first, last, 7)
    assert np.array_equal(band[0], first.positions)
    assert band[-1] == pytest.approx(last.positions)
    straight = first.positions + np.linspace(0, 1, 7)[:, None, None] * (last.positions - first.positions)
    assert min(shortest_contact(first, p) for p in straight) < 0.3
    assert min(shortest_contact(first, p) for p in band) > 1.0


@pytest.mark.parametrize("pbc", [True, False])
def test_shortest_contact_is_over_the_border_of_a_periodic_cell(pbc: bool) -> None:
    atoms = Atoms("Cu2", [[0.2, 0, 0], [9.0, 0, 0]], cell=[10, 10, 10], pbc=pbc)
    assert shortest_contact(atoms, atoms.positions) == pytest.approx(1.2 if pbc else 8.8)


def test_dips_are_found_the_lowest_first() -> None:
    assert dips(np.array([0.0, 0.5, 0.2, 0.6, 0.1, 0.9, 0.0])) == [4, 2]
    assert dips(np.array([0.0, 0.5, 0.499, 0.6, 0.0])) == [], "not by what forces leave"
    assert dips(np.array([0.0, 0.5, 0.0])) == []


def test_resampled_band_has_equal_steps_along_the_old_one() -> None:
    corner = np.array([[[0.0, 0, 0]], [[1.0, 0, 0]], [[1.0, 3.0, 0]]])
    found = resampled(corner, 5)
    assert found[:, 0] == pytest.approx(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 2, 0], [1, 3, 0]]))
    assert np.array_equal(found[[0, -1]], corner[[0, -1]])


def test_ends_that_do_not_belong_together_are_an_error() -> None:
    a = Atoms("CuAl", [[0, 0, 0], [2, 2, 2]], cell=[5, 5, 5], pbc=True)
    b, c = a[[1, 0]], a.copy()
    c.set_cell([5, 5, 6])
    with pytest.raises(DataError, match="order"):
        displacement(a, b)
    with pytest.raises(DataError, match="cells"):
        displacement(a, c)


# -- known saddles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("saddle", [0.0, 0.3, -0.45])
def test_saddle_of_a_bent_valley_is_found(saddle: float) -> None:
    surface = Valley(saddle)
    initial, final = (end(Atoms("Cu", [[x, 0.0, 0.0]]), surface) for x in (-1.0, 1.0))
    path = find_path(initial, final, surface, NebSettings(fmax_ev_per_ang=0.003))
    top = surface.floor(saddle)
    assert path.barrier_ev == pytest.approx(top - surface.floor(-1.0), abs=1e-4)
    assert path.reverse_barrier_ev == pytest.approx(top - surface.floor(1.0), abs=1e-4)
    highest = path.positions_ang[int(np.argmax(path.energies_ev)), 0]
    assert highest == pytest.approx([saddle, 0.5 * (1 - saddle**2), 0.0], abs=5e-3)
    assert path.fmax_ev_per_ang < 0.003
    assert list(path.by_start_ev) == ["straight", "bowed", "bowed back"]
    assert path.intermediate_minimum_ev is None


def test_saddle_of_mueller_and_brown_is_found() -> None:
    """Minima -146.70 and -80.77, the saddle point between them -40.66 at (-0.822, 0.624)."""
    surface = MuellerBrown()
    initial, final = (
        relax(Atoms("Cu", [[x, y, 0.0]]), surface, fmax_ev_per_ang=1e-4)
        for x, y in ((-0.56, 1.44), (-0.05, 0.47))
    )
    assert [initial.energy_ev, final.energy_ev] == pytest.approx([-1.46700, -0.80768], abs=1e-4)
    path = find_path(initial, final, surface, NebSettings(n_images=9, fmax_ev_per_ang=0.003))
    assert path.energies_ev.max() == pytest.approx(-0.40665, abs=1e-4)
    highest = path.positions_ang[int(np.argmax(path.energies_ev)), 0]
    assert highest == pytest.approx([-0.822, 0.624, 0.0], abs=5e-3)


@pytest.fixture(scope="module")
def far_ends() -> tuple[Relaxed, Relaxed]:
    """The deep minima of Müller and Brown, -146.70 and -108.17; a third one, -80.77, lies between them."""
    return tuple(
        relax(Atoms("Cu", [[x, y, 0.0]]), MuellerBrown(), fmax_ev_per_ang=1e-4)
        for x, y in ((-0.56, 1.44), (0.62, 0.03))
    )


@pytest.mark.parametrize("n_images", [3, 5, 7, 9])
def test_path_over_two_saddles_is_found_with_any_number_of_images(
    far_ends: tuple[Relaxed, Relaxed], n_images: int
) -> None:
    """With 5 and 9 images the band slides from one saddle to the other and does not converge in one piece."""
    path = find_path(*far_ends, MuellerBrown(), NebSettings(n_images=n_images, fmax_ev_per_ang=0.005))
    assert path.energies_ev.max() == pytest.approx(-0.40665, abs=1e-4)
    assert path.reverse_barrier_ev == pytest.approx(1.08167 - 0.40665, abs=1e-3)
    assert np.array_equal(path.positions_ang[0], far_ends[0].atoms.positions)
    assert path.positions_ang[-1] == pytest.approx(far_ends[1].atoms.positions, abs=1e-12)
    assert path.fmax_ev_per_ang < 0.005
    if n_images in {5, 9}:
        [image] = path.minima
        assert path.energies_ev[image] == pytest.approx(-0.80768, abs=1e-3)
        assert path.positions_ang[image, 0] == pytest.approx([-0.05, 0.467, 0.0], abs=5e-3)
        assert path.minima_ev == pytest.approx([1.46700 - 0.80768], abs=1e-3)
        second = path.energies_ev[image:].max()
        assert second == pytest.approx(-0.72249, abs=1e-4), "the other saddle, (0.212, 0.293)"


def test_start_that_cannot_be_the_lowest_is_not_cut(
    far_ends: tuple[Relaxed, Relaxed], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[float] = []
    real = neb_module.in_pieces

    def counted(failed, *args, **kwargs):
        cut.append(failed.band.barrier_ev)
        return real(failed, *args, **kwargs)

    monkeypatch.setattr(neb_module, "in_pieces", counted)
    path = find_path(*far_ends, MuellerBrown(), NebSettings(n_images=9, fmax_ev_per_ang=0.005))
    assert len(cut) < 3, "all three fail in one piece"
    assert sum(isinstance(found, str) for found in path.by_start_ev.values()) == 3 - len(cut)


def test_band_without_a_minimum_on_its_way_stays_unconverged(
    copper: tuple[Relaxed, Relaxed], monkeypatch: pytest.MonkeyPatch
) -> None:
    relaxed: list[object] = []
    real = pieces_module.relax
    monkeypatch.setattr(pieces_module, "relax", lambda *a, **k: relaxed.append(0) or real(*a, **k))
    with pytest.raises(CalculationError, match=r"highest image 0\.7"):
        find_path(*copper, EMT(), NebSettings(n_images=5, max_iterations=8))
    assert relaxed, "it looked for one"


@pytest.mark.parametrize("crystal", [CU, AL, NI], ids=["cu", "al", "ni"])
def test_emt_barriers_are_those_of_ase(crystal: Crystal) -> None:
    initial, final = ends(crystal)
    path = find_path(initial, final, EMT(), NebSettings(n_images=5, fmax_ev_per_ang=0.01))

    hop = vacancy_hops(crystal, 2)["ideal"]
    images = [hop.initial.copy() for _ in range(4)] + [hop.final.copy()]
    for image in images:
        image.calc = EMT()
    for image in (images[0], images[-1]):
        LBFGS(image, logfile=None).run(fmax=0.005)
    band = NEB(images, k=1.0, climb=True, method="improvedtangent")
    band.interpolate(mic=True)
    assert FIRE(band, logfile=None).run(fmax=0.02, steps=200)
    energies = [image.get_potential_energy() for image in images]
    assert path.barrier_ev == pytest.approx(max(energies) - energies[0], abs=0.005)
    assert 0.2 < path.barrier_ev < 1.5


# -- what a path does not depend on ------------------------------------------------------------------


def test_hop_across_the_border_is_the_hop_inside(copper_path: Band) -> None:
    perfect = CU.supercell(2)
    direct = perfect.get_distances(0, range(32))
    mic = perfect.get_distances(0, range(32), mic=True)
    near = np.flatnonzero((mic > 0) & (mic < 1.1 * CU.neighbour_distance_ang))
    inside = [k for k, atom in enumerate(near) if direct[atom] < mic[atom] + 1e-9]
    across = [k for k, atom in enumerate(near) if direct[atom] > mic[atom] + 1.0]
    assert inside[0] == 0, "that of the fixture"
    assert len(inside) + len(across) == 12
    initial, final = ends(CU, neighbour=across[-1])
    assert np.abs(final.atoms.positions - initial.atoms.positions).max() > 4.0, "it does cross"
    path = find_path(initial, final, EMT(), FAST)
    assert path.barrier_ev == pytest.approx(copper_path.barrier_ev, abs=1e-3)
    assert path.coordinate_ang[-1] == pytest.approx(copper_path.coordinate_ang[-1], abs=0.05)


def test_barrier_is_the_same_backwards(copper: tuple[Relaxed, Relaxed], copper_path: Band) -> None:
    back = find_path(copper[1], copper[0], EMT(), FAST)
    assert copper_path.barrier_ev == pytest.approx(copper_path.reverse_barrier_ev, abs=1e-3)
    assert back.barrier_ev == pytest.approx(copper_path.barrier_ev, abs=1e-3)


def test_ends_of_the_path_are_the_given_ones(copper: tuple[Relaxed, Relaxed], copper_path: Band) -> None:
    assert np.array_equal(copper_path.positions_ang[0], copper[0].atoms.positions)
    moved = copper_path.positions_ang[-1] - copper[1].atoms.positions
    cell = copper[1].atoms.cell.array
    turns = moved @ np.linalg.inv(cell)
    assert turns == pytest.approx(np.rint(turns), abs=1e-9)
    assert copper_path.energies_ev[[0, -1]] == pytest.approx([copper[0].energy_ev, copper[1].energy_ev])
    assert copper_path.energies_ev.shape == copper_path.coordinate_ang.shape == (5,)


# -- failures ----------------------------------------------------------------------------------------


def test_two_ends_that_are_one_structure_are_an_error(copper: tuple[Relaxed, Relaxed]) -> None:
    with pytest.raises(CalculationError, match="both ends of the path relaxed into one structure"):
        find_path(copper[0], copper[0], EMT(), FAST)


def test_what_does_not_converge_is_an_error(copper: tuple[Relaxed, Relaxed]) -> None:
    hurried = NebSettings(n_images=5, max_iterations=3)
    with pytest.raises(
        CalculationError, match=r"no path converged: straight: .*3 iterations; bowed: .*3"
    ) as e:
        find_path(*copper, EMT(), hurried)
    assert e.value.hint


def test_one_start_that_fails_does_not_hide_the_other() -> None:
    class Cliff(Valley):
        """Nothing is finite far beside the floor of the valley."""

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            if abs(atoms.positions[0, 2]) > 0.1:
                self.results["energy"] = np.nan

    surface = Cliff(0.0)
    initial, final = (end(Atoms("Cu", [[x, 0.0, 0.0]]), surface) for x in (-1.0, 1.0))
    path = find_path(initial, final, surface, NebSettings(seed=0))
    assert path.start == "straight"
    assert path.by_start_ev["straight"] == pytest.approx(0.5, abs=1e-3)
    assert "not finite" in str(path.by_start_ev["bowed"])


@pytest.mark.parametrize("factor", [0.0, -1.0, 0.01, 3.0])
def test_forces_that_are_not_those_of_the_energy_give_no_barrier(factor: float) -> None:
    class Scaled(Valley):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results["forces"] = factor * self.results["forces"]

    surface = Scaled(0.3)
    initial, final = (end(Atoms("Cu", [[x, 0.0, 0.0]]), surface) for x in (-1.0, 1.0))
    with pytest.raises(CalculationError, match=r"not those of the energy|no path converged"):
        find_path(initial, final, surface, NebSettings())


def test_path_downhill_from_its_end_has_no_barrier() -> None:
    """Ends that a model calls relaxed, as it has no forces there; every image between them is lower."""

    class Dome(Valley):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results = {"energy": float(atoms.positions[0, 0] ** 2), "forces": np.zeros((1, 3))}

    surface = Dome(0.0)
    initial, final = (end(Atoms("Cu", [[x, 0.0, 0.0]]), surface) for x in (-1.0, 1.0))
    with pytest.raises(CalculationError, match="no image of the path is higher than its ends"):
        find_path(initial, final, surface, NebSettings())


def test_piece_whose_atoms_were_led_into_each_other_starts_anew() -> None:
    first = Atoms("Cu3", [[0, 0, 0], [4.0, 0.1, 0], [2.0, 3.0, 0]], cell=[20, 20, 20], pbc=True)
    last = Atoms("Cu3", [[1.0, 0, 0], [5.0, 0.1, 0], [2.0, 3.0, 0]], cell=[20, 20, 20], pbc=True)
    good = interpolated(first, last, 5)
    assert np.array_equal(pieces_module._without_clash(good, first), good)
    bad = good.copy()
    bad[2, 2] = bad[2, 1] + 0.1
    assert pieces_module._without_clash(bad, first) == pytest.approx(good)


def test_work_of_a_parabola_is_exact_between_its_ends() -> None:
    """F = -2x: the trapezoidal rule is exact; the ends are taken to have no force, as relaxed ones have none."""
    x = np.array([0.0, 0.3, 0.7, 1.0])
    band = np.zeros((4, 1, 3))
    band[:, 0, 0] = x
    found = work(band, -2 * band[1:-1])
    assert found[:3] == pytest.approx([0.0, 0.09, 0.49])
    assert found[3] == pytest.approx(0.49 + 0.3 * 0.7)


def test_energies_that_are_not_finite_are_an_error(copper: tuple[Relaxed, Relaxed]) -> None:
    class Broken(Fresh):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results["forces"] = self.results["forces"] * np.nan

    with pytest.raises(CalculationError, match="not finite"):
        find_path(*copper, Broken(), FAST)
    assert issubclass(BadNumberError, CalculationError)


# -- continuation and batches ------------------------------------------------------------------------


def same(a: Band, b: Band) -> bool:
    """Bit by bit."""
    return (
        np.array_equal(a.positions_ang, b.positions_ang)
        and np.array_equal(a.energies_ev, b.energies_ev)
        and (a.n_iterations, a.start, a.by_start_ev, a.fmax_ev_per_ang)
        == (b.n_iterations, b.start, b.by_start_ev, b.fmax_ev_per_ang)
    )


def test_interrupted_search_continues_exactly(
    copper: tuple[Relaxed, Relaxed], copper_path: Band, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(band_module, "SAVE_EVERY_S", 0.0)
    checkpoint = Checkpoint(tmp_path / "band")
    found: list[Band] = []
    sessions = 0
    while not found and sessions < 20:
        sessions += 1
        try:
            found.append(find_path(*copper, Fresh(interrupt_at=16), FAST, checkpoint=checkpoint))
        except KeyboardInterrupt:
            continue
    assert 3 < sessions < 20, "one session is too short for any of the two starts"
    assert same(found[0], copper_path)


def test_interrupted_search_in_pieces_continues_exactly(
    far_ends: tuple[Relaxed, Relaxed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(MuellerBrown):
        calls = 0

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            self.calls += 1
            if self.calls > 150:
                raise KeyboardInterrupt
            super().calculate(atoms, properties, system_changes)

    settings = NebSettings(n_images=5, fmax_ev_per_ang=0.005)
    monkeypatch.setattr(band_module, "SAVE_EVERY_S", 0.0)
    found: list[Band] = []
    sessions = 0
    while not found and sessions < 20:
        sessions += 1
        try:
            found.append(find_path(*far_ends, Killed(), settings, checkpoint=Checkpoint(tmp_path / "band")))
        except KeyboardInterrupt:
            continue
    assert 3 < sessions < 20
    whole = find_path(*far_ends, MuellerBrown(), settings)
    assert whole.minima
    assert same(found[0], whole)


def test_checkpoint_of_another_band_is_not_used(
    copper: tuple[Relaxed, Relaxed], copper_path: Band, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(band_module, "SAVE_EVERY_S", 0.0)
    checkpoint = Checkpoint(tmp_path / "band")
    with pytest.raises(KeyboardInterrupt):
        find_path(
            *copper,
            Fresh(interrupt_at=20),
            NebSettings(n_images=5, fmax_ev_per_ang=0.03, seed=1),
            checkpoint=checkpoint,
        )
    assert same(find_path(*copper, Fresh(), FAST, checkpoint=checkpoint), copper_path)


def test_all_images_are_evaluated_together(copper: tuple[Relaxed, Relaxed], copper_path: Band) -> None:
    told: list[str] = []
    calculator = AtOnce()
    path = find_path(*copper, calculator, FAST, progress=lambda *step: told.append(step[2]))
    assert same(path, copper_path)
    assert calculator.sizes == [3] * len(told)
    by_start = {name: sum(f"({name} start)" in text for text in told) for name in path.by_start_ev}
    assert by_start[path.start] == path.n_iterations
