"""What the conformance kit cannot know of SevenNet: the numbers of its own calculator, modals, weights."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_sevenn.backend import MODALS, SevennBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError
from mlpzoo.models import DType, ModelCard, ModelSpec

CARDS = {card.name: card for card in SevennBackend().cards()}

needs_sevenn = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in SevennBackend.requires),
    reason="sevenn is not installed",
)


def spec_of(name: str, dtype: DType = "float64", card: ModelCard | None = None) -> ModelSpec:
    return ModelSpec(name=name, card=card or CARDS[name], dtype=dtype)


def sheared() -> Atoms:
    atoms = bulk("Si", a=5.5)
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.05, seed=1)
    return atoms


def package_file(name: str) -> Path:
    import sevenn

    return Path(sevenn.__file__).parent / CARDS[name].checkpoint.file


def test_each_level_of_shared_weights_has_a_card() -> None:
    assert set(MODALS) <= set(CARDS)
    assert {CARDS[name].level_of_theory for name in MODALS} == {"PBE", "r2SCAN"}
    assert len({CARDS[name].checkpoint.sha256 for name in MODALS}) == 1
    assert {card.checkpoint.package for card in CARDS.values()} == {"sevenn"}


@needs_sevenn
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(CARDS))
def test_numbers_in_float32_are_those_of_sevenn_itself(name: str) -> None:
    from sevenn.calculator import SevenNetCalculator

    bare = SevenNetCalculator(str(package_file(name)), device="cpu", modal=MODALS.get(name))
    atoms = sheared()
    bare.calculate(atoms)
    for dtype, factor in (("float32", 1), ("float64", 10)):
        calculator = build(SevennBackend(), spec_of(name, dtype))
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        found, expected = calculator.results, bare.results
        assert found["energy"] == pytest.approx(expected["energy"], abs=factor * 1e-5 * len(atoms))
        np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=factor * 1e-4)
        np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=factor * 1e-5)


@needs_sevenn
def test_levels_of_theory_give_other_energies() -> None:
    energies = []
    for name in MODALS:
        calculator = build(SevennBackend(), spec_of(name))
        calculator.calculate(sheared(), ["energy"])
        energies.append(calculator.results["energy"])
    assert abs(energies[0] - energies[1]) > 1.0


@needs_sevenn
def test_weights_that_are_not_those_of_the_card_are_refused() -> None:
    card = CARDS["sevenn/7net-0"]
    other = replace(card, checkpoint=replace(card.checkpoint, sha256="0" * 64))
    with pytest.raises(ModelError, match="was altered"):
        SevennBackend().calculator(spec_of(card.name, card=other))


@needs_sevenn
def test_own_checkpoint_tells_elements_and_reach(tmp_path: Path) -> None:
    path = tmp_path / "my.pth"
    path.write_bytes(package_file("sevenn/7net-0").read_bytes())
    calculator = build(SevennBackend(), ModelSpec(name=f"sevenn:{path}", path=str(path)))
    assert set(calculator.card.elements) == set(CARDS["sevenn/7net-0"].elements)
    assert calculator.card.cutoff_ang == 25.0


@needs_sevenn
def test_files_that_cannot_be_used_are_refused_with_their_name(tmp_path: Path) -> None:
    several, text = tmp_path / "several.pth", tmp_path / "text.pth"
    several.write_bytes(package_file("sevenn/7net-mf-0-pbe").read_bytes())
    text.write_text("not a checkpoint")
    for path, reason in ((several, "several levels of theory: R2SCAN, PBE"), (text, "sevenn cannot load")):
        with pytest.raises(ModelError, match=reason) as caught:
            SevennBackend().calculator(ModelSpec(name=f"sevenn:{path}", path=str(path)))
        assert path.name in caught.value.message
        assert caught.value.hint


@needs_sevenn
def test_importing_and_loading_print_nothing_to_stdout() -> None:
    code = (
        "import os, mlpzoo_sevenn.backend as b\n"
        "from mlpzoo.models import ModelSpec\n"
        "before = dict(os.environ)\n"
        "card = b.SevennBackend().cards()[0]\n"
        "b.SevennBackend().calculator(ModelSpec(name=card.name, card=card))\n"
        "assert dict(os.environ) == before\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
