"""What the conformance kit cannot know of Orb: the numbers of its own calculator, its files, its cards."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.neighborlist import neighbor_list
from mlpzoo_orb.architectures import PUBLISHED, RANDOM, named_in
from mlpzoo_orb.backend import OrbBackend
from mlpzoo_orb.cards import cards

from mlpzoo.calculator import build
from mlpzoo.errors import ModelError
from mlpzoo.models import DType, ModelSpec

pytestmark = pytest.mark.filterwarnings("ignore")  # Orb's own source, and what torch says of it

needs_orb = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in OrbBackend.requires),
    reason="orb-models is not installed",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny weights of each kind."""
    folder = tmp_path_factory.mktemp("random")
    return {kind: OrbBackend().random_model(kind, folder) for kind in OrbBackend.random_kinds}


def own(path: Path, dtype: DType = "float64", **more: object) -> ModelSpec:
    return ModelSpec(name=f"orb:{path}", path=str(path), dtype=dtype, **more)


def alloy() -> Atoms:
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.symbols[:4] = ["Cu", "Cu", "O", "Al"]
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.01, 0.02, 0], [0, 0.99, 0.01], [0, 0, 1]]), scale_atoms=True
    )
    atoms.rattle(0.1, seed=1)
    return atoms


# -- cards and files, without the framework ----------------------------------------------------------


def test_cards_say_whether_forces_are_direct_and_of_what_to_beware() -> None:
    found = {card.name: card for card in cards()}
    assert len(found) == 13
    for name, card in found.items():
        assert card.conservative == ("v3-conservative" in name) == ("Direct forces" not in card.notes)
        assert ("direct forces" in card.title) == (not card.conservative)
        assert ("20 nearest" in card.notes) == ("inf" not in name)
        assert card.level_of_theory == ("PBE+D3" if "/d3" in name else "PBE")
        assert card.licence == "Apache-2.0"
        assert len(card.elements) == 89


def test_weights_that_are_not_there_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpzoo.weights import fetch_weights, weights_of

    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    card = cards()[0]
    with pytest.raises(ModelError, match="are not on this machine") as caught:
        weights_of(card, tmp_path)
    assert "mlpzoo fetch orb/v3-conservative-inf-omat; without network, get https://" in caught.value.hint
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch_weights(card)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("orb-v3-conservative-inf-omat-20250404", "v3-conservative-inf-omat"),
        ("my_orb_v3_direct_20_mpa_epoch5", "v3-direct-20-mpa"),
        ("orb-d3-v2-20241011", "d3-v2"),
        ("orb-v2-tuned", "v2"),
        ("Orb-mptraj-only-v2", "mptraj-only-v2"),
    ],
)
def test_the_name_of_a_file_says_what_it_was_tuned_from(stem: str, name: str) -> None:
    assert named_in(stem) is PUBLISHED[name]


def test_a_name_that_says_nothing_is_refused_with_those_that_do(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint_epoch5.ckpt"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="does not say which model") as caught:
        OrbBackend().calculator(own(path))
    assert "orb-v3-conservative-inf-omat" in caught.value.hint
    with pytest.raises(ModelError, match="there is no file"):
        OrbBackend().calculator(own(tmp_path / "orb-v2.ckpt"))


# -- with the framework ------------------------------------------------------------------------------


@needs_orb
@pytest.mark.parametrize("kind", list(RANDOM))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_those_of_orbs_own_calculator(kind: str, dtype: DType, saved: dict[str, Path]) -> None:
    import torch
    from mlpzoo_orb.building import load
    from orb_models.forcefield.calculator import ORBCalculator

    from mlpzoo.side_effects import default_dtype

    model = load(saved[kind], RANDOM[kind], dtype=getattr(torch, dtype), device="cpu")
    calculator = build(OrbBackend(), own(saved[kind], dtype))
    atoms = alloy()
    with default_dtype(getattr(torch, dtype)):
        bare = ORBCalculator(model, device="cpu")
        bare.calculate(atoms.copy())
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    found, expected = calculator.results, bare.results
    assert np.abs(expected["forces"]).max() > 0.1, "tolerances in eV/Å mean nothing if all forces are tiny"
    close = 1e-9 if dtype == "float64" else 1e-3
    assert found["energy"] == pytest.approx(expected["energy"], abs=10 * close)
    np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=close)
    np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=close)


@needs_orb
@pytest.mark.parametrize("kind", list(RANDOM))
def test_random_weights_are_the_same_each_time(kind: str, saved: dict[str, Path], tmp_path: Path) -> None:
    again = OrbBackend().random_model(kind, tmp_path)
    energies = [
        build(OrbBackend(), own(path)).get_property("energy", alloy()) for path in (saved[kind], again)
    ]
    assert energies[0] == energies[1]


@needs_orb
def test_a_molecule_keeps_its_torque_free_forces_if_they_are_direct(saved: dict[str, Path]) -> None:
    atoms = Atoms("OSi2", positions=[[0, 0, 0], [1.6, 0.2, 0], [-0.4, 1.5, 0.3]])
    forces = build(OrbBackend(), own(saved["direct"])).get_property("forces", atoms)
    centred = atoms.positions - atoms.positions.mean(axis=0)
    assert np.abs(forces).max() > 0.1
    np.testing.assert_allclose(np.cross(centred, forces).sum(axis=0), 0, rtol=0, atol=1e-9)


@needs_orb
def test_cells_whose_vectors_are_long_and_close_together_have_all_neighbours(saved: dict[str, Path]) -> None:
    """Orb's own list misses more than half of them."""
    import torch
    from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs

    from mlpzoo.side_effects import default_dtype

    inner = build(OrbBackend(), own(saved["conservative"])).inner
    atoms = bulk("Cu")
    atoms.set_cell(np.array([[1, 0, 0], [2, 1, 0], [-1, 2, 1]]) @ atoms.cell.array)

    def count(given: Atoms) -> int:
        with default_dtype(torch.float64):
            graph = ase_atoms_to_atom_graphs(given, inner.model.system_config, device=torch.device("cpu"))
        return len(graph.senders)

    expected = len(neighbor_list("i", atoms, 6.0))
    assert count(inner._boxed(atoms)) == expected
    assert count(atoms.copy()) < expected, "Orb finds them itself now: the reduction can go"


@needs_orb
@pytest.mark.parametrize("kind", ["conservative", "direct"])
def test_a_slab_is_periodic_in_two_directions(kind: str, saved: dict[str, Path]) -> None:
    """Orb's own calculator refuses it."""
    calculator = build(OrbBackend(), own(saved[kind]))
    slab = fcc111("Cu", (2, 2, 3), vacuum=10.0)
    slab.pbc = True
    expected = calculator.get_property("forces", slab)
    thin = slab.copy()
    thin.cell[2, 2] = np.ptp(slab.positions[:, 2]) + 1.0
    thin.pbc = (True, True, False)
    np.testing.assert_allclose(calculator.get_property("forces", thin), expected, rtol=0, atol=1e-9)


@needs_orb
def test_weights_of_another_kind_are_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    """Orb's loader would leave the network of the forces random."""
    path = tmp_path / "random-direct.ckpt"
    path.write_bytes(saved["conservative"].read_bytes())
    with pytest.raises(ModelError, match=r"lacks heads\.forces\."):
        OrbBackend().calculator(own(path))
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="orb-models cannot load"):
        OrbBackend().calculator(own(path))


@needs_orb
def test_weights_of_another_size_are_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "orb-v3-conservative-inf-omat.ckpt"
    path.write_bytes(saved["conservative"].read_bytes())
    with pytest.raises(ModelError, match=r"orb-models cannot load|lacks"):
        OrbBackend().calculator(own(path))


@needs_orb
def test_addresses_and_neighbours_are_those_of_orb_itself() -> None:
    from orb_models.forcefield import pretrained

    for card in cards():
        name = card.name.partition("/")[2]
        function = pretrained.ORB_PRETRAINED_MODELS[f"orb-{name}"]
        assert inspect.signature(function).parameters["weights_path"].default == card.checkpoint.url
        source = inspect.getsource(function)
        assert f"max_num_neighbors={PUBLISHED[name].neighbours}" in source
        assert ("ConservativeForcefieldRegressor" in source) == card.conservative
        steps = PUBLISHED[name].sizes.get("num_message_passing_steps")
        assert steps in (None, 15) or f"num_message_passing_steps={steps}" in source


@needs_orb
def test_importing_and_loading_print_nothing_and_leave_torch_alone(saved: dict[str, Path]) -> None:
    code = (
        "from mlpzoo_orb.backend import OrbBackend\n"
        "from mlpzoo.models import ModelSpec\n"
        "import torch\n"
        "before = torch.get_float32_matmul_precision()\n"
        f"OrbBackend().calculator(ModelSpec(name='orb:x', path={str(saved['direct'])!r}))\n"
        "assert torch.get_default_dtype() == torch.float32\n"
        "assert torch.get_float32_matmul_precision() == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
