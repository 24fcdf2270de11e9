"""What the conformance kit cannot know of MACE: golden numbers, its side effects, foreign files."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import mlpzoo_mace
import numpy as np
import pytest
from ase.build import bulk
from ase.eos import EquationOfState
from ase.units import GPa
from mlpzoo_mace.backend import UNSAFE_LOAD, MaceBackend, _process_kept_as_it_was

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import DType, ModelSpec
from mlpzoo.testing.golden import read_golden

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.testing import Evaluation

HERE = Path(mlpzoo_mace.__file__).parent
WEIGHTS = HERE / "models" / "si-small.model"
CARD = MaceBackend().cards()[0]

needs_mace = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in MaceBackend.requires),
    reason="mace-torch is not installed",
)


def shipped(dtype: DType = "float64") -> ModelSpec:
    return ModelSpec(name=CARD.name, card=CARD, path=str(WEIGHTS), dtype=dtype)


def own(path: Path) -> ModelSpec:
    return ModelSpec(name=f"mace:{path}", path=str(path))


def golden() -> list[tuple[Atoms, Evaluation]]:
    """Made by ``write_golden(subject_of("mace/si-small"))``; the kit itself checks float64 against it."""
    return [(atoms, expected) for _, atoms, expected in read_golden(HERE / "golden" / "mace-si-small.json")]


@needs_mace
def test_numbers_are_those_of_mace_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    calculator = build(MaceBackend(), shipped())
    with _process_kept_as_it_was():
        from mace.calculators import MACECalculator

        monkeypatch.setenv(UNSAFE_LOAD, "1")
        bare = MACECalculator(model_paths=[str(WEIGHTS)], device="cpu", default_dtype="float64")
    for atoms, _ in golden():
        names = ["energy", "forces", *(["stress"] if atoms.cell.rank == 3 else [])]
        bare.calculate(atoms)
        calculator.calculate(atoms, names)
        for name in names:
            # several threads add in any order: a few units in the last place
            np.testing.assert_allclose(calculator.results[name], bare.results[name], rtol=0, atol=1e-12)


@needs_mace
def test_float32_differs_from_float64_by_its_precision_only() -> None:
    calculator = build(MaceBackend(), shipped("float32"))
    for atoms, expected in golden():
        calculator.calculate(atoms, ["energy", "forces"])
        # ten times the largest differences on the test set of Zuo et al.: 1.2e-6 eV/atom, 1.7e-5 eV/Å
        assert calculator.results["energy"] == pytest.approx(expected.energy, abs=1.2e-5 * len(atoms))
        assert expected.forces is not None
        np.testing.assert_allclose(calculator.results["forces"], expected.forces, rtol=0, atol=1.7e-4)


@needs_mace
def test_crystal_has_the_lattice_constant_and_bulk_modulus_of_pbe() -> None:
    """Quantum ESPRESSO with PBE at 30 Ry: 5.475 Å, 84 to 87 GPa."""
    calculator = build(MaceBackend(), shipped())
    volumes, energies = [], []
    for a in np.linspace(5.36, 5.58, 9):
        crystal = bulk("Si", "diamond", a=a)
        crystal.calc = calculator
        volumes.append(crystal.get_volume())
        energies.append(crystal.get_potential_energy())
    volume, _, modulus = EquationOfState(volumes, energies, "birchmurnaghan").fit()
    assert (4 * volume) ** (1 / 3) == pytest.approx(5.475, abs=0.01)
    assert modulus / GPa == pytest.approx(86, abs=12)


@needs_mace
def test_same_structure_gives_the_same_bits() -> None:
    calculator = MaceBackend().calculator(shipped())
    (atoms, _), *_ = golden()
    runs = []
    for _ in range(4):  # TorchScript optimises after the first calls
        calculator.calculate(atoms)
        runs.append((calculator.results["energy"], calculator.results["forces"].tobytes()))
    assert len(set(runs)) == 1


@needs_mace
@pytest.mark.parametrize("default", ["float32", "float64"])
def test_process_is_left_as_it_was(
    default: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(UNSAFE_LOAD, raising=False)
    import torch

    before, handlers = torch.get_default_dtype(), list(logging.root.handlers)
    try:
        torch.set_default_dtype(getattr(torch, default))
        calculator = build(MaceBackend(), shipped("float64"))
        (atoms, expected), *_ = golden()
        calculator.calculate(atoms, ["energy"])
        assert torch.get_default_dtype() == getattr(torch, default)
    finally:
        torch.set_default_dtype(before)
    assert calculator.results["energy"] == pytest.approx(expected.energy, abs=1e-8)
    assert UNSAFE_LOAD not in os.environ
    assert logging.root.handlers == handlers
    assert capsys.readouterr().out == ""


@needs_mace
def test_importing_mace_prints_nothing_to_stdout() -> None:
    code = (
        "import mlpzoo_mace.backend as b, os, logging\n"
        "from mlpzoo.models import ModelSpec\n"
        f"b.MaceBackend().calculator(ModelSpec(name='mace/si-small', path={str(WEIGHTS)!r}))\n"
        f"assert '{UNSAFE_LOAD}' not in os.environ and not logging.root.handlers\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


@needs_mace
def test_own_weights_tell_elements_and_cutoff(tmp_path: Path) -> None:
    path = tmp_path / "my [1].model"  # brackets: MACE would take them for a pattern
    path.write_bytes(WEIGHTS.read_bytes())
    calculator = build(MaceBackend(), own(path))
    assert calculator.card.elements == ("Si",)
    assert calculator.card.cutoff_ang == pytest.approx(4.5)
    with pytest.raises(UnsupportedElementError, match="Ge"):
        calculator.calculate(bulk("Ge"))


@needs_mace
def test_what_is_no_model_is_refused_with_its_name(tmp_path: Path) -> None:
    import torch

    text, checkpoint = tmp_path / "text.model", tmp_path / "checkpoint.pt"
    text.write_text("not a pickle")
    torch.save({"model": {}}, checkpoint)
    for path, reason in [
        (text, "cannot load"),
        (checkpoint, "holds a dict"),
        (tmp_path / "none.model", "no file"),
    ]:
        with pytest.raises(ModelError, match=reason) as caught:
            MaceBackend().calculator(own(path))
        assert str(path) in caught.value.message
        assert caught.value.hint


def test_foundation_cards_have_addresses_elements_and_a_word_on_their_licence() -> None:
    cards = [card for card in MaceBackend().cards() if card.checkpoint and card.checkpoint.url]
    assert {"mace/mp-0-small", "mace/mp-0-medium", "mace/mpa-0-medium", "mace/omat-0-small"} <= {
        card.name for card in cards
    }
    for card in cards:
        assert len(card.elements) == 89
        assert card.licence.startswith("MIT" if card.name.startswith("mace/mp") else "Academic")


@needs_mace
def test_addresses_of_foundation_models_are_those_of_mace_itself() -> None:
    with _process_kept_as_it_was():
        from mace.calculators.foundations_models import mace_mp_urls
    for card in MaceBackend().cards():
        if card.checkpoint and card.checkpoint.url:
            assert card.checkpoint.url in mace_mp_urls.values()
