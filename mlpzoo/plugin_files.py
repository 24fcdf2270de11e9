"""Files that lie beside a plugin's module: its cards and its lock."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from mlpzoo.errors import PluginError
from mlpzoo.models import ModelCard


def lock_beside(module_file: str) -> Path:
    """``requirements.lock`` of a plugin.

    Inside the package when it was installed from a wheel (``force-include``); at the top of the plugin's
    tree, above ``src/PACKAGE/``, in a checkout.
    """
    here = Path(module_file).resolve().parent
    packaged = here / "requirements.lock"
    return packaged if packaged.exists() else here.parents[1] / "requirements.lock"


@cache
def cards_beside(module_file: str) -> tuple[ModelCard, ...]:
    """The cards in ``cards.toml`` beside a module: tables ``[[card]]`` with the fields of `ModelCard`.

    Raises:
        PluginError: The file is missing, or a field is unknown, missing or of the wrong type.
    """
    path = Path(module_file).resolve().with_name("cards.toml")
    try:
        raw = msgspec.toml.decode(path.read_bytes(), type=dict[str, list[dict[str, object]]])
        unknown = {key for card in raw["card"] for key in card} - set(ModelCard.__dataclass_fields__)
        if unknown:
            raise PluginError(f"{path.name}: unknown fields {', '.join(sorted(unknown))}")
        return msgspec.convert(raw["card"], tuple[ModelCard, ...])
    except (OSError, KeyError, msgspec.MsgspecError) as error:
        raise PluginError(f"{path.name} of a plugin cannot be read: {error}") from error
