"""Weights that come with a plugin."""

from __future__ import annotations

from pathlib import Path

from mlpzoo.errors import ModelError
from mlpzoo.hashing import file_sha256
from mlpzoo.models import ModelCard


def is_packaged(card: ModelCard, directory: Path) -> bool:
    """Whether the weights of a card come with its plugin and are there; they are not looked at."""
    checkpoint = card.checkpoint
    return checkpoint is not None and bool(checkpoint.file) and (directory / checkpoint.file).is_file()


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
    path = directory / checkpoint.file
    if not path.is_file():
        raise ModelError(f"{card.name}: {path} is missing", hint="reinstall the plugin")
    found = file_sha256(path)
    if found != checkpoint.sha256:
        raise ModelError(
            f"{card.name}: {path.name} was altered: sha256 {found}, the card says {checkpoint.sha256}",
            hint="reinstall the plugin",
        )
    return path
