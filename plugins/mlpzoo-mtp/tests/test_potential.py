"""The shipped potential in unusual places, and files: what is read, whose elements, what is refused."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path

import mlpzoo_mtp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_mtp.backend import MtpBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import ModelCard, ModelSpec

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in MtpBackend.requires), reason="motep is not installed"
)
WEIGHTS = Path(mlpzoo_mtp.__file__).parent / "models" / "si-small.mtp"


def own(path: Path, card: ModelCard | None = None) -> ModelSpec:
    return ModelSpec(name=f"mtp:{path}", path=str(path), card=card)


def crystal(seed: int = 0, rattle: float = 0.15) -> Atoms:
    atoms = bulk("Si", cubic=True)
    random = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * random.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += rattle * random.normal(size=atoms.positions.shape)
    return atoms


def energy(path: Path, card: ModelCard | None = None) -> float:
    return float(MtpBackend().calculator(own(path, card)).get_potential_energy(crystal()))


def test_nearer_than_min_dist_it_is_smooth_and_silent(caplog: pytest.LogCaptureFixture) -> None:
    """motep would log a warning at each call."""
    calculator = MtpBackend().calculator(own(WEIGHTS))
    step = 1e-4
    distances = np.concatenate([d + step * np.array([-1, 0, 1]) for d in np.arange(0.4, 2.5, 0.1)])
    with caplog.at_level(logging.DEBUG):
        found = [energy_and_force(calculator, distance) for distance in distances]
    assert not caplog.records
    energies, forces = (np.array(values).reshape(-1, 3) for values in zip(*found, strict=True))
    slopes = (energies[:, 2] - energies[:, 0]) / (2 * step)
    np.testing.assert_allclose(forces[:, 1], -slopes, rtol=1e-4, atol=1e-4)


def energy_and_force(calculator: object, distance: float) -> tuple[float, float]:
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
    assert energy(silent, card) == energy(WEIGHTS)
    for wrong in ("Si Ge", "Xy", "", "X"):
        silent.write_text(text.replace("= elements Si", f"= elements {wrong}"))
        with pytest.raises(ModelError, match="does not name 1"):
            MtpBackend().calculator(own(silent))


@pytest.mark.parametrize("legacy", [True, False], ids=["MLIP-2", "motep"])
def test_files_of_both_orders_are_read(tmp_path: Path, legacy: bool) -> None:
    """motep writes radial_funcs_count behind the functions, and its own reader stops there."""
    from motep.io.mlip.mtp import read_mtp, write_mtp

    path = tmp_path / "written.mtp"
    write_mtp(path, read_mtp(WEIGHTS), legacy=legacy)
    assert energy(path) == pytest.approx(energy(WEIGHTS), rel=1e-12)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_selection_state_of_mlip_3_is_left_aside(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "trained.almtp"
    text = WEIGHTS.read_text().replace("\n", ending)
    path.write_bytes(text.encode() + b"\n#MVS_v1.1\nenergy_weight 1\nforce_weight 0\n\xff\xfe\x00{=}\x80\n")
    assert energy(path) == energy(WEIGHTS)


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
        ("twice", text.replace(mapping, re.sub(r"\{0, \d+", "{0, 0", mapping)), "do not fit together"),
        ("nowhere", re.sub(r"min_dist = .*", "min_dist = nan", text), "broken min_dist"),
        ("backwards", re.sub(r"min_dist = .*", "min_dist = 9.0", text), "cannot load"),
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
    with pytest.raises(ModelError, match="no such file"):
        MtpBackend().calculator(own(tmp_path / "none.mtp"))
