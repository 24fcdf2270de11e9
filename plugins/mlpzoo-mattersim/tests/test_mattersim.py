"""What the conformance kit cannot know of MatterSim: the numbers of its own calculator, its files, its cards."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from mlpzoo_mattersim.backend import MatterSimBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import DType, ModelSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # lightning's own source, and what torch says of it

needs_mattersim = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in MatterSimBackend.requires),
    reason="mattersim is not installed",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights."""
    return MatterSimBackend().random_model("m3gnet", tmp_path_factory.mktemp("random"))


def own(path: Path, dtype: DType = "float64") -> ModelSpec:
    return ModelSpec(name=f"mattersim:{path}", path=str(path), dtype=dtype)


def alloy() -> Atoms:
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.symbols[:4] = ["Cu", "Cu", "O", "Al"]
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.1, seed=1)
    return atoms


def test_weights_that_are_not_there_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpzoo.weights import fetch_weights, weights_of

    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    small, large = MatterSimBackend().cards()
    assert len(small.elements) == len(large.elements) == 89
    with pytest.raises(ModelError, match="are not on this machine") as caught:
        weights_of(small, tmp_path)
    assert "mlpzoo fetch mattersim/v1-1m" in caught.value.hint
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        fetch_weights(large)
    assert "mattersim-v1.0.0-5M.pth elsewhere and copy it to" in caught.value.hint


@needs_mattersim
def test_numbers_in_float32_are_those_of_mattersims_own_calculator(saved: Path) -> None:
    from mattersim.forcefield.potential import MatterSimCalculator, Potential

    potential = Potential.from_checkpoint(str(saved), device="cpu", load_training_state=False)
    bare = MatterSimCalculator(potential, device="cpu")
    calculator = build(MatterSimBackend(), own(saved, "float32"))
    atoms = alloy()
    bare.calculate(atoms.copy())
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    found, expected = calculator.results, bare.results
    assert np.abs(expected["forces"]).max() > 0.1, "tolerances in eV/Å mean nothing if all forces are tiny"
    assert np.abs(expected["stress"]).max() > 1e-3
    assert found["energy"] == pytest.approx(expected["energy"], rel=1e-5)
    np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=1e-4)


@needs_mattersim
def test_precision_is_patched_for_the_call_only(saved: Path) -> None:
    import torch

    calculator = build(MatterSimBackend(), own(saved))
    exact = calculator.get_property("forces", alloy())
    assert torch.ones(1).float().dtype == torch.float32
    rough = build(MatterSimBackend(), own(saved, "float32")).get_property("forces", alloy())
    assert 0 < np.abs(exact - rough).max() < 1e-3


@needs_mattersim
def test_the_stress_of_a_left_handed_cell_is_that_of_the_right_handed_one(saved: Path) -> None:
    """MatterSim's own calculator turns its sign."""
    calculator = build(MatterSimBackend(), own(saved))
    atoms = alloy()
    expected = calculator.get_property("stress", atoms)
    atoms.cell[:] = atoms.cell.array[[1, 0, 2]]
    np.testing.assert_allclose(calculator.get_property("stress", atoms), expected, rtol=0, atol=1e-9)


@needs_mattersim
def test_a_slab_is_periodic_in_two_directions(saved: Path) -> None:
    calculator = build(MatterSimBackend(), own(saved))
    slab = fcc111("Cu", (2, 2, 3), vacuum=10.0)
    slab.pbc = True
    expected = {name: calculator.get_property(name, slab) for name in ("forces", "stress")}
    slab.pbc = (True, True, False)
    np.testing.assert_allclose(calculator.get_property("forces", slab), expected["forces"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        calculator.get_property("stress", slab), expected["stress"], rtol=0, atol=1e-10
    )
    slab.cell[2, 2] = np.ptp(slab.positions[:, 2]) + 1.0
    np.testing.assert_allclose(calculator.get_property("forces", slab), expected["forces"], rtol=0, atol=1e-9)


@needs_mattersim
def test_energies_of_elements_are_part_of_the_total_and_tell_which_are_known(saved: Path) -> None:
    from mlpzoo_mattersim.random_models import REFERENCES_EV

    backend = MatterSimBackend()
    card = backend.describe(own(saved))
    assert set(card.elements) == set(REFERENCES_EV)
    assert card.cutoff_ang == 4.5
    calculator = build(backend, own(saved))
    before = calculator.get_property("energy", Atoms("Si"))
    calculator.inner.potential.model.normalizer.shift[14] += 5.0
    after = calculator.get_property("energy", Atoms("Si", positions=[[1, 0, 0]]))
    assert after - before == pytest.approx(5.0, abs=1e-9)
    with pytest.raises((UnsupportedElementError, KeyError), match="Ge"):
        build(backend, own(saved)).calculate(bulk("Ge"))


@needs_mattersim
def test_a_checkpoint_without_energies_of_elements_knows_all(saved: Path, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.pth"
    found = torch.load(saved, weights_only=True)
    found["model"]["normalizer.shift"].zero_()
    torch.save(found, path)
    assert len(MatterSimBackend().describe(own(path)).elements) == found["model_args"]["max_z"]


@needs_mattersim
@pytest.mark.parametrize("change", ["text", "another", "lacking"])
def test_what_is_no_whole_checkpoint_is_refused(saved: Path, tmp_path: Path, change: str) -> None:
    """MatterSim itself takes one that lacks weights, and leaves those random."""
    import torch

    path = tmp_path / "model.pth"
    found = torch.load(saved, weights_only=True)
    if change == "another":
        found["model_name"] = "graphormer"
    elif change == "lacking":
        del found["model"][next(name for name in found["model"] if name.startswith("atom_embedding"))]
    torch.save(found, path)
    if change == "text":
        path.write_text("no weights")
    said = {"text": "cannot load", "another": "graphormer", "lacking": "it lacks atom_embedding"}[change]
    with pytest.raises(ModelError, match=said):
        MatterSimBackend().calculator(own(path))


@needs_mattersim
def test_importing_and_loading_leaves_loguru_alone_and_prints_nothing(saved: Path) -> None:
    code = (
        "import loguru\n"
        "before = dict(loguru.logger._core.handlers)\n"
        "from mlpzoo_mattersim.backend import MatterSimBackend\n"
        "from mlpzoo.models import ModelSpec\n"
        f"MatterSimBackend().calculator(ModelSpec(name='mattersim:x', path={str(saved)!r}))\n"
        "assert dict(loguru.logger._core.handlers) == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
