"""uv, driven with the site's package settings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mlpzoo import paths
from mlpzoo.errors import EnvError
from mlpzoo.site_settings import uv_environment, uv_options

ProgressFn = Callable[[str], None]
_DULL: Final = re.compile(r"[+~-] |Using Python|Resolved |Audited ")


def has_nvidia_gpu() -> bool:
    """Whether the NVIDIA driver shows a device."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return gpus.is_dir() and any(gpus.iterdir())


def uv(*arguments: str, on_line: ProgressFn | None = None, keep_open: int | None = None) -> str:
    """Run uv with the site's package settings; returns what it printed to stdout.

    Args:
        arguments: uv's arguments.
        on_line: Told each line of uv's progress as it comes.
        keep_open: File descriptor that uv inherits: a lock that must last as long as uv does.

    Raises:
        EnvError: uv is missing or failed; the message ends with its last lines.
    """
    from uv import find_uv_bin

    environ = uv_environment()
    if arguments[0] == "pip":
        arguments = (*arguments[:2], *uv_options(), *arguments[2:])
    environ.pop("VIRTUAL_ENV", None)
    environ.setdefault("UV_HTTP_RETRIES", "2")
    lines: list[str] = []
    try:
        process = subprocess.Popen(  # noqa: S603
            [find_uv_bin(), "--no-progress", "--color", "never", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=paths.home(),
            pass_fds=() if keep_open is None else (keep_open,),
        )
    except FileNotFoundError as error:
        raise EnvError("uv is not installed", hint="pip install uv") from error
    with process:
        try:
            assert process.stdout is not None  # noqa: S101
            for line in process.stdout:
                lines.append(line.rstrip())
                if on_line is not None and line.strip() and not _DULL.match(line.strip()):
                    on_line(line.strip())
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code:
        tail = "\n".join(line for line in lines if line.strip())[-1500:]
        raise EnvError(
            f"uv {arguments[0]} failed with exit code {code}:\n{tail}",
            hint="check the network or the package index settings (pip's are honoured)",
        )
    return "\n".join(lines)
