"""What frameworks change for the whole process when they are loaded or called, undone.  For backends.

torch is imported only by those that need it, when they are entered.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what is printed off standard output, hide warnings, and leave environment variables alone."""
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(patch.dict(os.environ))
        yield


@contextmanager
def quiet_torch() -> Iterator[None]:
    """As `quiet`; torch's default precision and random state are left as they are, too."""
    with quiet():
        import torch

        with default_dtype(torch.get_default_dtype()), torch.random.fork_rng(devices=[]):
            yield


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Make torch, and what relies on its default, create numbers of this precision for a while."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
