"""Why what a plugin registered cannot be taken; an empty string if it can."""

from __future__ import annotations

import re
from collections.abc import Callable

from mlpzoo.models import ModelCard

_SYMBOL = re.compile(r"[A-Z][a-z]?")
_PROPERTIES = frozenset({"energy", "forces", "stress"})
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def backend_problem(item: object) -> str:
    """Why an object is no backend; empty if it is one."""
    missing = [
        name for name in ("family", "requires", "lock_file", "cards", "calculator") if not hasattr(item, name)
    ]
    if isinstance(item, type):
        return f"{item.__name__} is a class: return an instance of it"
    if missing:
        return f"{type(item).__name__} lacks {', '.join(missing)}"
    family = item.family  # type: ignore[attr-defined]
    if not isinstance(family, str) or not _NAME.fullmatch(family):
        return f"{type(item).__name__} has an invalid family name {family!r}: use [a-z0-9._-]"
    if isinstance(item.requires, str):  # type: ignore[attr-defined]
        return f"{family}: 'requires' must be a tuple of import names, not a string"
    return ""


def card_problem(card: object, family: str) -> str:
    """Why an object is no card of this family."""
    if not isinstance(card, ModelCard):
        return f"'{family}' returned a {type(card).__name__} instead of a ModelCard"
    if card.family != family or not card.name.startswith(f"{family}/"):
        return f"card '{card.name}' must be named '{family}/...' and have family '{family}'"
    if isinstance(card.elements, str) or not all(_SYMBOL.fullmatch(e) for e in card.elements):
        return f"card '{card.name}': elements must be a tuple of chemical symbols, got {card.elements!r}"
    if isinstance(card.properties, str) or not card.properties or set(card.properties) - _PROPERTIES:
        known = ", ".join(sorted(_PROPERTIES))
        return f"card '{card.name}': properties must be a tuple of {known}, got {card.properties!r}"
    return ""


def instance_problem(cls: type) -> Callable[[object], str]:
    """A check that an object is of this class."""

    def problem(item: object) -> str:
        return "" if isinstance(item, cls) else f"must be a {cls.__name__}, got {type(item).__name__}"

    return problem


def dataset_problem(item: object) -> str:
    """Why an object is no data set."""
    return "" if hasattr(item, "name") and hasattr(item, "kind") else "must be a DatasetSpec"


def engine_problem(item: object) -> str:
    """Why an object is no reference engine."""
    missing = [
        name
        for name in ("name", "levels", "configured", "check", "pseudopotentials", "run")
        if not hasattr(item, name)
    ]
    if isinstance(item, type):
        return f"{item.__name__} is a class: return an instance of it"
    if missing:
        return f"{type(item).__name__} lacks {', '.join(missing)}"
    name = item.name  # type: ignore[attr-defined]
    return "" if isinstance(name, str) and _NAME.fullmatch(name) else f"has an invalid name {name!r}"
