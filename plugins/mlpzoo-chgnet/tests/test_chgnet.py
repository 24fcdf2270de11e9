"""What the conformance kit cannot know of CHGNet: the numbers of its own calculator, its weights."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlpzoo_chgnet
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_chgnet.backend import ChgnetBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError
from mlpzoo.models import DType, ModelCard, ModelSpec
from mlpzoo.testing.golden import read_golden

HERE = Path(mlpzoo_chgnet.__file__).parent
CARDS = {card.name: card for card in ChgnetBackend().cards()}

pytestmark = pytest.mark.filterwarnings("ignore")  # chgnet's own source, and what torch says of it

needs_chgnet = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ChgnetBackend.requires),
    reason="chgnet is not installed",
)


def spec_of(name: str, dtype: DType = "float64", card: ModelCard | None = None) -> ModelSpec:
    return ModelSpec(name=name, card=card or CARDS[name], dtype=dtype)


def sheared() -> Atoms:
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.05, seed=1)
    return atoms


def test_levels_of_theory_and_weights_are_told_apart() -> None:
    assert [card.level_of_theory for card in CARDS.values()] == ["PBE", "PBE", "r2SCAN"]
    assert len({card.checkpoint.sha256 for card in CARDS.values()}) == 3
    assert {card.checkpoint.package for card in CARDS.values()} == {"chgnet"}
    assert "Yb" not in CARDS["chgnet/r2scan"].elements  # its reference energy is zero: no training data
    assert "Yb" in CARDS["chgnet/0.3.0"].elements


@needs_chgnet
@pytest.mark.parametrize("name", list(CARDS))
def test_numbers_in_float32_are_those_of_chgnet_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own stress is a matrix; both are in eV/Å³."""
    from chgnet.model.dynamics import CHGNetCalculator
    from chgnet.model.model import CHGNet

    bare = CHGNetCalculator(
        CHGNet.load(model_name=name.partition("/")[2], use_device="cpu"), use_device="cpu"
    )
    atoms = sheared()
    bare.calculate(atoms)
    capsys.readouterr()
    calculator = build(ChgnetBackend(), spec_of(name, "float32"))
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    assert capsys.readouterr().out == ""
    found, expected = calculator.results, bare.results
    assert found["energy"] == pytest.approx(float(expected["energy"]), abs=1e-5 * len(atoms))
    np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=1e-4)
    matrix = expected["stress"]
    voigt = [matrix[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
    np.testing.assert_allclose(found["stress"], voigt, rtol=0, atol=1e-5)


@needs_chgnet
@pytest.mark.parametrize("name", list(CARDS))
def test_float64_differs_from_float32_by_rounding_only(name: str) -> None:
    calculator = build(ChgnetBackend(), spec_of(name, "float32"))
    for _, atoms, expected in read_golden(HERE / "golden" / f"{name.replace('/', '-')}.json"):
        calculator.calculate(atoms, ["energy", "forces"])
        assert calculator.results["energy"] == pytest.approx(expected.energy, abs=1e-5 * len(atoms))
        np.testing.assert_allclose(calculator.results["forces"], expected.forces, rtol=0, atol=5e-4)


@needs_chgnet
def test_a_left_handed_cell_has_the_stress_of_the_right_handed_one() -> None:
    """CHGNet's own changes its sign."""
    calculator = build(ChgnetBackend(), spec_of("chgnet/0.3.0"))
    atoms = sheared()
    calculator.calculate(atoms, ["stress"])
    expected = calculator.results["stress"]
    atoms.cell[:] = atoms.cell.array[[1, 0, 2]]
    calculator.calculate(atoms, ["stress"])
    np.testing.assert_allclose(calculator.results["stress"], expected, rtol=0, atol=1e-9)


@needs_chgnet
def test_weights_that_are_not_those_of_the_card_are_refused() -> None:
    card = CARDS["chgnet/0.3.0"]
    other = replace(card, checkpoint=replace(card.checkpoint, sha256="0" * 64))
    with pytest.raises(ModelError, match="was altered"):
        ChgnetBackend().calculator(spec_of(card.name, card=other))


@needs_chgnet
def test_own_weights_tell_elements_and_reach(tmp_path: Path) -> None:
    import chgnet

    source = Path(chgnet.__file__).parent / CARDS["chgnet/r2scan"].checkpoint.file
    path = tmp_path / "my.pth.tar"
    path.write_bytes(source.read_bytes())
    calculator = build(ChgnetBackend(), ModelSpec(name=f"chgnet:{path}", path=str(path)))
    assert set(calculator.card.elements) == set(CARDS["chgnet/r2scan"].elements)
    assert calculator.card.cutoff_ang == 24.0
    path.write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="chgnet cannot load"):
        ChgnetBackend().calculator(ModelSpec(name=f"chgnet:{path}", path=str(path)))


@needs_chgnet
def test_importing_and_loading_print_nothing_to_stdout() -> None:
    code = (
        "import mlpzoo_chgnet.backend as b\n"
        "from mlpzoo.models import ModelSpec\n"
        "card = b.ChgnetBackend().cards()[0]\n"
        "b.ChgnetBackend().calculator(ModelSpec(name=card.name, card=card))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
