"""What the conformance kit cannot know of PET: the numbers of its own calculator, its files, its cards."""

from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from mlpzoo_upet.backend import UpetBackend

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import DType, ModelSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, on TorchScript

needs_upet = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in UpetBackend.requires),
    reason="upet is not installed",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights."""
    return UpetBackend().random_model("pet", tmp_path_factory.mktemp("random"))


def own(path: Path, dtype: DType = "float64") -> ModelSpec:
    return ModelSpec(name=f"upet:{path}", path=str(path), dtype=dtype)


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
    first = UpetBackend().cards()[0]
    with pytest.raises(ModelError, match="are not on this machine") as caught:
        weights_of(first, tmp_path)
    assert "mlpzoo fetch upet/mad-s" in caught.value.hint
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        fetch_weights(first)
    assert "models/pet-mad-s-v1.6.0.ckpt elsewhere and copy it to" in caught.value.hint


def test_cards_say_that_rotations_are_learnt_and_how_many_elements_there_are() -> None:
    cards = {card.name: card for card in UpetBackend().cards()}
    assert len(cards) == 14
    assert all("Rotations are learnt" in card.notes for card in cards.values())
    counts = {"mad-s": 102, "oam-xl": 89, "omatpes-l": 89, "omad-s": 85}
    assert {name: len(cards[f"upet/{name}"].elements) for name in counts} == counts
    assert "up to 50 Å away" in cards["upet/oam-xl"].notes


@needs_upet
def test_numbers_in_float64_are_those_of_upets_own_calculator(saved: Path) -> None:
    from upet.ase import UPETCalculator

    same_numbers(saved, UPETCalculator(checkpoint_path=saved, dtype="float64", device="cpu"), "float64")


@needs_upet
def test_numbers_in_float32_are_those_of_metatomics_own_calculator(saved: Path) -> None:
    from metatomic_ase import MetatomicCalculator
    from mlpzoo_upet.loading import load

    same_numbers(saved, MetatomicCalculator(load(saved), device="cpu"), "float32")


def same_numbers(saved: Path, bare: object, dtype: DType) -> None:
    calculator = build(UpetBackend(), own(saved, dtype))
    atoms = alloy()
    wanted = ["energy", "forces", "stress"]
    bare.calculate(atoms.copy(), wanted, ["positions"])
    calculator.calculate(atoms, wanted)
    found, expected = calculator.results, bare.results
    assert np.abs(expected["forces"]).max() > 0.1, "tolerances in eV/Å mean nothing if all forces are tiny"
    assert np.abs(expected["stress"]).max() > 1e-3
    exact = dtype == "float64"
    assert found["energy"] == pytest.approx(expected["energy"], rel=1e-12 if exact else 1e-5)
    np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=1e-9 if exact else 1e-3)
    np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=1e-10 if exact else 1e-4)


@needs_upet
def test_float32_is_float64_but_for_rounding(saved: Path) -> None:
    exact = build(UpetBackend(), own(saved)).get_property("forces", alloy())
    rough = build(UpetBackend(), own(saved, "float32")).get_property("forces", alloy())
    assert 0 < np.abs(exact - rough).max() < 1e-3


@needs_upet
def test_a_slab_is_periodic_in_two_directions(saved: Path) -> None:
    calculator = build(UpetBackend(), own(saved))
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


@needs_upet
def test_a_model_with_uncertainties_gives_its_energy(tmp_path: Path) -> None:
    """PET-MAD is published so: metatrain wraps a PET."""
    from metatomic_ase import MetatomicCalculator
    from mlpzoo_upet.loading import load

    (where,) = importlib.util.find_spec("metatrain").submodule_search_locations
    packed = Path(where) / "llpr" / "tests" / "checkpoints" / "model-v4_trainer-v7.ckpt.gz"
    if not packed.is_file():
        pytest.skip("metatrain came without its tests")
    path = tmp_path / "llpr.ckpt"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    symbols = UpetBackend().describe(own(path)).elements
    atoms = Atoms(symbols[:2] * 2, positions=np.random.default_rng(1).uniform(0, 4, (4, 3)))
    bare = MetatomicCalculator(load(path), device="cpu", uncertainty_threshold=None)
    dtype: DType = "float64" if load(path).capabilities().dtype == "float64" else "float32"
    calculator = build(UpetBackend(), own(path, dtype))
    bare.calculate(atoms.copy(), ["energy", "forces"], ["positions"])
    calculator.calculate(atoms, ["energy", "forces"])
    assert calculator.results["energy"] == pytest.approx(bare.results["energy"], rel=1e-5)
    np.testing.assert_allclose(calculator.results["forces"], bare.results["forces"], rtol=1e-3, atol=1e-3)


@needs_upet
def test_energies_of_elements_are_part_of_the_total_and_others_are_refused(saved: Path) -> None:
    from mlpzoo_upet.random_models import REFERENCES_EV

    backend = UpetBackend()
    card = backend.describe(own(saved))
    assert set(card.elements) == set(REFERENCES_EV)
    assert card.cutoff_ang == 4.5
    calculator = build(backend, own(saved))
    si, cu = (calculator.get_property("energy", Atoms(symbol)) for symbol in ("Si", "Cu"))
    assert np.rint(si - cu) == REFERENCES_EV["Si"] - REFERENCES_EV["Cu"]
    with pytest.raises((UnsupportedElementError, KeyError), match="Ge"):
        build(backend, own(saved)).calculate(bulk("Ge"))


@needs_upet
def test_a_file_that_lacks_elements_of_its_card_is_refused(saved: Path) -> None:
    spec = ModelSpec(name="upet/mad-s", card=UpetBackend().cards()[0], path=str(saved))
    with pytest.raises(ModelError, match="does not know Ac, Ag"):
        UpetBackend().calculator(spec)


@needs_upet
@pytest.mark.parametrize("change", ["text", "another", "lacking", "no energy", "missing"])
def test_what_is_no_model_with_an_energy_is_refused(saved: Path, tmp_path: Path, change: str) -> None:
    import torch

    path = tmp_path / "model.ckpt"
    found = torch.load(saved, weights_only=False)
    if change == "another":
        found["architecture_name"] = "graphormer"
    elif change == "lacking":
        weights = found["best_model_state_dict"]
        del weights[next(name for name in weights if "last_layers" in name)]
    elif change == "no energy":
        found = of_another_target()
    torch.save(found, path)
    if change == "text":
        path.write_text("no weights")
    elif change == "missing":
        path.unlink()
    said = {
        "text": "cannot load",
        "another": "graphormer",
        "lacking": "Missing key",
        "no energy": "no energy",
        "missing": "there is no file",
    }[change]
    with pytest.raises(ModelError, match=said):
        UpetBackend().calculator(own(path))


def of_another_target(**hypers: object) -> dict[str, object]:
    """A checkpoint of a PET that has learnt something else."""
    from metatrain.pet import __model__ as pet
    from metatrain.utils.architectures import get_default_hypers
    from metatrain.utils.data import DatasetInfo
    from metatrain.utils.data.target_info import get_energy_target_info
    from mlpzoo_upet.random_models import SIZES

    name = "energy" if hypers else "mtt::gap"
    target = get_energy_target_info(name, {"quantity": "energy", "unit": "eV"})
    found: dict[str, object] = pet(
        {**get_default_hypers("pet")["model"], **SIZES, **hypers},
        DatasetInfo(length_unit="angstrom", atomic_types=[14], targets={name: target}),
    ).get_checkpoint()
    return found


@needs_upet
def test_models_that_want_a_charge_are_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.ckpt"
    torch.save(of_another_target(system_conditioning=True), path)
    with pytest.raises(ModelError, match="charge"):
        UpetBackend().calculator(own(path))


@needs_upet
def test_importing_and_loading_print_nothing_to_stdout(saved: Path) -> None:
    code = (
        "from mlpzoo_upet.backend import UpetBackend\n"
        "from mlpzoo.models import ModelSpec\n"
        f"UpetBackend().calculator(ModelSpec(name='upet:x', path={str(saved)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
