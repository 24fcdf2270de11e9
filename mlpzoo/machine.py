"""What this process runs on."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path


def device_name(device: str) -> str:
    """Model name of the processor or accelerator."""
    torch = sys.modules.get("torch")
    if device != "cpu" and torch is not None:
        return str(torch.cuda.get_device_name(device))
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def n_threads() -> int:
    """Threads that a framework uses unless told otherwise."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
