"""What the conformance kit cannot know of MTP: its files, short distances, the fit, two elements."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import mlpzoo_mtp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from mlpzoo_mtp.backend import MtpBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError, UsageError
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.training import TrainingJob

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in MtpBackend.requires), reason="motep is not installed"
)
WEIGHTS = Path(mlpzoo_mtp.__file__).parent / "models" / "si-small.mtp"


def own(path: Path, card: ModelCard | None = None) -> ModelSpec:
    return ModelSpec(name=f"mtp:{path}", path=str(path), card=card)


def crystal(seed: int = 0, rattle: float = 0.15, pair: tuple[str, str] = ("Si", "Si")) -> Atoms:
    atoms = bulk(pair[0], "diamond", a=5.43, cubic=True)
    atoms.symbols[::2] = pair[1]
    random = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * random.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += rattle * random.normal(size=atoms.positions.shape)
    return atoms


def labelled(atoms: Atoms, calculator: object) -> Atoms:
    copy = atoms.copy()
    copy.calc = calculator
    numbers = {
        "energy": copy.get_potential_energy(),
        "forces": copy.get_forces(),
        "stress": copy.get_stress(),
    }
    copy.calc = SinglePointCalculator(copy, **numbers)
    return copy


def tersoff_frames(n: int = 10) -> list[Atoms]:
    import mlpzoo

    calculator = mlpzoo.load("tersoff")
    return [labelled(crystal(seed), calculator) for seed in range(n)]


def job(directory: Path, frames: list[Atoms], **settings: object) -> TrainingJob:
    directory.mkdir(exist_ok=True)
    preset = MtpBackend().presets()["smoke"]
    values = {name: setting.value for name, setting in preset.settings.items()} | settings
    return TrainingJob(directory=directory, train=frames, validation=frames[:1], settings=values)


def force_error(calculator: object, frames: list[Atoms]) -> float:
    return float(
        np.sqrt(
            np.mean([np.mean((labelled(a, calculator).get_forces() - a.get_forces()) ** 2) for a in frames])
        )
    )


def test_numbers_are_those_of_motep_itself() -> None:
    """With its own list of neighbours."""
    from motep.calculator import MTP
    from motep.io.mlip.mtp import read_mtp

    data = read_mtp(WEIGHTS)
    data.species = [14]
    bare, calculator = MTP(data), build(MtpBackend(), own(WEIGHTS))
    for seed in range(3):
        atoms = crystal(seed) * (2, 1, 1)
        expected, found = labelled(atoms, bare), labelled(atoms, calculator)
        for name in ("energy", "forces", "stress"):
            np.testing.assert_allclose(
                found.calc.results[name], expected.calc.results[name], rtol=0, atol=1e-9
            )


def test_the_jacobian_is_the_derivative_of_the_residuals(tmp_path: Path) -> None:
    """By every parameter, radial ones included: units, signs and order of energies, forces and stresses."""
    from mlpzoo_mtp.training import _Rows, _start

    frames = [labelled(crystal(seed, pair=("Si", "Ge")), _lennard_jones()) for seed in range(2)]
    work = job(tmp_path, frames, level=8)
    data = _start(work)
    random = np.random.default_rng(0)
    start = data.parameters + 0.1 * random.normal(size=data.parameters.shape)
    rows = _Rows(data, work)

    def at(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data.parameters = parameters
        return rows.of(frames[0])

    jacobian, residuals = at(start)
    assert jacobian.shape == (1 + 3 * 8 + 6, len(start))
    assert len(residuals) == len(jacobian)
    for direction in random.normal(size=(3, len(start))):
        step = 1e-5 * direction
        slope = (at(start + step)[1] - at(start - step)[1]) / -2e-5
        np.testing.assert_allclose(jacobian @ direction, slope, rtol=0, atol=1e-6 * np.abs(slope).max())


def test_a_fit_finds_the_potential_that_made_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step is linear: a potential that one step made comes back, but for the damping."""
    monkeypatch.setattr("mlpzoo_mtp.training.LINEAR", 1e-14)
    frames = tersoff_frames()
    first = MtpBackend().train(job(tmp_path / "first", frames, steps=1, level=8))
    calculator = MtpBackend().calculator(own(first.path))
    again = [labelled(atoms, calculator) for atoms in frames]
    second = MtpBackend().train(job(tmp_path / "second", again, steps=1, level=8))
    strange = crystal(99)
    expected = labelled(strange, calculator)
    found = labelled(strange, MtpBackend().calculator(own(second.path)))
    assert found.get_potential_energy() == pytest.approx(expected.get_potential_energy(), abs=1e-4)
    np.testing.assert_allclose(found.get_forces(), expected.get_forces(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.get_stress(), expected.get_stress(), rtol=0, atol=1e-6)


def test_steps_change_radial_functions_and_lower_the_error(tmp_path: Path) -> None:
    frames = tersoff_frames()
    errors = []
    for steps in (1, 8):
        trained = MtpBackend().train(job(tmp_path / f"{steps}", frames, steps=steps))
        errors.append(force_error(MtpBackend().calculator(own(trained.path)), frames))
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize(
    ("weight", "rows"), [("energy_weight", slice(0, 1)), ("stress_weight", slice(25, 31))]
)
def test_each_weight_acts_on_its_rows(tmp_path: Path, weight: str, rows: slice) -> None:
    """One energy, 24 force components and six stresses of eight atoms."""
    from mlpzoo_mtp.training import _Rows, _start

    frames = tersoff_frames(2)
    found = []
    for value in (1.0, 2.0):
        work = job(tmp_path, frames, **{weight: value})
        data = _start(work)
        data.moment_coeffs = np.ones_like(data.moment_coeffs)
        found.append(_Rows(data, work).of(frames[0]))
    factors = np.ones(31)
    factors[rows] = 2.0
    np.testing.assert_allclose(found[1][0], factors[:, None] * found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], factors * found[0][1], rtol=1e-12)


def test_labels_without_stresses_are_enough(tmp_path: Path) -> None:
    frames = tersoff_frames(4)
    for atoms in frames:
        del atoms.calc.results["stress"]
    trained = MtpBackend().train(job(tmp_path, frames))
    nothing = float(np.sqrt(np.mean([np.mean(atoms.get_forces() ** 2) for atoms in frames])))
    assert force_error(MtpBackend().calculator(own(trained.path)), frames) < 0.9 * nothing


def test_two_elements_are_told_apart(tmp_path: Path) -> None:
    frames = []
    for seed in range(8):
        atoms = crystal(seed, pair=("Si", "Ge"))
        atoms.symbols[seed] = "Si"
        atoms = labelled(atoms, _lennard_jones())
        atoms.calc.results["energy"] += sum({"Si": -3.0, "Ge": -5.0}[symbol] for symbol in atoms.symbols)
        frames.append(atoms)
    trained = MtpBackend().train(job(tmp_path, frames))
    calculator = build(MtpBackend(), own(trained.path))
    assert calculator.card.elements == ("Si", "Ge")
    assert "potential_tag = elements Si Ge" in trained.path.read_text()
    alone = {symbol: Atoms([symbol], calculator=calculator).get_potential_energy() for symbol in ("Si", "Ge")}
    assert alone["Si"] - alone["Ge"] == pytest.approx(2.0, abs=1.0)
    assert force_error(calculator, frames) < 0.5 * np.std([a.get_forces() for a in frames])


def _lennard_jones() -> object:
    from ase.calculators.lj import LennardJones

    return LennardJones(sigma=2.0, epsilon=0.05, rc=4.5, smooth=True, ro=3.0)


def test_nearer_than_min_dist_it_is_smooth_and_silent(caplog: pytest.LogCaptureFixture) -> None:
    """motep would log a warning at each call."""
    calculator = MtpBackend().calculator(own(WEIGHTS))
    step = 1e-4
    distances = np.concatenate([d + step * np.array([-1, 0, 1]) for d in np.arange(0.4, 2.5, 0.1)])
    with caplog.at_level(logging.DEBUG):
        found = [labelled_pair(calculator, distance) for distance in distances]
    assert not caplog.records
    energies, forces = (np.array(values).reshape(-1, 3) for values in zip(*found, strict=True))
    slopes = (energies[:, 2] - energies[:, 0]) / (2 * step)
    np.testing.assert_allclose(forces[:, 1], -slopes, rtol=1e-4, atol=1e-4)


def labelled_pair(calculator: object, distance: float) -> tuple[float, float]:
    atoms = Atoms("Si2", positions=[[0, 0, 0], [0, 0, distance]], calculator=calculator)
    return atoms.get_potential_energy(), float(atoms.get_forces()[1, 2])


def test_atoms_without_neighbours_among_others_feel_nothing() -> None:
    calculator = MtpBackend().calculator(own(WEIGHTS))
    pair = Atoms("Si2", positions=[[0, 0, 0], [0, 0, 2.3]], calculator=calculator)
    three = Atoms("Si3", positions=[[0, 0, 0], [40, 0, 0], [0, 0, 2.3]], calculator=calculator)
    one = calculator.get_potential_energy(Atoms("Si"))
    assert three.get_potential_energy() == pytest.approx(pair.get_potential_energy() + one, abs=1e-9)
    np.testing.assert_allclose(three.get_forces()[1], 0, atol=1e-12)


def test_slabs_wires_and_left_handed_cells() -> None:
    calculator = MtpBackend().calculator(own(WEIGHTS))
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
    atoms = crystal()
    left = atoms.copy()
    left.cell[:] = atoms.cell.array[[1, 0, 2]]
    np.testing.assert_allclose(calculator.get_stress(left), calculator.get_stress(atoms), rtol=0, atol=1e-10)


def test_many_atoms_have_the_neighbours_of_few() -> None:
    """Beyond some size another list finds them."""
    from mlpzoo_mtp.calculator import MANY_ATOMS

    calculator = MtpBackend().calculator(own(WEIGHTS))
    atoms = crystal()
    many = atoms * (4, 4, 3)
    assert len(many) > MANY_ATOMS > len(atoms)
    expected = np.tile(calculator.get_forces(atoms), (48, 1))
    np.testing.assert_allclose(calculator.get_forces(many), expected, rtol=0, atol=1e-9)


def test_elements_come_from_the_file_or_a_card(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedElementError, match="Ge"):
        build(MtpBackend(), own(WEIGHTS)).calculate(bulk("Ge"))
    text = WEIGHTS.read_text()
    silent = tmp_path / "silent.mtp"
    silent.write_text(text.replace("potential_tag = elements Si", "potential_tag = "))
    with pytest.raises(ModelError, match="by number only") as caught:
        MtpBackend().calculator(own(silent))
    assert "potential_tag = elements Si" in caught.value.hint
    card = ModelCard(name="mtp:x", family="mtp", elements=("Si",), properties=("energy",))
    energy = MtpBackend().calculator(own(silent, card)).get_potential_energy(crystal())
    assert energy == MtpBackend().calculator(own(WEIGHTS)).get_potential_energy(crystal())
    for wrong in ("Si Ge", "Xy", "", "X"):
        silent.write_text(text.replace("= elements Si", f"= elements {wrong}"))
        with pytest.raises(ModelError, match="does not name 1"):
            MtpBackend().calculator(own(silent))


def test_a_file_that_motep_writes_but_cannot_read_is_refused(tmp_path: Path) -> None:
    """Its default spelling has radial_funcs_count after the functions; trained files have MLIP's order."""
    from motep.io.mlip.mtp import read_mtp, write_mtp

    write_mtp(tmp_path / "new.mtp", read_mtp(WEIGHTS))
    with pytest.raises(ModelError, match=r"new\.mtp: 'radial_funcs_count'"):
        MtpBackend().calculator(own(tmp_path / "new.mtp"))


def test_what_is_no_potential_of_this_kind_is_refused_with_its_name(tmp_path: Path) -> None:
    text = WEIGHTS.read_text()
    lines = text.splitlines(keepends=True)
    coefficients = next(line for line in lines if line.startswith("moment_coeffs"))
    mapping = next(line for line in lines if line.startswith("alpha_moment_mapping"))
    for name, content, reason in [
        ("text", "not a potential", "radial functions of type ''|cannot load"),
        ("cut", text[: len(text) // 2], "cannot load|not trained"),
        ("untrained", text.replace(coefficients, ""), "not trained: it has no moment_coeffs"),
        ("short", text.replace(coefficients, "moment_coeffs = {1.0}\n"), "broken moment_coeffs"),
        (
            "nan",
            text.replace(coefficients, coefficients.replace("{", "{nan, ", 1).rsplit(", ", 1)[0] + "}\n"),
            "broken",
        ),
        ("kind", text.replace("RBChebyshev", "RBShapeev"), "RBShapeev"),
        ("beyond", text.replace(mapping, mapping.replace("{0,", "{999999,")), "do not fit together"),
        (
            "magnetic",
            text.replace("radial_basis_type", "mag_basis_size = 2\nradial_basis_type"),
            "cannot load|magnetic",
        ),
    ]:
        path = tmp_path / f"{name}.mtp"
        path.write_text(content)
        with pytest.raises(ModelError, match=reason) as caught:
            MtpBackend().calculator(own(path))
        assert path.name in caught.value.message
        assert caught.value.hint
    with pytest.raises(ModelError, match="no file"):
        MtpBackend().calculator(own(tmp_path / "none.mtp"))


def test_settings_that_make_no_basis_are_refused(tmp_path: Path) -> None:
    frames = tersoff_frames(2)
    with pytest.raises(UsageError, match="level 7"):
        MtpBackend().train(job(tmp_path, frames, level=7))
    with pytest.raises(UsageError, match="radial_size 2 is less than the 4"):
        MtpBackend().train(job(tmp_path, frames, level=16, radial_size=2))
    with pytest.raises(UsageError, match="steps is 0"):
        MtpBackend().train(job(tmp_path, frames, steps=0))
