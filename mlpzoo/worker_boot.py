"""First file that runs in a worker.  Uses only the standard library; imports mlpzoo by explicit path.

The interpreter belongs to a family's environment, where neither mlpzoo nor the plugin is installed: both
are taken, by name, from where the parent has them, and nothing else of the parent's packages is visible.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import struct
import sys
import traceback


class Borrowed:
    """A finder for the few top-level modules that come from the parent.

    Args:
        places: Top-level module name to the directory that holds it.
    """

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a borrowed top-level module; submodules are then found by its ``__path__``."""
        del path, target
        if name in self.places:
            return importlib.machinery.PathFinder.find_spec(name, [self.places[name]])
        return None


def main() -> None:
    """Start the worker; a failure to start goes to the parent over the channel."""
    setup = json.loads(sys.argv[1])
    channel_fd = setup["fd"]
    sys.path[:] = [p for p in sys.path if p != os.path.dirname(os.path.abspath(__file__))]  # noqa: PTH100,PTH120
    sys.path += [p for p in setup["path"] if p not in sys.path]
    sys.meta_path.insert(0, Borrowed(setup["places"]))
    try:
        from mlpzoo import worker

        worker.serve(channel_fd, setup["lifeline"], memory_limit_bytes=setup["memory_limit_bytes"])
    except Exception:  # noqa: BLE001
        text = traceback.format_exc().encode()
        os.write(channel_fd, struct.pack("<cQ", b"T", len(text)) + text)
        sys.exit(1)


if __name__ == "__main__":
    main()
