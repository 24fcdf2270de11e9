"""What the conformance kit cannot know of NequIP: golden numbers, its side effects, its kinds of files."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlpzoo_nequip
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.eos import EquationOfState
from ase.units import GPa
from mlpzoo_nequip.backend import NequIPBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import DType, ModelSpec
from mlpzoo.testing import Evaluation
from mlpzoo.testing.golden import read_golden

HERE = Path(mlpzoo_nequip.__file__).parent
WEIGHTS = HERE / "models" / "si-small.ckpt"
CARD = NequIPBackend().cards()[0]

needs_nequip = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NequIPBackend.requires),
    reason="nequip is not installed",
)


def shipped(dtype: DType = "float64") -> ModelSpec:
    return ModelSpec(name=CARD.name, card=CARD, path=str(WEIGHTS), dtype=dtype)


def own(path: Path, dtype: DType = "float64") -> ModelSpec:
    return ModelSpec(name=f"nequip:{path}", path=str(path), dtype=dtype)


def golden() -> list[tuple[Atoms, Evaluation]]:
    """Made by ``write_golden(subject_of("nequip/si-small"))``; the kit itself checks float64 against it."""
    return [(atoms, expected) for _, atoms, expected in read_golden(HERE / "golden" / "nequip-si-small.json")]


@needs_nequip
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    # float64: the order of sums differs between processors; float32: 10 times what was seen on the test set
    [("float64", 1e-8), ("float32", 1e-4)],
)
def test_numbers_are_the_golden_ones(dtype: DType, tolerance: float) -> None:
    calculator = build(NequIPBackend(), shipped(dtype))
    for atoms, expected in golden():
        names = [name for name in ("energy", "forces", "stress") if getattr(expected, name) is not None]
        calculator.calculate(atoms, names)
        found = calculator.results
        assert found["energy"] == pytest.approx(expected.energy, abs=tolerance * len(atoms))
        for name in names[1:]:
            np.testing.assert_allclose(found[name], getattr(expected, name), rtol=0, atol=tolerance)


@needs_nequip
def test_float32_is_not_float64() -> None:
    (atoms, _), *_ = golden()
    energies = set()
    for dtype in ("float64", "float32"):
        calculator = build(NequIPBackend(), shipped(dtype))
        calculator.calculate(atoms, ["energy"])
        energies.add(calculator.results["energy"])
    assert len(energies) == 2


@needs_nequip
def test_crystal_is_silicon() -> None:
    """PBE gives 5.477 Å and 87.4 GPa (`mlpzoo reference bulk`): within 0.2 and 25 percent."""
    calculator = build(NequIPBackend(), shipped())
    volumes, energies = [], []
    for a in np.linspace(5.36, 5.58, 9):
        crystal = bulk("Si", "diamond", a=a)
        crystal.calc = calculator
        volumes.append(crystal.get_volume())
        energies.append(crystal.get_potential_energy())
    volume, _, modulus = EquationOfState(volumes, energies, "birchmurnaghan").fit()
    assert (4 * volume) ** (1 / 3) == pytest.approx(5.477, rel=0.002)
    assert modulus / GPa == pytest.approx(87.4, rel=0.25)


@needs_nequip
def test_same_structure_gives_the_same_bits() -> None:
    calculator = NequIPBackend().calculator(shipped())
    (atoms, _), *_ = golden()
    runs = []
    for _ in range(3):
        calculator.calculate(atoms)
        runs.append((float(calculator.results["energy"]), calculator.results["forces"].tobytes()))
    assert len(set(runs)) == 1


@needs_nequip
@pytest.mark.parametrize("default", ["float32", "float64"])
def test_process_is_left_as_it_was(default: str, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    before = torch.get_default_dtype()
    variables = dict(os.environ)
    try:
        torch.set_default_dtype(getattr(torch, default))
        random.seed(1)
        torch.manual_seed(1)
        states = random.getstate(), torch.get_rng_state().tolist(), _numpy_state()
        calculator = build(NequIPBackend(), shipped("float64"))
        (atoms, expected), *_ = golden()
        calculator.calculate(atoms, ["energy"])
        assert torch.get_default_dtype() == getattr(torch, default)
    finally:
        torch.set_default_dtype(before)
    assert calculator.results["energy"] == pytest.approx(expected.energy, abs=1e-8)
    assert (random.getstate(), torch.get_rng_state().tolist(), _numpy_state()) == states
    assert dict(os.environ) == variables
    assert capsys.readouterr().out == ""


def _numpy_state() -> list[int]:
    """The legacy generator's: the one that a framework seeds behind one's back."""
    return np.random.get_state()[1].tolist()  # noqa: NPY002


@needs_nequip
def test_loading_prints_nothing_to_stdout_and_warns_of_nothing() -> None:
    code = (
        "import mlpzoo_nequip.backend as b\n"
        "from mlpzoo.models import ModelSpec\n"
        f"b.NequIPBackend().calculator(ModelSpec(name='nequip/si-small', path={str(WEIGHTS)!r}))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""


@needs_nequip
def test_shipped_weights_hold_no_code_and_no_path() -> None:
    import torch

    content = torch.load(WEIGHTS, weights_only=True)
    assert "optimizer_states" not in content
    assert "callbacks" not in content
    assert not [word for word in _strings(content) if word.startswith(("/", "~")) or "\\" in word]


def _strings(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [word for key, value in tree.items() for word in (str(key), *_strings(value))]
    if isinstance(tree, list):
        return [word for value in tree for word in _strings(value)]
    return [tree] if isinstance(tree, str) else []


@needs_nequip
def test_own_checkpoint_tells_elements_and_cutoff(tmp_path: Path) -> None:
    path = tmp_path / "my own.ckpt"
    path.write_bytes(WEIGHTS.read_bytes())
    calculator = build(NequIPBackend(), own(path))
    assert calculator.card.elements == ("Si",)
    assert calculator.card.cutoff_ang == pytest.approx(5.0)
    with pytest.raises(UnsupportedElementError, match="Ge"):
        calculator.calculate(bulk("Ge"))


@needs_nequip
def test_package_runs_in_its_own_precision_and_in_no_other(tmp_path: Path) -> None:
    package = tmp_path / "si.nequip.zip"
    command = Path(sys.executable).with_name("nequip-package")
    subprocess.run([command, "build", WEIGHTS, package], cwd=tmp_path, capture_output=True, check=True)
    (atoms, expected), *_ = golden()
    calculator = build(NequIPBackend(), own(package, "float32"))
    calculator.calculate(atoms, ["energy"])
    assert calculator.card.elements == ("Si",)
    assert calculator.results["energy"] == pytest.approx(expected.energy, abs=1e-4 * len(atoms))
    with pytest.raises(ModelError, match="is fixed to float32") as caught:
        NequIPBackend().calculator(own(package, "float64"))
    assert "float32" in caught.value.hint


@needs_nequip
def test_atom_types_that_are_no_elements_are_refused(tmp_path: Path) -> None:
    import torch

    content = torch.load(WEIGHTS, weights_only=True)
    content["hyper_parameters"]["model"] |= {"type_names": ["bulk"], "per_type_energy_shifts": {"bulk": -1.0}}
    torch.save(content, tmp_path / "typed.ckpt")
    with pytest.raises(ModelError, match="no chemical symbols: bulk"):
        NequIPBackend().calculator(own(tmp_path / "typed.ckpt"))


@needs_nequip
def test_what_is_no_model_is_refused_with_its_name(tmp_path: Path) -> None:
    import torch

    text, other = tmp_path / "text.ckpt", tmp_path / "other.ckpt"
    compiled, package = tmp_path / "text.nequip.pt2", tmp_path / "text.nequip.zip"
    for path in (text, compiled, package):
        path.write_text("not a model")
    torch.save({"model": {}}, other)
    missing = tmp_path / "none.ckpt"
    for path, reason in [
        (text, "cannot load"),
        (other, "cannot load"),
        (compiled, "cannot load"),
        (package, "cannot load"),
        (missing, "no file"),
    ]:
        with pytest.raises(ModelError, match=reason) as caught:
            NequIPBackend().calculator(own(path))
        assert str(path) in caught.value.message
        assert caught.value.hint
