"""What the conformance kit cannot know of DeePMD-kit: its files, its side effects, its silent truncations."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlpzoo_deepmd
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.stress import full_3x3_to_voigt_6_stress
from mlpzoo_deepmd.backend import DeepmdBackend
from mlpzoo_deepmd.process import deepmd_in_jax

from mlpzoo.calculator import build
from mlpzoo.errors import CalculationError, ModelError, UnsupportedElementError, UsageError
from mlpzoo.models import DType, ModelSpec
from mlpzoo.training import TrainingJob

needs_deepmd = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in DeepmdBackend.requires),
    reason="deepmd-kit is not installed",
)
HERE = Path(mlpzoo_deepmd.__file__).parent
TINY = {"neuron": [4, 8], "axis_neuron": 4, "seed": 1}


def own(path: Path, dtype: DType = "float64") -> ModelSpec:
    return ModelSpec(name=f"deepmd:{path}", path=str(path), dtype=dtype)


def se_e2_a(*, elements: tuple[str, ...] = ("Si",), sel: int = 60, one_side: bool = True) -> dict[str, Any]:
    return {
        "type_map": list(elements),
        "descriptor": {
            **TINY,
            "type": "se_e2_a",
            "rcut": 4.5,
            "rcut_smth": 0.5,
            "sel": [sel] * len(elements),
            "type_one_side": one_side,
        },
        "fitting_net": {"neuron": [8, 8], "seed": 2},
    }


def dpa3(a_sel: int) -> dict[str, Any]:
    return {
        "type_map": ["Si"],
        "descriptor": {
            "type": "dpa3",
            "repflow": {
                "n_dim": 8, "e_dim": 6, "a_dim": 4, "nlayers": 2, "axis_neuron": 2, "update_angle": True,
                "e_rcut": 4.5, "e_rcut_smth": 3.5, "e_sel": 40, "a_rcut": 3.5, "a_rcut_smth": 3.0, "a_sel": a_sel,
            },
            "seed": 1,
        },
        "fitting_net": {"neuron": [8, 8], "seed": 2},
    }  # fmt: skip


def data(settings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A model with random weights, as DeePMD-kit serializes it."""
    with deepmd_in_jax():
        from deepmd.jax.model.model import get_model

        model = get_model(json.loads(json.dumps(settings)))
        model.atomic_model.set_out_bias(np.array([[[-5.0 - k] for k in range(len(settings["type_map"]))]]))
        return {"backend": "JAX", "model": model.serialize(), "model_def_script": settings, **changes}


def written(path: Path, whole: dict[str, Any]) -> Path:
    """A file; a ``.hlo`` without the compiled code, which the plugin does not read."""
    with deepmd_in_jax():
        if path.suffix == ".jax":
            from deepmd.jax.utils.serialization import deserialize_to_file

            deserialize_to_file(str(path), whole)
        else:
            from deepmd.dpmodel.utils.serialization import save_dp_model

            save_dp_model(str(path), whole)
    return path


def crystal(seed: int = 0, repeat: tuple[int, int, int] = (1, 1, 1), a: float = 5.43) -> Atoms:
    atoms = bulk("Si", "diamond", a=a, cubic=True) * repeat
    random = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * random.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.1 * random.normal(size=atoms.positions.shape)
    return atoms


def numbers(calculator: Any, atoms: Atoms) -> dict[str, Any]:
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    return dict(calculator.results)


def require_same(found: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    for name in ("energy", "forces", "stress"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=tolerance)


@needs_deepmd
@pytest.mark.parametrize("kind", ["dp", "yaml", "hlo", "jax"])
def test_numbers_of_each_kind_of_file_are_those_of_deepmd_itself(tmp_path: Path, kind: str) -> None:
    """With JAX the model finds neighbours, forces and virial by itself, too; its virial is -V times the stress."""
    whole = data(se_e2_a())
    calculator = build(DeepmdBackend(), own(written(tmp_path / f"model.{kind}", whole)))
    assert calculator.card.elements == ("Si",)
    assert calculator.card.cutoff_ang == pytest.approx(4.5)
    atoms = crystal(repeat=(1, 1, 2))
    with deepmd_in_jax():
        import jax.numpy as jnp
        from deepmd.jax.model.base_model import BaseModel

        model = BaseModel.deserialize(whole["model"])
        types, box = jnp.zeros((1, len(atoms)), dtype=int), jnp.asarray(atoms.cell.array.reshape(1, 9))
        said = model(jnp.asarray(atoms.positions[None]), types, box=box)
        bare = {name: np.asarray(said[name][0]) for name in ("energy", "force", "virial")}
    stress = -full_3x3_to_voigt_6_stress(bare["virial"].reshape(3, 3)) / atoms.get_volume()
    expected = {"energy": bare["energy"].item(), "forces": bare["force"], "stress": stress}
    require_same(numbers(calculator, atoms), expected, 1e-10)


@needs_deepmd
def test_float32_differs_from_float64_by_its_precision_only(tmp_path: Path) -> None:
    path = written(tmp_path / "model.dp", data(se_e2_a()))
    atoms = crystal(repeat=(2, 1, 1))
    single, double = (numbers(build(DeepmdBackend(), own(path, d)), atoms) for d in ("float32", "float64"))
    require_same(single, double, 1e-3)
    assert single["energy"] != double["energy"]
    assert np.abs(single["forces"] - double["forces"]).max() > 1e-12


@needs_deepmd
def test_weights_of_float32_run_in_float64(tmp_path: Path) -> None:
    """DeePMD-kit computes in the precision of the arrays, not in the one that stands beside them."""
    settings = se_e2_a()
    settings["descriptor"]["precision"] = settings["fitting_net"]["precision"] = "float32"
    calculator = build(DeepmdBackend(), own(written(tmp_path / "model.dp", data(settings))))
    atoms = crystal()
    force = numbers(calculator, atoms)["forces"][0, 0]
    ends = []
    for step in (1e-4, -1e-4):
        moved = atoms.copy()
        moved.positions[0, 0] += step
        ends.append(numbers(calculator, moved)["energy"])
    assert force == pytest.approx(-(ends[0] - ends[1]) / 2e-4, abs=1e-8)


@needs_deepmd
def test_more_neighbours_than_sel_is_an_error_and_never_another_energy(tmp_path: Path) -> None:
    """28 neighbours within 4.5 Å of a crystal that is compressed, 16 of one that is not; 'sel' is 20."""
    calculator = build(DeepmdBackend(), own(written(tmp_path / "model.dp", data(se_e2_a(sel=20)))))
    calculator.calculate(bulk("Si", "diamond", a=5.6), ["energy"])
    for cell in (bulk("Si", "diamond", a=5.3), bulk("Si", "diamond", a=5.3, cubic=True)):
        with pytest.raises(CalculationError, match=r"28 neighbours within 4.5 Å .* places for 20") as caught:
            calculator.calculate(cell, ["energy"])
        assert "sel" in caught.value.hint


@needs_deepmd
def test_small_cells_have_all_their_images(tmp_path: Path) -> None:
    calculator = build(DeepmdBackend(), own(written(tmp_path / "model.dp", data(se_e2_a()))))
    small = bulk("Si", "diamond", a=5.43)
    small.positions[1] += 0.1
    one, many = numbers(calculator, small), numbers(calculator, small * (3, 3, 3))
    assert many["energy"] == pytest.approx(27 * one["energy"], abs=1e-9)
    np.testing.assert_allclose(many["stress"], one["stress"], rtol=0, atol=1e-12)


@needs_deepmd
def test_md_compiles_once(tmp_path: Path) -> None:
    """DeePMD-kit's own calculator is compiled anew whenever the number of periodic images changes."""
    backend = DeepmdBackend()
    calculator = backend.calculator(own(written(tmp_path / "model.dp", data(se_e2_a()))))
    atoms = crystal(repeat=(2, 2, 2))
    random = np.random.default_rng(0)
    for _ in range(15):
        atoms.positions += 0.02 * random.normal(size=atoms.positions.shape)
        calculator.calculate(atoms, ["energy"])
    assert calculator.potential.n_compiled == 1


@needs_deepmd
def test_networks_of_pairs_of_types_give_the_energy_of_deepmd(tmp_path: Path) -> None:
    """``type_one_side`` false: padded with other structures, and one after the other."""
    settings = se_e2_a(elements=("Si", "Ge"), sel=30, one_side=False)
    path = written(tmp_path / "model.dp", data(settings))
    calculator = DeepmdBackend().calculator(own(path))
    frames = [crystal(seed) for seed in range(3)]
    for seed, atoms in enumerate(frames):
        atoms.symbols[: seed + 2] = "Ge"
    with deepmd_in_jax():
        from deepmd.infer import DeepPot

        bare = DeepPot(str(path))
        types = [[0 if symbol == "Si" else 1 for symbol in atoms.symbols] for atoms in frames]
        expected = [
            bare.eval(a.positions.reshape(1, -1), a.cell.array.reshape(1, -1), t)[0].item()
            for a, t in zip(frames, types, strict=True)
        ]
    found = [e.energy_ev for e in calculator.evaluate_many(frames)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    alone = [numbers(calculator, atoms) for atoms in frames]
    np.testing.assert_allclose([a["energy"] for a in alone], expected, rtol=0, atol=1e-9)
    assert len({round(e, 6) for e in expected}) == 3


@needs_deepmd
def test_dpa3_runs_and_drops_no_neighbour_of_its_angles(tmp_path: Path) -> None:
    atoms = bulk("Si", "diamond", a=5.43)
    atoms.positions[1] += [0.05, 0.02, 0.0]
    calculator = build(DeepmdBackend(), own(written(tmp_path / "enough.dp", data(dpa3(a_sel=8)))))
    assert calculator.card.cutoff_ang == pytest.approx(4.5)
    forces = numbers(calculator, atoms)["forces"]
    ends = []
    for step in (1e-3, -1e-3):
        moved = atoms.copy()
        moved.positions[1, 0] += step
        ends.append(numbers(calculator, moved)["energy"])
    assert forces[1, 0] == pytest.approx(-(ends[0] - ends[1]) / 2e-3, abs=1e-5)
    few = build(DeepmdBackend(), own(written(tmp_path / "few.dp", data(dpa3(a_sel=3)))))
    with pytest.raises(CalculationError, match=r"4 neighbours within 3.5 Å .* places for 3"):
        few.calculate(atoms, ["energy"])


@needs_deepmd
def test_process_is_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import jax
    import jax.numpy as jnp

    path = written(tmp_path / "model.dp", data(se_e2_a()))
    before = _process()
    calculator = build(DeepmdBackend(), own(path))
    calculator.calculate(crystal(), ["energy"])
    assert _process() == before
    assert jnp.ones(1).dtype == "float32"
    assert jax.config.jax_default_matmul_precision is None
    assert capsys.readouterr().out == ""


def _process() -> tuple[Any, ...]:
    import jax

    handlers = [repr(handler) for handler in logging.getLogger().handlers]
    random = np.random.get_state()[1].tolist()  # noqa: NPY002
    options = [jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision]
    return dict(os.environ), handlers, logging.getLogger().level, random, options


@needs_deepmd
def test_loading_prints_nothing_and_leaves_jax_in_single_precision(tmp_path: Path) -> None:
    path = written(tmp_path / "model.dp", data(se_e2_a()))
    code = (
        "import os, mlpzoo_deepmd.backend as b\n"
        "from mlpzoo.models import ModelSpec\n"
        "before = dict(os.environ)\n"
        f"b.DeepmdBackend().calculator(ModelSpec(name='deepmd:x', path={str(path)!r}))\n"
        "import jax.numpy as jnp\n"
        "assert jnp.ones(1).dtype == 'float32', jnp.ones(1).dtype\n"
        "assert dict(os.environ) == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("frozen.pb", "dp convert-backend frozen.pb frozen.dp"),
        ("frozen.pth", "dp convert-backend frozen.pth frozen.dp"),
        ("model.ckpt.pt", "--head HEAD"),
        ("a.savedmodel", "convert what it was made from"),
        ("model.txt", "dp convert-backend"),
    ],
)
def test_files_of_other_backends_say_how_to_convert_them(tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ModelError) as caught:
        DeepmdBackend().calculator(own(tmp_path / name))
    assert name in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no file"):
        DeepmdBackend().calculator(own(tmp_path / "none.dp"))


@needs_deepmd
def test_what_is_no_model_of_energies_is_refused_with_its_name(tmp_path: Path) -> None:
    whole = data(se_e2_a())
    (tmp_path / "text.dp").write_text("not a model")
    two = {**whole, "model": {"model_dict": {"MP": whole["model"], "Omat": whole["model"]}}}
    types = {**whole, "model": {**whole["model"], "type_map": ["bulk"]}}
    for name, content, reason in [
        ("heads.dp", two, "several heads: MP, Omat"),
        ("types.dp", types, "no chemical symbols: bulk"),
        ("nothing.dp", {"software": "x"}, "holds no model"),
    ]:
        written(tmp_path / name, content)
        with pytest.raises(ModelError, match=reason) as caught:
            DeepmdBackend().calculator(own(tmp_path / name))
        assert caught.value.hint
    with pytest.raises(ModelError, match="cannot load"):
        DeepmdBackend().calculator(own(tmp_path / "text.dp"))


@needs_deepmd
def test_unknown_elements_are_refused(tmp_path: Path) -> None:
    calculator = build(DeepmdBackend(), own(written(tmp_path / "model.dp", data(se_e2_a()))))
    with pytest.raises(UnsupportedElementError, match="Ge"):
        calculator.calculate(bulk("Ge"))


def job(directory: Path, frames: list[Atoms], **settings: object) -> TrainingJob:
    directory.mkdir(exist_ok=True)
    preset = DeepmdBackend().presets()["smoke"]
    values = {name: setting.value for name, setting in preset.settings.items()} | settings
    return TrainingJob(directory=directory, train=frames, validation=frames[:1], settings=values)


def labelled(n: int) -> list[Atoms]:
    """By the built-in Tersoff potential; of different sizes."""
    from ase.calculators.singlepoint import SinglePointCalculator

    import mlpzoo

    calculator = mlpzoo.load("tersoff")
    frames = [crystal(seed, (1, 1, 1 + seed % 2)) for seed in range(n)]
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, **numbers(calculator, atoms))
    return frames


@needs_deepmd
def test_a_training_learns_energies_forces_and_stresses_of_cells_of_several_sizes(tmp_path: Path) -> None:
    frames = labelled(8)
    weights = {"virial_weight": 0.2, "last_virial_weight": 5.0}
    trained = DeepmdBackend().train(job(tmp_path, frames, steps=2400, batch_size=2, **weights))
    calculator = build(DeepmdBackend(), own(trained.path))
    found = [numbers(calculator, atoms) for atoms in frames]

    def error(name: str) -> float:
        labels = [
            np.asarray(atoms.calc.results[name]) / (len(atoms) if name == "energy" else 1) for atoms in frames
        ]
        ours = [f[name] / (len(a) if name == "energy" else 1) for f, a in zip(found, frames, strict=True)]
        pairs = list(zip(ours, labels, strict=True))
        middle = np.mean([np.mean(b) for _, b in pairs]) if name == "energy" else 0.0
        return np.sqrt(
            sum(np.sum((a - b) ** 2) for a, b in pairs) / sum(np.sum((b - middle) ** 2) for _, b in pairs)
        )

    assert error("forces") < 0.5
    assert error("stress") < 0.5
    assert error("energy") < 0.7


@needs_deepmd
def test_the_model_holds_no_time_of_day_and_no_neighbour_is_dropped_in_training(tmp_path: Path) -> None:
    frames = labelled(3)
    trained = DeepmdBackend().train(job(tmp_path, frames, max_epochs=1, room=1.0))
    import h5py

    with h5py.File(trained.path) as file:
        content = json.loads(file.attrs["json"])
    assert content["time"] == ""
    calculator = build(DeepmdBackend(), own(trained.path))
    for atoms in frames:  # as many places as the most crowded atom needs, and no more
        calculator.calculate(atoms, ["energy"])
    dense = frames[0].copy()
    dense.set_cell(0.8 * dense.cell, scale_atoms=True)
    with pytest.raises(CalculationError, match="places for"):
        calculator.calculate(dense, ["energy"])


@needs_deepmd
def test_networks_without_layers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="embedding"):
        DeepmdBackend().train(job(tmp_path, labelled(2), embedding="many"))
