"""Lock files of family environments: reading them, and making them with uv.

A lock is a requirements file with every package pinned and hashed, for all supported Pythons.  torch alone
is left open, because its build (CPU or CUDA) depends on the machine: a comment line names its version ::

    # mlpzoo-variant: torch==2.13.0

What a framework asks for and never needs here (gigabytes of CUDA, a second build of itself) is named in
``requirements.in`` and left out with all that only it brings ::

    # mlpzoo-without: torchvision torchaudio
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlpzoo.errors import EnvError
from mlpzoo.uvtool import uv

VARIANT: Final = "# mlpzoo-variant:"
WITHOUT: Final = "# mlpzoo-without:"
BASE_REQUIREMENTS: Final = (
    "ase>=3.26",
    "msgspec>=0.19",
    "numpy",
    "phonopy>=4",
    "pluggy>=1.5",
    "scipy",
    "tomli>=2; python_version < '3.11'",
)
"""What the worker itself and the benchmarks need in every environment."""

_VARIANT_PACKAGES: Final = ("torch",)
COMES_WITH_TORCH: Final = re.compile(
    r"nvidia-(cublas|cuda|cudnn|cufft|cufile|curand|cusolver|cusparse|cusparselt|nccl|nvjitlink|nvshmem|nvtx)"
    r"\b.*|triton|pytorch-triton.*|cuda-(bindings|pathfinder|toolkit)"
)
"""Names of packages that belong to one build of torch; ``nvidia-ml-py`` and its like do not."""

_NOWHERE: Final = "sys_platform == 'nowhere'"
_PIN: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s*;]+)(?=[\s;\\]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """A parsed lock file.

    Attributes:
        path: Where it is.
        sha256: Hash of its text.
        packages: Pinned packages, ``name==version``.
        variants: Packages whose build is chosen per machine, ``torch==2.13.0``, maybe with a marker.
    """

    path: Path
    sha256: str
    packages: tuple[str, ...] = ()
    variants: tuple[str, ...] = field(default=())


def read_lock(path: Path) -> LockFile:
    """Read and check a lock file.

    Raises:
        EnvError: It is missing, or a line is not pinned.
    """
    path = path.resolve()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvError(f"{path}: no lock file", hint="make it with 'mlpzoo env lock FAMILY'") from error
    packages, variants = [], []
    for line in text.splitlines():
        if line.startswith(VARIANT):
            variants.append(line[len(VARIANT) :].strip())
        elif line.strip() and not line.startswith((" ", "\t", "#")):
            pin = _PIN.match(line)
            if not pin:
                raise EnvError(
                    f"{path}: '{line.strip()}' is not a pinned package",
                    hint="make the lock again with 'mlpzoo env lock FAMILY'",
                )
            packages.append(f"{pin.group(1)}=={pin.group(2)}")
    return LockFile(
        path=path,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        packages=tuple(packages),
        variants=tuple(variants),
    )


def make_lock(requirements: Path, lock: Path, *, python: str = "3.10", upgrade: bool = False) -> LockFile:
    """Resolve ``requirements.in`` plus what a worker needs into a lock file.

    The lock is for every Python from ``python`` on.  Its text holds no index, no path and no
    machine-dependent build.

    Args:
        requirements: What the family needs.
        lock: Where the lock goes.  Pins of a lock that is there already are kept as far as the requirements
            allow it, because another version is another environment and may give other numbers.
        python: The oldest Python that it is for.
        upgrade: Keep no pin: take the newest version of everything.

    Raises:
        EnvError: uv cannot resolve it.
    """
    requirements, lock = requirements.resolve(), lock.resolve()
    if not requirements.is_file():
        raise EnvError(f"{requirements}: no such file", hint="list the family's packages there")
    base = lock.with_suffix(".base.part")
    base.write_text("\n".join(BASE_REQUIREMENTS) + "\n", encoding="utf-8")
    overrides = lock.with_suffix(".overrides.part")
    overrides.write_text(_nowhere(requirements), encoding="utf-8")
    out = lock.with_suffix(".lock.part")
    if lock.is_file() and not upgrade:
        out.write_text(_preferences(lock), encoding="utf-8")  # uv keeps the pins of an output file
    try:
        uv(
            *("pip", "compile", "--universal", "--python-version", python, "--generate-hashes"),
            *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--override", str(overrides), "--output-file", str(out), str(requirements), str(base)),
        )
        text = out.read_text(encoding="utf-8")
    finally:
        base.unlink(missing_ok=True)
        overrides.unlink(missing_ok=True)
        out.unlink(missing_ok=True)
    lock.write_text(clean(text), encoding="utf-8")
    return read_lock(lock)


def _nowhere(requirements: Path) -> str:
    """Overrides for uv: the packages that are to be left out are needed on no platform."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    names = [name for line in lines if line.startswith(WITHOUT) for name in line[len(WITHOUT) :].split()]
    return "".join(f"{name} ; {_NOWHERE}\n" for name in names)


def _preferences(lock: Path) -> str:
    """A lock's pins as uv reads them, with torch among them; nothing if it is damaged."""
    try:
        read = read_lock(lock)
    except EnvError:
        return ""
    return "\n".join([lock.read_text(encoding="utf-8"), *read.variants]) + "\n"


def clean(resolved: str) -> str:
    """A lock's text from uv's: torch becomes a variant line; what only comes with it, or is left out, goes.

    Where the site offers another build for some platforms, uv lists one version once for each, with markers
    that together mean everywhere.
    """
    variants: dict[str, list[str]] = {}
    kept: list[str] = []
    keep = True
    for line in resolved.splitlines():
        pin = _PIN.match(line)
        if pin:
            name, version = pin.group(1).lower(), pin.group(2)
            marker = line.partition(";")[2].rstrip("\\ ").strip()
            somewhere = not all(_NOWHERE in part for part in marker.split(" or "))
            if name in _VARIANT_PACKAGES and somewhere:
                pinned = f"{VARIANT} {name}=={version.partition('+')[0]}"
                variants.setdefault(pinned, []).append(f" ; {marker}" if marker else "")
            belongs_to_torch = name in _VARIANT_PACKAGES or COMES_WITH_TORCH.fullmatch(name)
            keep = somewhere and not belongs_to_torch
        if keep and line.strip() and not line.lstrip().startswith("#"):
            kept.append(line)
    head = [
        "# Made by 'mlpzoo env lock'; do not edit.",
        *(pinned + (markers[0] if len(markers) == 1 else "") for pinned, markers in variants.items()),
    ]
    return "\n".join([*head, *kept]) + "\n"
