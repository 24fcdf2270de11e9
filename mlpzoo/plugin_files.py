"""Files that lie beside a plugin's module: its cards and its lock."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from mlpzoo.errors import PluginError, UsageError
from mlpzoo.models import ModelCard


def lock_beside(module_file: str) -> Path:
    """``requirements.lock`` of a plugin.

    Inside the package when it was installed from a wheel (``force-include``); at the top of the plugin's
    tree, above ``src/PACKAGE/``, in a checkout.
    """
    here = Path(module_file).resolve().parent
    packaged = here / "requirements.lock"
    return packaged if packaged.exists() else here.parents[1] / "requirements.lock"


def lock_in(directory: Path) -> Path:
    """``requirements.lock`` of a plugin's source tree.

    Raises:
        UsageError: There is none.
    """
    path = directory / "requirements.lock"
    if not path.is_file():
        raise UsageError(f"{directory} holds no requirements.lock", hint=f"mlpzoo env lock {directory}")
    return path


def family_of(directory: Path) -> str:
    """The family of a plugin's source tree: the first entry point of its ``pyproject.toml``, or its name.

    Raises:
        UsageError: ``pyproject.toml`` is no TOML.
    """
    path = directory / "pyproject.toml"
    points: dict[str, object] = {}
    if path.is_file():
        try:
            project = msgspec.toml.decode(path.read_bytes()).get("project", {})
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}: {error}", hint="see 'mlpzoo plugin new --help'") from error
        points = project.get("entry-points", {}).get("mlpzoo", {})
    return next(iter(points), directory.resolve().name.removeprefix("mlpzoo-"))


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
