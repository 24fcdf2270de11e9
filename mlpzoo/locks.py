"""Locks between processes, which the kernel frees however their holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

_ASK_AGAIN_S = 0.2


@contextlib.contextmanager
def alone(
    place: Path, *, give_up: Callable[[], bool], waiting: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Hold a lock file; it is removed afterwards.

    Args:
        place: The file; its directory exists.
        give_up: Asked again and again while another process (or thread) holds it.
        waiting: Called once if another one does.

    Yields:
        Whether it is held; False if it was given up.
    """
    handle = _acquired(place, give_up, waiting)
    if handle is None:
        yield False
        return
    with handle:
        try:
            yield True
        finally:
            place.unlink(missing_ok=True)


def _acquired(place: Path, give_up: Callable[[], bool], waiting: Callable[[], None]) -> TextIO | None:
    told = False
    while True:
        handle = place.open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            if give_up():
                return None
            if not told:
                told = True
                waiting()
            time.sleep(_ASK_AGAIN_S)
            continue
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle.fileno()), place.stat()):
                return handle
        handle.close()  # its last holder removed it between our opening and locking it
