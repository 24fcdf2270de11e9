"""Relaxation: the minimum, nothing unconverged, few force calls, symmetry, exact continuation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.optimize import LBFGS

from mlpzoo.backends.tersoff import T3
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import BadNumberError, CalculationError
from mlpzoo.physics import relax as relax_module
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.defect_sites import interstitial_starts, vacancy
from mlpzoo.physics.relax import relax

CU = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
SI = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.432)


class Counting(Calculator):
    """Another calculator; remembers each structure, and can be interrupted."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, inner: Calculator, interrupt_at: int = -1) -> None:
        super().__init__()
        self.inner, self.interrupt_at = inner, interrupt_at
        self.seen: list[bytes] = []

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces of the inner calculator."""
        super().calculate(atoms, properties, system_changes)
        if len(self.seen) == self.interrupt_at:
            raise KeyboardInterrupt
        self.seen.append(atoms.positions.tobytes())
        copy = atoms.copy()
        self.results = {name: self.inner.get_property(name, copy) for name in ("energy", "forces")}


class Springs(Calculator):
    """Each coordinate on its own spring about its home."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)

    def __init__(self, home: np.ndarray, stiffness: np.ndarray | float) -> None:
        super().__init__()
        self.home, self.stiffness = home, stiffness

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy and forces of the springs."""
        super().calculate(atoms, properties, system_changes)
        away = atoms.positions - self.home
        self.results = {
            "energy": float((0.5 * self.stiffness * away**2).sum()),
            "forces": -self.stiffness * away,
        }


def tersoff() -> TersoffCalculator:
    """Silicon."""
    return TersoffCalculator({("Si", "Si", "Si"): T3})


def rattled(atoms: Atoms, width_ang: float) -> Atoms:
    """A copy with seeded displacements."""
    copy = atoms.copy()
    copy.positions += width_ang * np.random.default_rng(0).standard_normal((len(atoms), 3))
    return copy


def test_minimum_of_springs_is_found() -> None:
    home = CU.supercell(2).positions
    stiffness = np.linspace(2.0, 60.0, home.size).reshape(home.shape)
    start = rattled(CU.supercell(2), 0.2)
    relaxed = relax(start, Springs(home, stiffness), fmax_ev_per_ang=1e-4)
    assert relaxed.fmax_ev_per_ang <= 1e-4
    assert np.abs(relaxed.atoms.positions - home).max() <= 1e-4 / stiffness.min()
    assert relaxed.energy_ev == pytest.approx(0.0, abs=1e-7)
    assert relaxed.start_energy_ev == pytest.approx(0.5 * (stiffness * (start.positions - home) ** 2).sum())


@pytest.mark.parametrize("n_atoms", [1, 2])
def test_molecules_of_one_and_two_atoms_relax(n_atoms: int) -> None:
    home = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.5]])[:n_atoms]
    start = Atoms(f"Cu{n_atoms}", home + 0.3)
    assert relax(start, Springs(home, 8.0), fmax_ev_per_ang=1e-3).energy_ev == pytest.approx(0.0, abs=1e-6)


def test_start_is_left_as_it_was_and_the_result_keeps_cell_and_order() -> None:
    start = rattled(CU.supercell(2), 0.1)
    before = start.copy()
    relaxed = relax(start, EMT(), fmax_ev_per_ang=0.05)
    assert start == before
    assert start.calc is None
    assert relaxed.atoms.calc is None
    assert np.array_equal(relaxed.atoms.cell, start.cell)
    assert np.abs(relaxed.atoms.positions - CU.supercell(2).positions).max() < 0.3, (
        "each atom at its own site"
    )


def test_structure_without_forces_costs_one_call_and_does_not_move() -> None:
    calculator = Counting(EMT())
    relaxed = relax(CU.supercell(2), calculator, fmax_ev_per_ang=0.01)
    assert (relaxed.n_steps, len(calculator.seen)) == (0, 1)
    assert np.array_equal(relaxed.atoms.positions, CU.supercell(2).positions)


def test_half_the_force_calls_of_lbfgs_and_none_of_them_twice() -> None:
    starts = [
        (vacancy(CU, 3), EMT),
        (rattled(vacancy(CU, 2), 0.1), EMT),
        (interstitial_starts(CU, 2)["dumbbell_100"], EMT),
        (vacancy(SI, 2), tersoff),
        (interstitial_starts(SI, 2)["tetrahedral"], tersoff),
        (rattled(SI.supercell(2), 0.15), tersoff),
    ]
    mine, theirs = 0, 0
    for start, potential in starts:
        ours, other = Counting(potential()), Counting(potential())
        relaxed = relax(start, ours, fmax_ev_per_ang=0.01)
        atoms = start.copy()
        atoms.calc = other
        assert LBFGS(atoms, logfile=None).run(fmax=0.01, steps=300)
        assert relaxed.energy_ev == pytest.approx(atoms.get_potential_energy(), abs=2e-3), "the same minimum"
        assert len(set(ours.seen)) == len(ours.seen) == relaxed.n_steps + 1
        mine += len(ours.seen)
        theirs += len(other.seen)
    assert mine <= 0.6 * theirs


def test_what_does_not_converge_is_an_error() -> None:
    with pytest.raises(CalculationError, match=r"did not converge: .* eV/Å after 2 steps") as caught:
        relax(rattled(CU.supercell(2), 0.2), EMT(), fmax_ev_per_ang=1e-3, max_steps=2)
    assert caught.value.hint


def test_atoms_that_fly_apart_are_an_error() -> None:
    start = rattled(CU.supercell(2), 0.01)
    with pytest.raises(CalculationError, match="fell apart: atom"):
        relax(start, Springs(CU.supercell(2).positions, -5.0), fmax_ev_per_ang=0.01)


def test_forces_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(BadNumberError, match="not finite"):
        relax(rattled(CU.supercell(2), 0.1), Springs(np.zeros((32, 3)), np.nan), fmax_ev_per_ang=0.01)


def test_noise_of_single_precision_does_not_stop_it() -> None:
    class Rounded(Counting):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            noise = np.random.default_rng(len(self.seen))
            self.results["energy"] = (
                float(np.float32(self.results["energy"])) + 1e-4 * noise.standard_normal()
            )
            self.results["forces"] = self.results["forces"] + 1e-4 * noise.standard_normal((len(atoms), 3))

    calculator = Rounded(tersoff())
    relaxed = relax(rattled(vacancy(SI, 2), 0.1), calculator, fmax_ev_per_ang=0.01)
    assert relaxed.n_steps < 30


def test_tetrahedral_symmetry_of_the_start_is_kept() -> None:
    start = interstitial_starts(SI, 2)["tetrahedral"]
    relaxed = relax(start, tersoff(), fmax_ev_per_ang=0.005)
    lengths = np.sort(relaxed.atoms.get_distances(-1, range(64), mic=True))
    assert np.ptp(lengths[:4]) < 1e-9, "four equal neighbours"
    assert np.ptp(lengths[4:10]) < 1e-9, "and six equal second ones"
    assert lengths[0] - SI.neighbour_distance_ang > 0.01, "they gave way"


def test_interrupted_relaxation_continues_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relax_module, "SAVE_EVERY_S", 0.0)
    start = rattled(vacancy(SI, 2), 0.2)
    whole_calculator = Counting(tersoff())
    whole = relax(start, whole_calculator, fmax_ev_per_ang=0.01)
    checkpoint = Checkpoint(tmp_path / "relax")
    made = 0
    for calls in (1, 5, 3, -1):
        calculator = Counting(tersoff(), interrupt_at=calls)
        if calls >= 0:
            with pytest.raises(KeyboardInterrupt):
                relax(start, calculator, fmax_ev_per_ang=0.01, checkpoint=checkpoint)
        else:
            pieced = relax(start, calculator, fmax_ev_per_ang=0.01, checkpoint=checkpoint)
        made += len(calculator.seen)
    assert np.array_equal(pieced.atoms.positions, whole.atoms.positions)
    assert (pieced.energy_ev, pieced.start_energy_ev) == (whole.energy_ev, whole.start_energy_ev)
    assert (pieced.fmax_ev_per_ang, pieced.n_steps) == (whole.fmax_ev_per_ang, whole.n_steps)
    assert made <= len(whole_calculator.seen) + 2, "only what no step had used yet is computed again"

    idle = Counting(tersoff())
    again = relax(start, idle, fmax_ev_per_ang=0.01, checkpoint=checkpoint)
    assert idle.seen == [], "a finished relaxation is read"
    assert again.energy_ev == whole.energy_ev


def test_checkpoint_of_another_structure_is_not_used(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "relax")
    relax(rattled(vacancy(SI, 2), 0.1), tersoff(), fmax_ev_per_ang=0.05, checkpoint=checkpoint)
    fresh = relax(vacancy(SI, 2), tersoff(), fmax_ev_per_ang=0.05)
    found = relax(vacancy(SI, 2), tersoff(), fmax_ev_per_ang=0.05, checkpoint=checkpoint)
    assert found.energy_ev == fresh.energy_ev
    assert found.n_steps == fresh.n_steps


def test_progress_tells_the_force_that_is_left() -> None:
    told: list[tuple[int, int, str]] = []
    relax(rattled(CU.supercell(2), 0.1), EMT(), fmax_ev_per_ang=0.1, progress=lambda *t: told.append(t))
    assert told[0] == (0, 500, "relaxation")
    assert all(text.endswith("eV/Å") for _, _, text in told[1:])


def test_energy_that_is_not_finite_is_an_error() -> None:
    class Hole(Springs):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results["energy"] = np.nan

    with pytest.raises(BadNumberError, match="not finite"):
        relax(rattled(CU.supercell(2), 0.01), Hole(CU.supercell(2).positions, 5.0), fmax_ev_per_ang=0.01)
