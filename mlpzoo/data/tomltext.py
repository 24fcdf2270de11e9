"""TOML in and out: the standard reader, and a writer for the few types that a manifest holds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def loads(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: The text is not TOML (``tomllib.TOMLDecodeError`` is a ``ValueError``).
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return dict(tomllib.loads(text))


def dumps(table: Mapping[str, object]) -> str:
    """Write a table of strings, numbers, booleans, lists and tables.

    Lists of tables become ``[[name]]``; entries that are None are left out.

    Raises:
        TypeError: A value has no form in TOML here (dates, bytes, objects, lists of mixed kinds).
    """
    return "\n".join(_table(table, ())).strip() + "\n"


def _table(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    """Plain values first, then sub-tables: TOML would give a later value to the sub-table."""
    items = [(key, value) for key, value in table.items() if value is not None]
    for key, value in items:
        if not isinstance(value, Mapping) and not _is_tables(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in items:
        inner = (*path, key)
        header = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            yield from ("", f"[{header}]")
            yield from _table(value, inner)
        elif isinstance(value, Sequence) and _is_tables(value):
            for entry in value:
                yield from ("", f"[[{header}]]")
                yield from _table(entry, inner)


def _is_tables(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, (str, bytes))
        and len(value) > 0
        and all(isinstance(entry, Mapping) for entry in value)
    )


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    import json

    # JSON's escapes are TOML's, but for DEL (forbidden bare) and "\/" (never written by json);
    # non-ASCII characters stay as they are, for JSON would write surrogate pairs.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))  # always with a point, an exponent, or inf and nan: all TOML
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return "[" + ", ".join(map(_value, value)) + "]"
    msg = f"cannot write {type(value).__name__} {value!r} as TOML"
    raise TypeError(msg)
