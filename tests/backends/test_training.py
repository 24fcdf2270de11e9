"""Training with the real frameworks: a few tiny structures, interrupted and not.

Run with ``pytest -m environments``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zoo_harness as harness
import zoo_training_sets as sets

pytestmark = [pytest.mark.environments, pytest.mark.filterwarnings("default")]

FAMILIES = {
    "ace": ("equations.npz", ".yace"),
    "mace": ("state.pt", ".model"),
    "nequip": ("last.ckpt", ".ckpt"),
}
"""Family to the file that its state is in, and the ending of its models."""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a home and ten cells of silicon, labelled by Tersoff."""
    from ase.build import bulk

    import mlpzoo
    from mlpzoo.data.dataset import Frame, write_dataset

    directory, random, calculator = (
        tmp_path_factory.mktemp("training"),
        np.random.default_rng(0),
        mlpzoo.load("tersoff"),
    )
    frames = []
    for k in range(14):
        atoms = bulk("Si", cubic=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * random.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.1 * random.normal(size=atoms.positions.shape)
        atoms.calc = calculator
        labels = {
            "forces": atoms.get_forces(),
            "energy": atoms.get_potential_energy(),
            "stress": atoms.get_stress(),
        }
        frames.append(Frame(atoms=atoms, frame_id=f"f-{k}", **labels))
    files = {"train.extxyz": frames[:10], "validation.extxyz": frames[10:12], "test.extxyz": frames[12:]}
    write_dataset(directory / "si", replace(sets.manifest("si-tiny"), elements=("Si",)), files)
    return directory


def command(where: Path, family: str, name: str) -> list[str]:
    return [
        sys.executable, "-m", "mlpzoo", "train", family, "--data", str(where / "si"), "--test", str(where / "si"),
        "--preset", "smoke", "--out", str(where / family), "--name", name,
    ]  # fmt: skip


def environ(where: Path) -> dict[str, str]:
    return {**os.environ, "MLPZOO_HOME": str(where / "home"), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@pytest.mark.parametrize("family", FAMILIES)
def test_training_that_was_killed_ends_as_the_one_that_was_not(family: str, where: Path) -> None:
    run = {"env": environ(where), "capture_output": True, "text": True, "timeout": 1800}
    whole = subprocess.run(command(where, family, "whole"), **run)
    assert whole.returncode == 0, whole.stderr
    work = where / family / "cut.work"
    with subprocess.Popen(
        command(where, family, "cut"), env=environ(where), stderr=subprocess.DEVNULL
    ) as process:
        harness.wait_until((work / FAMILIES[family][0]).exists, "a first epoch is done")
        process.send_signal(signal.SIGKILL)
    cut = subprocess.run(command(where, family, "cut"), **run)
    assert cut.returncode == 0, cut.stderr
    assert cut.stdout == whole.stdout, "the errors are the same in all digits"

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPZOO_HOME", str(where / "home"))
        found = [
            evaluated(family, where / family / f"{name}{FAMILIES[family][1]}") for name in ("whole", "cut")
        ]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def evaluated(family: str, model: Path) -> list[np.ndarray]:
    from ase.build import bulk

    import mlpzoo

    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.calc = mlpzoo.load(f"{family}:{model}")
    card = atoms.calc.card
    assert (card.elements, card.level_of_theory) == (("Si",), "EMT")
    errors = card.test_errors
    assert errors["training force_rmse_ev_per_ang"] < 0.9, "1.0 eV/Å are the forces themselves"
    assert errors["si-tiny:test stress_rmse_gpa"] > 0
    return [np.array(atoms.get_potential_energy()), atoms.get_forces(), atoms.get_stress()]


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_of_the_machine_is_in_the_model(family: str, where: Path) -> None:
    for name in ("whole", "cut"):
        model = where / family / f"{name}{FAMILIES[family][1]}"
        content = model.read_bytes()
        for word in (str(where), "site-packages", str(Path.home())):
            assert word.encode() not in content, f"{word} in {model.name}"
