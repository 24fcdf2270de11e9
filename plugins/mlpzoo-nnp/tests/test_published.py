"""The silicon network of Zuo et al., doi:10.1021/acs.jpca.9b08723: its errors show that its files were understood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mlpzoo_nnp.backend import NnpBackend

import mlpzoo
from mlpzoo.data.dataset import load_dataset
from mlpzoo.data.fetch import fetch
from mlpzoo.models import ModelSpec
from mlpzoo.testing import CHECKS, Subject, run_checks
from mlpzoo.testing.verdict import judge


@pytest.fixture(scope="module")
def subject(published: Path) -> Subject:
    folder = published / "mvl_models/Si/nnp"
    return Subject(backend=NnpBackend(), spec=ModelSpec(name=f"nnp:{folder}", path=str(folder)))


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_promises_of_the_kit(subject: Subject, check: str) -> None:
    judge(next(run_checks(subject, [check])), {})


@pytest.mark.parametrize(
    ("file", "mev_per_atom", "ev_per_ang"),
    [("test.extxyz", 6.93, 0.1697), ("train.extxyz", 10.92, 0.1581)],
)
def test_errors_are_those_of_its_sisters(
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    mev_per_atom: float,
    ev_per_ang: float,
) -> None:
    """SNAP and qSNAP of the same authors have 8.1 and 5.5 meV/atom, 0.205 and 0.177 eV/Å on the test set."""
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path))
    dataset = load_dataset(fetch("mlearn-si"))
    calculator = mlpzoo.load(f"nnp:{published / 'mvl_models/Si/nnp'}")
    energies, forces = [], []
    for index in dataset.files[file]:
        atoms = dataset.frames[index]
        found = calculator.get_property("energy", atoms)
        energies.append((found - dataset.energies[index]) / len(atoms))
        forces.append((calculator.get_property("forces", atoms) - dataset.forces[index]).ravel())
    assert 1e3 * np.sqrt(np.mean(np.square(energies))) == pytest.approx(mev_per_atom, abs=0.01)
    assert np.sqrt(np.mean(np.square(np.concatenate(forces)))) == pytest.approx(ev_per_ang, abs=0.0001)
