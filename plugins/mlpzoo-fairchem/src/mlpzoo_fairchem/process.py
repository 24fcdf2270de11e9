"""What fairchem changes for the whole process, undone."""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from mlpzoo.side_effects import quiet_torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def process_kept_as_it_was() -> Iterator[None]:
    """As `quiet_torch`; the random states of Python and numpy, and logging, are left as they are, too.

    fairchem seeds all of them when it loads a model, and lets ``logging`` install a handler.
    """
    import numpy as np

    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (fairchem seeds this one)
    handlers = [*logging.root.handlers, logging.NullHandler()]
    try:
        with quiet_torch(), patch.object(logging.root, "handlers", handlers):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
