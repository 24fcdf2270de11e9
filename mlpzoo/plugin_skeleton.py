"""A new plugin package, from the files in ``plugin_template``."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Final

from mlpzoo.errors import UsageError
from mlpzoo.hookspecs import API_VERSION

TEMPLATE: Final = Path(__file__).with_name("plugin_template")
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_INCLUDE: Final = """
# The lock lies at the top of the tree and goes into the package, where an installed plugin finds it.
[tool.hatch.build.targets.wheel.force-include]
"requirements.in" = "{module}/requirements.in"
"requirements.lock" = "{module}/requirements.lock"
"""


def write_skeleton(
    family: str, parent: Path, *, packages: tuple[str, ...] = (), imports: tuple[str, ...] = ()
) -> list[Path]:
    """Write the files of a plugin into ``parent/mlpzoo-FAMILY``; their paths.

    Args:
        family: What its users will type.
        parent: An existing directory.
        packages: Requirements of its environment, ``name==version``; none if ASE is all it needs.
        imports: Names that must be importable in it; those of the packages if empty.

    Raises:
        UsageError: The family's name is malformed, there is no such directory, or the plugin is there.
    """
    if not NAME.fullmatch(family):
        raise UsageError(
            f"'{family}' is no family name", hint="small letters and digits, '-' between: my-model"
        )
    if not parent.is_dir():
        raise UsageError(f"{parent} is no directory", hint="create it")
    target = parent / f"mlpzoo-{family}"
    if target.exists():
        raise UsageError(f"{target} exists", hint="choose another name, or --directory")
    module = f"mlpzoo_{family.replace('-', '_')}"
    names = imports or tuple(re.split(r"[^A-Za-z0-9_.-]", p)[0].replace("-", "_") for p in packages)
    fields = {
        "name": family,
        "module": module,
        "cls": "".join(word.capitalize() for word in family.split("-")),
        "api": str(API_VERSION),
        "include": _INCLUDE.format(module=module) if packages else "",
        "requires": "(" + " ".join(f'"{name}",' for name in names) + ")",
        "helpers": "cards_beside, lock_beside" if packages else "cards_beside",
        "lock": "lock_beside(__file__)" if packages else "None  # ASE is all it needs",
    }
    texts = {
        path.relative_to(TEMPLATE): Template(path.read_text(encoding="utf-8")).substitute(fields)
        for path in sorted(TEMPLATE.rglob("*.in"))
    }
    written = []
    for template, text in texts.items():
        place = (
            str(template.with_suffix(""))
            .replace("gitignore", ".gitignore")
            .replace("src/module", f"src/{module}")
        )
        written.append(_write(target / place, text))
    if packages:
        head = f"# The environment of the {family} family.  To lock it again: mlpzoo env lock {target.name}\n"
        written.append(_write(target / "requirements.in", head + "".join(f"{p}\n" for p in packages)))
    return written


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
