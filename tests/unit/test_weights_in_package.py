"""Weights inside a package of the family's environment are found and checked without importing it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from mlpzoo.errors import ModelError
from mlpzoo.models import Checkpoint, ModelCard
from mlpzoo.weights import weights_in_package, weights_of

WEIGHTS = b"weights"


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """Of weights in a package that cannot be imported."""
    package = tmp_path / "framework_with_weights"
    (package / "pretrained").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "pretrained" / "one.pth").write_bytes(WEIGHTS)
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = Checkpoint(
        package="framework_with_weights",
        file="pretrained/one.pth",
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        size_bytes=len(WEIGHTS),
    )
    return ModelCard(
        name="toy/one", family="toy", elements=("Si",), properties=("energy",), checkpoint=checkpoint
    )


def test_weights_are_found_without_importing_the_package(card: ModelCard, tmp_path: Path):
    assert weights_in_package(card) == tmp_path / "framework_with_weights" / "pretrained" / "one.pth"
    assert "framework_with_weights" not in sys.modules


def test_other_weights_in_the_package_are_refused(card: ModelCard, tmp_path: Path):
    (tmp_path / "framework_with_weights" / "pretrained" / "one.pth").write_bytes(b"others")
    with pytest.raises(ModelError, match=r"toy/one: one\.pth was altered") as caught:
        weights_in_package(card)
    assert "mlpzoo env create toy" in caught.value.hint


def test_missing_weights_and_packages_are_named(card: ModelCard, tmp_path: Path):
    (tmp_path / "framework_with_weights" / "pretrained" / "one.pth").unlink()
    with pytest.raises(ModelError, match="is missing"):
        weights_in_package(card)
    nowhere = Checkpoint(package="no_such_package", file="x", sha256="0" * 64, size_bytes=1)
    lost = ModelCard(name="toy/two", family="toy", elements=(), properties=("energy",), checkpoint=nowhere)
    with pytest.raises(ModelError, match="no package 'no_such_package'"):
        weights_in_package(lost)


def test_a_card_without_a_package_names_none(tmp_path: Path):
    beside = Checkpoint(file="x", sha256="0" * 64, size_bytes=1)
    card = ModelCard(name="toy/x", family="toy", elements=(), properties=("energy",), checkpoint=beside)
    with pytest.raises(ModelError, match="names no package"):
        weights_in_package(card)
    with pytest.raises(ModelError, match="is missing"):
        weights_of(card, tmp_path)
