"""The card of the user's own weights, in a file beside them: ``si.card.toml`` of ``si.model``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import msgspec

from mlpzoo.data import tomltext
from mlpzoo.files import write_atomically
from mlpzoo.hashing import file_sha256
from mlpzoo.models import ModelCard

SCHEMA: Final = "mlpzoo.card/1"
SUFFIX: Final = ".card.toml"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The content of the file."""

    schema: str
    card: ModelCard


def card_path(weights: Path) -> Path:
    """Where the card of a weights file is, or would be."""
    return weights.with_name(weights.stem + SUFFIX)


def write_card(weights: Path, card: ModelCard) -> Path:
    """Write the card beside the weights, whole or not at all; returns where."""
    path = card_path(weights)
    write_atomically(path, tomltext.dumps({"schema": SCHEMA, "card": card_table(card)}).encode())
    return path


def card_table(card: ModelCard) -> dict[str, object]:
    """A card as TOML holds it, without its empty fields."""
    return {key: _plain(value) for key, value in asdict(card).items() if value not in ("", (), {}, None)}


def _plain(value: object) -> object:
    """As TOML holds it: lists for tuples, no empty fields."""
    if isinstance(value, dict):
        return {k: v for k, v in value.items() if v not in ("", None)}
    return list(value) if isinstance(value, tuple) else value


def card_beside(weights: Path, family: str) -> tuple[ModelCard | None, str]:
    """The card that lies beside a weights file, if it is of this very file.

    Args:
        weights: An existing file.
        family: Whose weights they are.

    Returns:
        The card, named ``family:PATH`` like the weights, or None; and why a file that is there was not used.
    """
    path = card_path(weights)
    if not weights.is_file() or not path.is_file():
        return None, ""
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError) as error:
        return None, f"{path} was not used: {error}"
    if found.schema != SCHEMA:
        return None, f"{path} was not used: its schema is '{found.schema}', this mlpzoo reads '{SCHEMA}'"
    if found.card.family != family:
        return None, f"{path} was not used: it is of family '{found.card.family}'"
    if found.card.checkpoint is None or found.card.checkpoint.sha256 != file_sha256(weights):
        return None, f"{path} was not used: it is of another {weights.name} (sha256 differs)"
    return replace(found.card, name=f"{family}:{weights}"), ""
