"""Steps of making an environment: the torch build of this machine, and what uv's cache had damaged."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from mlpzoo.errors import EnvError
from mlpzoo.uvtool import ProgressFn, has_nvidia_gpu


def replace_damaged(
    target: Path, installer: tuple[str, ...], progress: ProgressFn, run: Callable[..., str]
) -> None:
    """Install anew what does not have the size that its wheel recorded.

    uv links files from its cache: whoever truncates one in an environment truncates the cache's copy too,
    and the next environment gets it.
    """
    damaged = _damaged(target)
    if not damaged:
        return
    progress(f"replacing damaged copies in uv's cache: {', '.join(damaged)}")
    run("cache", "clean", *(name.partition("==")[0] for name in damaged))
    run(*installer, "--reinstall", "--no-deps", *damaged, on_line=progress)
    still = _damaged(target)
    if still:  # some wheels record a wrong size; pip and uv install them all the same
        progress(f"taken as they are, though their wheels record other sizes: {', '.join(still)}")


def _damaged(target: Path) -> list[str]:
    """``name==version`` of every installed package with a file that is missing or has another size."""
    found = []
    for record in target.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        root = record.parent.parent
        with record.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream) if len(row) == 3 and row[2]]  # noqa: PLR2004
        try:
            bad = any(os.stat(f"{root}/{name}").st_size != int(size) for name, _, size in rows)  # noqa: PTH116
        except OSError:
            bad = True
        if bad:
            name, _, version = record.parent.name.removesuffix(".dist-info").rpartition("-")
            found.append(f"{name}=={version}")
    return sorted(found)


def install_variants(
    name: str,
    variants: Sequence[str],
    torch: str,
    lock: Path,
    installer: tuple[str, ...],
    progress: ProgressFn,
    run: Callable[..., str],
) -> None:
    """Install what the lock leaves open (torch), in the build that fits this machine.

    Tried in turn: a CPU build that the site's own index or wheel directory has, PyTorch's own index for the
    wanted backend, the plain package.
    """
    for requirement in variants:
        constraint = ("--constraint", str(lock))
        tries: list[tuple[str, tuple[str, ...]]] = []
        wanted = torch if torch != "auto" else ("auto" if has_nvidia_gpu() else "cpu")
        if wanted == "cpu" and platform.system() == "Linux":
            pin, semicolon, marker = requirement.partition(" ;")
            tries.append(("CPU build", (*installer, f"{pin}+cpu{semicolon}{marker}")))
        if wanted != "index" and platform.system() == "Linux":
            tries.append((f"{wanted} build", (*installer, requirement, "--torch-backend", wanted)))
        tries.append(("default build", (*installer, requirement)))
        problems = []
        for title, command in tries:
            progress(f"step 2 of 4: installing {requirement} ({title})")
            try:
                run(*command, *constraint, on_line=progress)
                break
            except EnvError as error:
                problems.append(f"{title}: {error.message.splitlines()[-1]}")
        else:
            raise EnvError(
                f"{requirement} could not be installed for '{name}': {'; '.join(problems)}",
                hint="check the network or the index; MLPZOO_TORCH=cpu|cu128|index chooses the build",
            )
