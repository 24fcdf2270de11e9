"""The site's pip settings, translated for uv, which does not read them.

Where packages come from is set up once per site, nearly always for pip: ``PIP_*`` variables and pip's
configuration files (https://pip.pypa.io/en/stable/topics/configuration/).  Each setting is passed on to uv
only where uv's own (variable or ``uv.toml``) is unset.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

# pip option -> (uv variables of which any counts as set, uv.toml keys that count too, joined by)
_TRANSLATION: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], str]]] = {
    "index-url": (("UV_DEFAULT_INDEX", "UV_INDEX_URL"), ("index", "index-url"), " "),
    "extra-index-url": (("UV_INDEX", "UV_EXTRA_INDEX_URL"), ("index", "extra-index-url"), " "),
    "find-links": (("UV_FIND_LINKS",), ("find-links",), ","),
    "cert": (("SSL_CERT_FILE",), (), " "),
    "client-cert": (("SSL_CLIENT_CERT",), (), " "),
    "trusted-host": (("UV_INSECURE_HOST",), ("allow-insecure-host",), " "),
    "proxy": (("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), (), " "),
    "timeout": (("UV_HTTP_TIMEOUT",), (), " "),
    "default-timeout": (("UV_HTTP_TIMEOUT",), (), " "),
}

_PATHS: Final = ("find-links", "cert", "client-cert")
"""Options that may hold paths: relative to where the user is, while uv runs elsewhere."""


def uv_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment to run uv in: the given one plus what pip knows and uv does not.

    Extra indexes of pip's are searched as pip does it, all together for the best version, because that is
    what the site has set up: ``UV_INDEX_STRATEGY=unsafe-best-match`` unless the site chose otherwise.
    """
    base = dict(os.environ if environ is None else environ)
    added = translated(pip_settings(base), base, uv_config_keys(base))
    return {**base, **added}


def uv_options(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Options of ``uv pip`` for what has no variable: ``--no-index`` if the site's pip may use no index."""
    base = dict(os.environ if environ is None else environ)
    said = pip_settings(base).get("no-index", "").lower()
    forbidden = said in ("1", "true", "t", "yes", "y", "on") and "no-index" not in uv_config_keys(base)
    return ("--no-index",) if forbidden else ()


def translated(
    pip: Mapping[str, str], environ: Mapping[str, str], uv_keys: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Uv variables for pip options, leaving out those that uv already has.

    Args:
        pip: Option (``index-url``) to value; several values are separated by white space.
        environ: Where uv's own variables would be.
        uv_keys: Keys that a uv configuration file sets.
    """
    found: dict[str, str] = {}
    for option, (variables, keys, separator) in _TRANSLATION.items():
        values = pip.get(option, "").split()
        if not values or any(environ.get(v) for v in variables) or uv_keys & set(keys):
            continue
        if variables[0] not in found:
            if option in _PATHS:
                values = [v if "://" in v else str(Path(v).expanduser().absolute()) for v in values]
            found[variables[0]] = separator.join(values)
    chosen = environ.get("UV_INDEX_STRATEGY") or "index-strategy" in uv_keys
    if "UV_INDEX" in found and not chosen:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Pip's options: configuration files in pip's order, then ``PIP_*`` variables over them."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for file in _pip_files(environ):
        parser = configparser.RawConfigParser()
        with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(file, encoding="utf-8")
        for section, options in sections.items():
            if parser.has_section(section):
                options.update({k.replace("_", "-"): v for k, v in parser.items(section)})
    options = {k: v for section in sections.values() for k, v in section.items() if v}
    for name, value in environ.items():
        if name.startswith("PIP_") and value and name != "PIP_CONFIG_FILE":
            options[name[4:].lower().replace("_", "-")] = value
    return options


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Pip's configuration files, lowest precedence first."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    for directory in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(directory) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        yield from [home / "Library/Application Support/pip/pip.conf"] * (not named)
    if not (named and Path(named).exists()):
        yield home / ".pip" / "pip.conf"
        yield config / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if named:
        yield Path(named)


def uv_config_keys(environ: Mapping[str, str]) -> frozenset[str]:
    """Keys that uv's own user or system configuration sets, top level and ``[pip]``."""
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if environ.get("UV_NO_CONFIG"):
        return frozenset()
    shared = [Path(d) / "uv" / "uv.toml" for d in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    files = [config / "uv" / "uv.toml", *shared, Path("/etc/uv/uv.toml")]
    if environ.get("UV_CONFIG_FILE"):
        files = [Path(environ["UV_CONFIG_FILE"])]
    keys: set[str] = set()
    for file in files:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = file.read_text(encoding="utf-8")
            keys |= set(re.findall(r"^\s*([a-z-]+)\s*=", text, re.MULTILINE))
            keys |= {"index"} if re.search(r"^\s*\[\[index\]\]", text, re.MULTILINE) else set()
    return frozenset(keys)
