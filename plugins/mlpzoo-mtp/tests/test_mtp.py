"""What the conformance kit cannot know of MTP: its formula, two elements, the fit."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import mlpzoo_mtp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from mlpzoo_mtp.backend import MtpBackend

from mlpzoo.calculator import build
from mlpzoo.errors import UsageError
from mlpzoo.models import ModelSpec
from mlpzoo.training import TrainingJob

if TYPE_CHECKING:
    from motep.potentials.mtp.data import MTPData

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in MtpBackend.requires), reason="motep is not installed"
)
WEIGHTS = Path(mlpzoo_mtp.__file__).parent / "models" / "si-small.mtp"


def own(path: Path) -> ModelSpec:
    return ModelSpec(name=f"mtp:{path}", path=str(path))


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


def any_two_elements(directory: Path, level: int = 8) -> MTPData:
    """A potential of silicon and germanium with coefficients that stand in no relation to each other."""
    from mlpzoo_mtp.training import _start

    frames = [labelled(crystal(pair=("Si", "Ge")), _lennard_jones())]
    data = _start(job(directory, frames, level=level))
    data.parameters = np.random.default_rng(3).normal(size=data.parameters.shape)
    return data


def test_energy_is_that_of_the_definition(tmp_path: Path) -> None:
    """Novikov et al., eqs. 1 to 6, written out; radial functions of each ordered pair of elements."""
    from mlpzoo_mtp.calculator import MtpCalculator

    data = any_two_elements(tmp_path)
    atoms = crystal(5, pair=("Si", "Ge"))
    atoms.pbc = False
    low, high = data.radial_basis.min, data.radial_basis.max
    types = [{"Si": 0, "Ge": 1}[symbol] for symbol in atoms.symbols]
    expected = 0.0
    for i in range(len(atoms)):
        vectors = {j: atoms.positions[j] - atoms.positions[i] for j in range(len(atoms)) if j != i}
        near = {j: v for j, v in vectors.items() if np.linalg.norm(v) < high}
        values = np.zeros(data.alpha_moments_count)
        for j, vector in near.items():
            r = np.linalg.norm(vector)
            (polynomials,) = np.polynomial.chebyshev.chebvander([(2 * r - low - high) / (high - low)], 7)
            radial = data.radial_coeffs[types[i], types[j]] @ polynomials * data.scaling * (high - r) ** 2
            for place, (mu, *powers) in enumerate(data.alpha_index_basic):
                values[place] += radial[mu] * np.prod((vector / r) ** powers)
        for a, b, factor, c in data.alpha_index_times:
            values[c] += factor * values[a] * values[b]
        expected += data.species_coeffs[types[i]] + data.moment_coeffs @ values[data.alpha_moment_mapping]
    assert len(near) > 3
    assert MtpCalculator(data).get_potential_energy(atoms) == pytest.approx(expected, rel=1e-12)


def test_forces_and_stress_of_two_elements_are_derivatives(tmp_path: Path) -> None:
    from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
    from mlpzoo_mtp.calculator import MtpCalculator

    atoms = crystal(5, pair=("Si", "Ge"))
    atoms.calc = MtpCalculator(any_two_elements(tmp_path))
    for found, slopes in (
        (atoms.get_forces(), calculate_numerical_forces(atoms, eps=1e-4)),
        (atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5, force_consistent=False)),
    ):
        np.testing.assert_allclose(found, slopes, rtol=0, atol=1e-6 * np.abs(found).max())


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
    written = dict(re.findall(r"(Si|Ge) (-[0-9.]+)", trained.notes))
    alone = {symbol: Atoms([symbol], calculator=calculator).get_potential_energy() for symbol in ("Si", "Ge")}
    assert alone["Si"] - alone["Ge"] == pytest.approx(2.0, abs=1.0)
    assert {symbol: float(text) for symbol, text in written.items()} == pytest.approx(alone, abs=1e-3)
    assert force_error(calculator, frames) < 0.5 * np.std([a.get_forces() for a in frames])


def _lennard_jones() -> object:
    from ase.calculators.lj import LennardJones

    return LennardJones(sigma=2.0, epsilon=0.05, rc=4.5, smooth=True, ro=3.0)


def test_settings_that_make_no_basis_are_refused(tmp_path: Path) -> None:
    frames = tersoff_frames(2)
    with pytest.raises(UsageError, match="level 7"):
        MtpBackend().train(job(tmp_path, frames, level=7))
    with pytest.raises(UsageError, match="radial_size 2 is less than the 4"):
        MtpBackend().train(job(tmp_path, frames, level=16, radial_size=2))
    with pytest.raises(UsageError, match="steps is 0"):
        MtpBackend().train(job(tmp_path, frames, steps=0))
