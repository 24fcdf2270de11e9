"""What the conformance kit cannot know of GRACE: the numbers of its own calculator, its files, its cards."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from mlpzoo_grace.backend import GraceBackend
from mlpzoo_grace.cards import cards
from mlpzoo_grace.saved import Metadata, metadata_in, unpacked

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.models import DType, ModelCard, ModelSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own source, and what GRACE's package says

needs_grace = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in GraceBackend.requires),
    reason="tensorpotential is not installed",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of one layer with random weights."""
    return GraceBackend().random_model("1-layer", tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, saved in float32."""
    return GraceBackend().random_model("float32", tmp_path_factory.mktemp("single"))


def own(path: Path, dtype: DType = "float64", **more: object) -> ModelSpec:
    return ModelSpec(name=f"grace:{path}", path=str(path), dtype=dtype, **more)


def alloy() -> Atoms:
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.symbols[:4] = ["Cu", "Cu", "O", "Al"]
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.1, seed=1)
    return atoms


# -- cards and files, without TensorFlow -------------------------------------------------------------


def test_cards_say_where_the_file_is_in_which_precision_and_that_it_is_not_free() -> None:
    found = {card.name: card for card in cards()}
    assert len(found) == 20
    assert found["grace/2l-oam"].checkpoint.url.endswith("/kk/models/GRACE-2L-OAM-model.tar.gz")
    for name, card in found.items():
        assert len(card.elements) == 89
        assert card.level_of_theory == "PBE"
        assert "no commercial use" in card.licence
        double = "-fp64-" in card.checkpoint.url or "/kk/" in card.checkpoint.url
        assert ("float64" in card.notes) == double == (not name.startswith("grace/3l")), name


def test_weights_that_are_not_there_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpzoo.weights import fetch_weights, weights_of

    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    card = cards()[0]
    with pytest.raises(ModelError, match="are not on this machine") as caught:
        weights_of(card, tmp_path)
    assert "mlpzoo fetch grace/1l-oam; without network, get https://" in caught.value.hint
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        fetch_weights(card)
    assert "copy it to" in caught.value.hint


def test_cutoffs_of_pairs_are_the_larger_of_both_directions() -> None:
    said = Metadata.of(["Al", "O"], 6.0, [[5.0, 5.5], [6.5, 7.0]])
    assert said.cutoff_ang == 7.0
    assert said.cutoffs_ang[("Al", "O")] == said.cutoffs_ang[("O", "Al")] == 6.5
    assert Metadata.of(["Al"], 6, None) == Metadata(symbols=("Al",), cutoff_ang=6.0)


def test_what_holds_no_graph_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.tar.gz"
    text.write_text("no archive")
    empty = tmp_path / "empty.tar.gz"
    with tarfile.open(empty, "w:gz") as archive:
        archive.add(text, "model/text")
    for path, reason in (
        (text, "cannot be unpacked"),
        (empty, r"holds no saved_model\.pb"),
        (tmp_path, "holds no"),
    ):
        with pytest.raises(ModelError, match=reason) as caught, unpacked(path):
            pass
        assert str(path) in caught.value.message
        assert "tar.gz" in caught.value.hint
    with pytest.raises(ModelError, match="there is no"):
        GraceBackend().calculator(own(tmp_path / "none"))


def test_an_archive_cannot_write_beside_its_folder(tmp_path: Path) -> None:
    path, content = tmp_path / "evil.tar.gz", tmp_path / "content"
    content.write_text("graph")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(content, "../saved_model.pb")
    with pytest.raises(ModelError, match="cannot be unpacked"), unpacked(path):
        pass


# -- with the framework ------------------------------------------------------------------------------


@needs_grace
@pytest.mark.parametrize("kind", GraceBackend.random_kinds)
def test_numbers_are_those_of_graces_own_calculator(kind: str, tmp_path: Path) -> None:
    from tensorpotential.calculator.asecalculator import TPCalculator

    path = GraceBackend().random_model(kind, tmp_path)
    dtype: DType = "float32" if kind == "float32" else "float64"
    close = 1e-10 if dtype == "float64" else 1e-4
    bare, calculator = TPCalculator(str(path)), build(GraceBackend(), own(path, dtype))
    atoms = alloy()
    bare.calculate(atoms.copy())
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    found, expected = calculator.results, bare.results
    assert np.abs(expected["forces"]).max() > 0.1, "tolerances in eV/Å mean nothing if all forces are tiny"
    assert np.abs(expected["stress"]).max() > 1e-4
    assert found["energy"] == pytest.approx(expected["energy"], abs=close * len(atoms))
    np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=close)
    np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=close)


@needs_grace
def test_random_weights_are_the_same_each_time(saved: Path, tmp_path: Path) -> None:
    again = GraceBackend().random_model("1-layer", tmp_path)
    energies = [build(GraceBackend(), own(path)).get_property("energy", alloy()) for path in (saved, again)]
    assert energies[0] == pytest.approx(energies[1], abs=1e-12)


@needs_grace
def test_a_slab_has_no_images_where_it_is_not_periodic(saved: Path) -> None:
    """GRACE's own calculator makes each direction periodic, in the structure that it was given."""
    from tensorpotential.calculator.asecalculator import TPCalculator

    calculator = build(GraceBackend(), own(saved))
    slab = fcc111("Cu", (2, 2, 3), vacuum=10.0)
    TPCalculator(str(saved)).calculate(slab)
    assert slab.pbc.all(), "GRACE respects pbc now: say so in the README"
    slab.pbc = True
    expected = calculator.get_property("forces", slab)
    thin = slab.copy()
    thin.cell[2, 2] = np.ptp(slab.positions[:, 2]) + 1.0
    thin.pbc = (True, True, False)
    np.testing.assert_allclose(calculator.get_property("forces", thin), expected, rtol=0, atol=1e-9)


@needs_grace
def test_results_do_not_depend_on_what_was_computed_before(saved: Path) -> None:
    fresh, used = (build(GraceBackend(), own(saved)) for _ in range(2))
    atoms = alloy()
    used.get_property("energy", atoms.repeat((2, 2, 1)))
    for name in ("energy", "forces"):
        assert np.array_equal(fresh.get_property(name, atoms), used.get_property(name, atoms))


@needs_grace
def test_a_packed_model_is_the_model(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "2l-oam.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(saved, "GRACE-2L-OAM")
    energies = [build(GraceBackend(), own(p)).get_property("energy", alloy()) for p in (saved, path)]
    assert energies[0] == energies[1]


@needs_grace
def test_an_export_without_metadata_is_read_from_its_parts(saved: Path, tmp_path: Path) -> None:
    import shutil

    old = tmp_path / "old"
    shutil.copytree(saved, old)
    for path in old.glob("metadata.*"):
        path.unlink()
    assert metadata_in(old) is None
    assert GraceBackend().describe(own(old)) == ModelCard(
        name=f"grace:{old}",
        family="grace",
        elements=("Al", "Cu", "O", "Si"),
        properties=("energy", "forces", "stress"),
        cutoff_ang=4.5,
        notes="Always float64, as it was saved.",
    )


@needs_grace
def test_float32_is_not_passed_off_as_float64(single: Path) -> None:
    with pytest.raises(ModelError, match="cannot be computed in float64") as caught:
        GraceBackend().calculator(own(single))
    assert "--dtype float32" in caught.value.hint
    assert "float32" in GraceBackend().describe(own(single, "float32")).notes


@needs_grace
def test_a_file_of_other_elements_than_its_card_is_refused(saved: Path) -> None:
    card = ModelCard(name="grace/x", family="grace", elements=("Si", "Ge"), properties=("energy",))
    with pytest.raises(ModelError, match="lists Ge, which"):
        GraceBackend().calculator(own(saved, card=card))
    with pytest.raises(UnsupportedElementError, match="Ge"):
        build(GraceBackend(), own(saved)).calculate(bulk("Ge"))


@needs_grace
def test_a_device_that_tensorflow_does_not_see_is_an_error(saved: Path) -> None:
    with pytest.raises(ModelError, match="sees no device 'cuda:7'"):
        GraceBackend().calculator(own(saved, device="cuda:7"))


@needs_grace
def test_addresses_are_those_of_graces_own_list() -> None:
    from tensorpotential.calculator.foundation_models import MODELS_METADATA

    theirs = {entry["url"]: entry for entry in MODELS_METADATA.values()}
    for card in cards():
        entry = theirs[card.checkpoint.url]
        assert card.licence.startswith(entry["license"])
        assert ("float64" in card.notes) == (entry["precision"] == "fp64")


@needs_grace
def test_importing_and_loading_print_nothing_to_stdout(saved: Path) -> None:
    code = (
        "import os\n"
        "from mlpzoo_grace.backend import GraceBackend\n"
        "from mlpzoo.models import ModelSpec\n"
        "before = dict(os.environ)\n"
        f"GraceBackend().calculator(ModelSpec(name='grace:x', path={str(saved)!r}))\n"
        "assert dict(os.environ) == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
