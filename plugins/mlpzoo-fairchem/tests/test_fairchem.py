"""What the conformance kit cannot know of fairchem: the numbers of its own calculator, tasks, files, cards."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from mlpzoo_fairchem.backend import FairchemBackend, task_of
from mlpzoo_fairchem.cards import cards

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError
from mlpzoo.models import ModelSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # of fairchem's own source

needs_fairchem = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("fairchem", "torch")),
    reason="fairchem-core is not installed",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny UMA with random weights."""
    return FairchemBackend().random_model("omat", tmp_path_factory.mktemp("omat"))


def own(path: Path, **more: object) -> ModelSpec:
    return ModelSpec(name=f"fairchem:{path}", path=str(path), **{"dtype": "float64", **more})


def alloy() -> Atoms:
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.symbols[:4] = ["Cu", "Cu", "O", "Al"]
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.1, seed=1)
    return atoms


# -- cards and files, without fairchem ---------------------------------------------------------------


def test_cards_say_where_the_file_is_and_that_it_is_gated() -> None:
    found = {card.name: card for card in cards()}
    assert len(found) == 6
    for name, card in found.items():
        model, _, task = name.removeprefix("fairchem/").rpartition("-")
        assert card.checkpoint.url.endswith(f"/facebook/UMA/resolve/main/checkpoints/{model}.pt")
        assert card.level_of_theory == {"omat": "PBE", "omol": "wB97M-V/def2-TZVPD"}[task]
        assert len(card.elements) == {"omat": 89, "omol": 83}[task]
        assert "Gated" in card.notes
        assert "FAIR Chemistry License" in card.licence


def test_fetched_weights_are_named_so_that_the_task_is_the_one_of_the_card() -> None:
    from mlpzoo.weights import place_of

    for card in cards():
        assert task_of(place_of(card), ["omat", "omol", "oc20"]) == card.name.rpartition("-")[2]


def test_weights_that_are_not_there_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpzoo.weights import fetch_weights, weights_of

    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    card = cards()[0]
    with pytest.raises(ModelError, match="are not on this machine") as caught:
        weights_of(card, tmp_path)
    assert f"mlpzoo fetch {card.name}; without network, get https://" in caught.value.hint
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        fetch_weights(card)
    assert "copy it to" in caught.value.hint


def test_the_name_of_a_file_says_the_task() -> None:
    assert task_of(Path("uma-s-omol.pt"), ["omat", "omol"]) == "omol"
    assert task_of(Path("uma.pt"), ["omat"]) == "omat"
    with pytest.raises(ModelError, match="is for omat, omol") as caught:
        task_of(Path("uma.pt"), ["omol", "omat"])
    assert "ln -s uma.pt uma-omat.pt" in caught.value.hint


# -- with the framework ------------------------------------------------------------------------------


@needs_fairchem
def test_numbers_are_those_of_fairchems_own_calculator(saved: Path) -> None:
    from fairchem.core import FAIRChemCalculator
    from fairchem.core.units.mlip_unit.api.inference import InferenceSettings

    settings = InferenceSettings(base_precision_dtype="float64")
    bare = FAIRChemCalculator.from_model_checkpoint(
        str(saved), task_name="omat", inference_settings=settings, device="cpu"
    )
    atoms = alloy()
    bare.calculate(atoms.copy(), ["energy"], ["positions"])
    calculator = build(FairchemBackend(), own(saved))
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    found, expected = calculator.results, bare.results
    assert np.abs(expected["forces"]).max() > 0.1, "tolerances in eV/Å mean nothing if all forces are tiny"
    assert np.abs(expected["stress"]).max() > 1e-4
    for name in ("energy", "forces", "stress"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-9)


@needs_fairchem
def test_tasks_differ_and_a_link_chooses_one(saved: Path, tmp_path: Path) -> None:
    link = tmp_path / "same-omol.pt"
    link.symlink_to(saved)
    energies = [build(FairchemBackend(), own(p)).get_property("energy", alloy()) for p in (saved, link)]
    assert abs(energies[0] - energies[1]) > 1e-6
    assert "Task omol" in FairchemBackend().describe(own(link)).notes


@needs_fairchem
def test_loading_and_calling_leave_the_process_and_the_atoms_alone(saved: Path) -> None:
    """fairchem seeds three generators, and writes into the info of the atoms."""
    import logging

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002

    def state() -> tuple[object, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), list(logging.root.handlers)  # noqa: NPY002

    before = state()
    atoms = alloy()
    build(FairchemBackend(), own(saved)).get_property("energy", atoms)
    assert state() == before
    assert atoms.info == {}


@needs_fairchem
def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other-omat.pt"
    path.write_text("no checkpoint")
    with pytest.raises(ModelError, match="fairchem cannot load"):
        FairchemBackend().calculator(own(path))
    with pytest.raises(ModelError, match="there is no"):
        FairchemBackend().calculator(own(tmp_path / "none.pt"))


@needs_fairchem
def test_addresses_are_those_of_fairchems_own_list() -> None:
    from importlib import resources

    theirs = json.loads((resources.files("fairchem.core.calculate") / "pretrained_models.json").read_text())
    for card in cards():
        entry = theirs[card.name.removeprefix("fairchem/").rpartition("-")[0]]
        assert card.checkpoint.url.endswith(
            f"/{entry['repo_id']}/resolve/main/{entry['subfolder']}/{entry['filename']}"
        )
