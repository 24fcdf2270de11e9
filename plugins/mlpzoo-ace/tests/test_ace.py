"""What the conformance kit cannot know of ACE: its two kinds of files, cores, stresses of the fit, slabs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mlpzoo_ace
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_ace.backend import AceBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError, UsageError
from mlpzoo.models import ModelSpec
from mlpzoo.training import TrainingJob

needs_pyace = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in AceBackend.requires),
    reason="python-ace is not installed",
)
CARD = AceBackend().cards()[0]
WEIGHTS = Path(mlpzoo_ace.__file__).parent / "models" / "si-small.yace"


def own(path: Path) -> ModelSpec:
    return ModelSpec(name=f"ace:{path}", path=str(path))


def crystal(seed: int = 0, rattle: float = 0.15, pair: tuple[str, str] = ("Si", "Si")) -> Atoms:
    atoms = bulk(pair[0], "diamond", a=5.43, cubic=True)
    atoms.symbols[::2] = pair[1]
    random = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * random.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += rattle * random.normal(size=atoms.positions.shape)
    return atoms


def labelled(atoms: Atoms, calculator: object) -> Atoms:
    """With the numbers of another ACE: what a linear fit with the same basis must find again."""
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = atoms.copy()
    copy.calc = calculator
    numbers = {
        "energy": copy.get_potential_energy(),
        "forces": copy.get_forces(),
        "stress": copy.get_stress(),
    }
    copy.calc = SinglePointCalculator(copy, **numbers)
    return copy


def job(directory: Path, frames: list[Atoms], **settings: object) -> TrainingJob:
    preset = AceBackend().presets()["smoke"]
    values = {name: setting.value for name, setting in preset.settings.items()} | settings
    return TrainingJob(directory=directory, train=frames, validation=frames[:1], settings=values)


def tersoff_frames(n: int = 10) -> list[Atoms]:
    import mlpzoo

    calculator = mlpzoo.load("tersoff")
    return [labelled(crystal(seed), calculator) for seed in range(n)]


@needs_pyace
def test_numbers_are_those_of_pyace_itself() -> None:
    """Recursive evaluation, without projections, against the evaluator that is not recursive."""
    calculator = build(AceBackend(), own(WEIGHTS))
    from pyace import PyACECalculator

    bare = PyACECalculator(str(WEIGHTS))
    for seed in range(3):
        atoms = crystal(seed) * (2, 1, 1)
        bare.calculate(atoms)
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        for name in ("energy", "forces", "stress"):
            np.testing.assert_allclose(calculator.results[name], bare.results[name], rtol=0, atol=1e-9)


@needs_pyace
def test_a_fit_finds_the_potential_that_made_its_data(tmp_path: Path) -> None:
    """Energies, forces and stresses of an ACE with the same basis leave nothing over but the ridge."""
    frames = tersoff_frames()
    (tmp_path / "first").mkdir()
    first = AceBackend().train(job(tmp_path / "first", frames, core=0.0))
    calculator = AceBackend().calculator(own(first.path))
    (tmp_path / "second").mkdir()
    again = [labelled(atoms, calculator) for atoms in frames]
    second = AceBackend().train(job(tmp_path / "second", again, core=0.0, ridge=1e-14))
    found = AceBackend().calculator(own(second.path))
    strange = crystal(99)
    expected, fitted = labelled(strange, calculator), labelled(strange, found)
    assert fitted.get_potential_energy() == pytest.approx(expected.get_potential_energy(), abs=1e-4)
    np.testing.assert_allclose(fitted.get_forces(), expected.get_forces(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(fitted.get_stress(), expected.get_stress(), rtol=0, atol=1e-6)


@needs_pyace
@pytest.mark.parametrize("weight", ["energy_weight", "stress_weight"])
def test_each_weight_acts_on_its_errors(tmp_path: Path, weight: str) -> None:
    frames = tersoff_frames(20)
    errors = []
    for value in (1e-3, 1e3):
        directory = tmp_path / f"{value}"
        directory.mkdir()
        trained = AceBackend().train(job(directory, frames, functions=20, **{weight: value}))
        calculator = AceBackend().calculator(own(trained.path))
        fitted = [labelled(atoms, calculator) for atoms in frames]
        read = Atoms.get_stress if weight == "stress_weight" else Atoms.get_potential_energy
        errors.append(
            np.sqrt(
                np.mean([np.square(read(a) - read(b)).mean() for a, b in zip(fitted, frames, strict=True)])
            )
        )
    assert errors[1] < 0.5 * errors[0]


@needs_pyace
def test_two_elements_have_energies_and_cores_of_their_own(tmp_path: Path) -> None:
    frames = [crystal(seed, pair=("Si", "Ge")) for seed in range(8)]
    from ase.calculators.lj import LennardJones
    from ase.calculators.singlepoint import SinglePointCalculator

    for number, atoms in enumerate(frames):
        atoms.symbols[number % 8] = "Si"
        atoms.calc = LennardJones(sigma=2.0, epsilon=0.05, rc=4.5)
        offset = sum({"Si": -3.0, "Ge": -5.0}[symbol] for symbol in atoms.symbols)
        numbers = {"energy": atoms.get_potential_energy() + offset, "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **numbers)
    trained = AceBackend().train(job(tmp_path, frames))
    calculator = build(AceBackend(), own(trained.path))
    assert set(calculator.card.elements) == {"Si", "Ge"}
    assert [word in trained.notes for word in ("Ge-Si", "Si-Si", "Ge-Ge")] == [True] * 3
    alone = {symbol: Atoms([symbol], calculator=calculator).get_potential_energy() for symbol in ("Si", "Ge")}
    assert alone["Si"] - alone["Ge"] == pytest.approx(2.0, abs=1.0)
    energies = [
        Atoms("SiGe", positions=[[0, 0, 0], [0, 0, d]], calculator=calculator).get_potential_energy()
        for d in (0.5, 0.8, 1.2)
    ]
    assert energies[0] > energies[1] > energies[2]
    assert energies[0] > 200, "ZBL of Si-Ge at 0.5 Å: some 700 eV"


@needs_pyace
def test_a_core_repels_where_the_data_ends(tmp_path: Path) -> None:
    """The repulsion of Ziegler, Biersack and Littmark, written out; and none of it where there is data."""
    frames = tersoff_frames()
    found = {}
    for share in (0.95, 0.0):
        directory = tmp_path / f"{share}"
        directory.mkdir()
        trained = AceBackend().train(job(directory, frames, core=share))
        found[share] = AceBackend().calculator(own(trained.path))
    distance = 0.7
    pair = Atoms("Si2", positions=[[0, 0, 0], [0, 0, distance]])
    alone = found[0.95].get_potential_energy(Atoms("Si"))
    energy = found[0.95].get_potential_energy(pair) - 2 * alone
    length = 0.46850 / (2 * 14**0.23)
    screening = sum(
        c * np.exp(-b * distance / length)
        for c, b in [(0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162)]
    )
    assert energy == pytest.approx(14.39964 * 14**2 / distance * screening, rel=0.02)
    for atoms in frames:
        np.testing.assert_allclose(found[0.95].get_forces(atoms), found[0.0].get_forces(atoms), atol=2e-6)


@needs_pyace
def test_slabs_and_wires_have_no_images(tmp_path: Path) -> None:
    calculator = AceBackend().calculator(own(WEIGHTS))
    for pbc in ([True, True, False], [False, True, False], [False, False, True]):
        atoms = crystal()
        atoms.pbc = pbc
        apart = atoms.copy()
        for axis in np.flatnonzero(~np.array(pbc)):
            apart.cell[axis] *= 5
        apart.pbc = True
        np.testing.assert_allclose(
            calculator.get_forces(atoms), calculator.get_forces(apart), rtol=0, atol=1e-9
        )


@needs_pyace
def test_both_kinds_of_files_tell_elements_and_cutoff(tmp_path: Path) -> None:
    from mlpzoo_ace.training import _basis

    basis = _basis(job(tmp_path, tersoff_frames(2), cutoff_ang=4.2), {})
    basis.basis_coeffs = np.random.default_rng(0).normal(size=len(basis.basis_coeffs)) * 1e-3
    basis.save(str(tmp_path / "one.yaml"))
    basis.to_ACECTildeBasisSet().save_yaml(str(tmp_path / "one.yace"))
    energies = []
    for kind in ("yaml", "yace"):
        calculator = build(AceBackend(), own(tmp_path / f"one.{kind}"))
        assert calculator.card.elements == ("Si",)
        assert calculator.card.cutoff_ang == pytest.approx(4.2)
        energies.append(calculator.get_potential_energy(crystal()))
        with pytest.raises(UnsupportedElementError, match="Ge"):
            calculator.calculate(bulk("Ge"))
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)


@needs_pyace
def test_orders_that_do_not_match_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="n_max has 2 orders and l_max 1"):
        AceBackend().train(job(tmp_path, tersoff_frames(2), n_max="4 2", l_max="0"))


@needs_pyace
def test_what_is_no_potential_is_refused_with_its_name(tmp_path: Path) -> None:
    text, cut, species = (tmp_path / name for name in ("text.yace", "cut.yace", "species.yaml"))
    text.write_text("not a potential")
    cut.write_bytes(WEIGHTS.read_bytes()[:5000])
    species.write_text("species: 3")
    for path, reason in [
        (text, "cannot load"),
        (cut, "cannot load"),
        (species, "cannot load"),
        (tmp_path / "none.yace", "no file"),
        (Path(__file__), "is neither"),
    ]:
        with pytest.raises(ModelError, match=reason) as caught:
            AceBackend().calculator(own(path))
        assert path.name in caught.value.message
        assert caught.value.hint
