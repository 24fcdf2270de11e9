"""What the conformance kit cannot know of MatGL: the numbers of its own calculator, its files, its cards."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from mlpzoo_matgl.backend import MatglBackend
from mlpzoo_matgl.cards import FILES, cards

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import DType, ModelCard, ModelSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # lightning's own source, and what torch says of it

needs_matgl = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in MatglBackend.requires),
    reason="matgl is not installed",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny potential of each kind with random weights."""
    folder = tmp_path_factory.mktemp("random")
    return {kind: MatglBackend().random_model(kind, folder) for kind in MatglBackend.random_kinds}


def own(path: Path, dtype: DType = "float64", **more: object) -> ModelSpec:
    return ModelSpec(name=f"matgl:{path}", path=str(path), dtype=dtype, **more)


def alloy() -> Atoms:
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.symbols[:4] = ["Cu", "Cu", "O", "Al"]
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.1, seed=1)
    return atoms


# -- cards and files, without the framework ----------------------------------------------------------


def test_cards_tell_levels_of_theory_apart_and_warn_of_jumps() -> None:
    found = {card.name: card for card in cards()}
    assert len(found) == 6
    for name, card in found.items():
        assert len(card.elements) == 89
        assert card.level_of_theory == ("r2SCAN" if name.endswith("r2scan") else "PBE")
        assert card.level_of_theory in card.checkpoint.url
        assert card.checkpoint.files == FILES
        assert ("jumps" in card.notes) == ("chgnet" in name)


def test_weights_that_are_not_there_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpzoo.weights import fetch_weights, weights_of

    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    card = cards()[0]
    with pytest.raises(ModelError, match="are not on this machine") as caught:
        weights_of(card, tmp_path)
    assert "mlpzoo fetch matgl/tensornet-matpes-pbe" in caught.value.hint
    assert "model.json, model.pt, state.pt of https://huggingface.co/materialyze/" in caught.value.hint
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch_weights(card)


@pytest.mark.parametrize("path", [None, "some/folder"])
def test_a_folder_without_the_files_is_refused_before_matgl_asks_the_internet(path: str | None) -> None:
    with pytest.raises(ModelError, match=r"there is no model\.json, model\.pt, state\.pt"):
        MatglBackend().calculator(ModelSpec(name="matgl:x", path=path))


# -- with the framework ------------------------------------------------------------------------------


@needs_matgl
@pytest.mark.parametrize("kind", MatglBackend.random_kinds)
def test_numbers_in_float32_are_those_of_matgls_own_calculator(kind: str, saved: dict[str, Path]) -> None:
    import matgl
    from matgl.ext.ase import PESCalculator

    bare = PESCalculator(matgl.load_model(saved[kind]), stress_unit="eV/A3", use_voigt=True)
    calculator = build(MatglBackend(), own(saved[kind], "float32"))
    atoms = alloy()
    bare.calculate(atoms.copy())
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    found, expected = calculator.results, bare.results
    assert np.abs(expected["forces"]).max() > 0.1, "tolerances in eV/Å mean nothing if all forces are tiny"
    assert np.abs(expected["stress"]).max() > 1e-3
    assert found["energy"] == pytest.approx(expected["energy"], rel=1e-5)
    np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=1e-4)


@needs_matgl
def test_random_weights_are_the_same_each_time(saved: dict[str, Path], tmp_path: Path) -> None:
    again = MatglBackend().random_model("m3gnet", tmp_path)
    energies = [
        build(MatglBackend(), own(path)).get_property("energy", alloy()) for path in (saved["m3gnet"], again)
    ]
    assert energies[0] == energies[1]


@needs_matgl
def test_a_slab_is_periodic_in_two_directions(saved: dict[str, Path]) -> None:
    """MatGL's own calculator takes it for a molecule."""
    calculator = build(MatglBackend(), own(saved["tensornet"]))
    slab = fcc111("Cu", (2, 2, 3), vacuum=10.0)
    slab.pbc = True
    expected = calculator.get_property("forces", slab)
    thin = slab.copy()
    thin.cell[2, 2] = np.ptp(slab.positions[:, 2]) + 1.0
    thin.pbc = (True, True, False)
    np.testing.assert_allclose(calculator.get_property("forces", thin), expected, rtol=0, atol=1e-9)


@needs_matgl
def test_the_stress_of_a_slab_counts_per_volume_of_its_cell(saved: dict[str, Path]) -> None:
    calculator = build(MatglBackend(), own(saved["m3gnet"]))
    slab = fcc111("Cu", (2, 2, 3), vacuum=10.0)
    slab.pbc = True
    expected = calculator.get_property("stress", slab)
    slab.pbc = (True, True, False)
    np.testing.assert_allclose(calculator.get_property("stress", slab), expected, rtol=0, atol=1e-10)


@needs_matgl
def test_reference_energies_of_elements_are_part_of_the_total(saved: dict[str, Path]) -> None:
    """An atom alone has that of its element, and what the network says of an atom alone."""
    from mlpzoo_matgl.random_models import ELEMENTS, REFERENCES_EV

    calculator = build(MatglBackend(), own(saved["m3gnet"]))
    potential = calculator.inner.potential
    total = calculator.get_property("energy", Atoms("Si"))
    potential.element_refs.property_offset[ELEMENTS.index("Si")] += 5.0
    shifted = calculator.get_property("energy", Atoms("Si", positions=[[1, 0, 0]]))
    assert REFERENCES_EV[ELEMENTS.index("Si")] == -4.0
    assert shifted - total == pytest.approx(5.0, abs=1e-9)


@needs_matgl
def test_a_file_in_the_folder_stands_for_it(saved: dict[str, Path]) -> None:
    card = MatglBackend().describe(own(saved["chgnet"] / "state.pt"))
    assert card.elements == ("Al", "Cu", "O", "Si")
    assert card.cutoff_ang == 4.2


@needs_matgl
def test_what_is_no_potential_is_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(saved["m3gnet"], broken)
    (broken / "state.pt").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="matgl cannot load"):
        MatglBackend().calculator(own(broken))
    from matgl.models import M3GNet

    M3GNet(element_types=("Si",)).save(tmp_path / "property")
    with pytest.raises(ModelError, match="holds a M3GNet for properties"):
        MatglBackend().calculator(own(tmp_path / "property"))


@needs_matgl
def test_a_model_of_an_older_convention_is_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    """MatGL warns, and goes on with numbers that are wrong."""
    import torch

    old = tmp_path / "old"
    shutil.copytree(saved["tensornet"], old)
    arguments = torch.load(old / "model.pt", weights_only=True)
    assert arguments["model"]["@model_version"] == 2
    arguments["model"]["@model_version"] = 1
    torch.save(arguments, old / "model.pt")
    with pytest.raises(ModelError, match="was saved by an older matgl"):
        MatglBackend().calculator(own(old))


@needs_matgl
def test_files_of_other_elements_than_their_card_are_refused(saved: dict[str, Path]) -> None:
    card = ModelCard(name="matgl/x", family="matgl", elements=("Si", "Ge"), properties=("energy",))
    with pytest.raises(ModelError, match="lists Ge, which"):
        MatglBackend().calculator(own(saved["m3gnet"], card=card))
    with pytest.raises(UnsupportedElementError, match="Ge"):
        build(MatglBackend(), own(saved["m3gnet"])).calculate(bulk("Ge"))


@needs_matgl
def test_elements_of_the_cards_are_those_that_matgl_knows_by_default() -> None:
    from matgl.config import DEFAULT_ELEMENTS

    assert all(set(card.elements) == set(DEFAULT_ELEMENTS) for card in cards())


@needs_matgl
def test_importing_and_loading_print_nothing_to_stdout(saved: dict[str, Path]) -> None:
    code = (
        "from mlpzoo_matgl.backend import MatglBackend\n"
        "from mlpzoo.models import ModelSpec\n"
        f"MatglBackend().calculator(ModelSpec(name='matgl:x', path={str(saved['m3gnet'])!r}))\n"
        "import torch\n"
        "assert torch.get_default_dtype() == torch.float32\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
