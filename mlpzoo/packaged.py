"""Weights that come with a plugin, or with a package of its environment."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mlpzoo.errors import ModelError
from mlpzoo.hashing import file_sha256
from mlpzoo.models import Checkpoint, ModelCard


def packaged_weights(card: ModelCard, directory: Path) -> Path:
    """The packaged weights file of a card, verified.

    Raises:
        ModelError: It does not come with the plugin, is missing, or was altered.
    """
    checkpoint = card.checkpoint
    if checkpoint is None or not checkpoint.file:
        raise ModelError(
            f"the weights of {card.name} do not come with its plugin",
            hint=f"fetch {checkpoint.url if checkpoint else 'them'} and use {card.family}:PATH",
        )
    return _verified(card.name, directory / checkpoint.file, checkpoint, hint="reinstall the plugin")


def weights_in_package(card: ModelCard) -> Path:
    """The weights file that a package of the framework brings, verified.

    To be called where the framework is importable; it is not imported.

    Raises:
        ModelError: The package is not there, or its file is missing or not the one of the card.
    """
    checkpoint = card.checkpoint
    if checkpoint is None or not checkpoint.package:
        raise ModelError(f"{card.name} names no package that brings its weights", hint="correct its card")
    found = importlib.util.find_spec(checkpoint.package)
    if found is None or not found.submodule_search_locations:
        raise ModelError(
            f"{card.name}: there is no package '{checkpoint.package}', which brings its weights",
            hint=f"mlpzoo env create {card.family}",
        )
    path = Path(found.submodule_search_locations[0]) / checkpoint.file
    hint = f"install the version of {checkpoint.package} that is in the lock: mlpzoo env create {card.family}"
    return _verified(card.name, path, checkpoint, hint=hint)


def _verified(name: str, path: Path, checkpoint: Checkpoint, *, hint: str) -> Path:
    if not path.is_file():
        raise ModelError(f"{name}: {path} is missing", hint=hint)
    found = file_sha256(path)
    if found != checkpoint.sha256:
        raise ModelError(
            f"{name}: {path.name} was altered: sha256 {found}, the card says {checkpoint.sha256}", hint=hint
        )
    return path
