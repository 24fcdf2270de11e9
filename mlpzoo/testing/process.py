"""What a calculator may change behind everybody's back: snapshots of the process."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlpzoo.models import DType


ENVIRONMENT_AT_START = dict(os.environ)
"""The environment variables when the kit was imported, which is before any framework."""

UNUSUAL_SEED = 20231205


def changes_of_process(action: Callable[[], object], *, dtype: DType) -> list[str]:
    """Names of what an action changed; everything is put back.

    A calculator that sets something once and for all would go unnoticed the second time.  So everything
    is first set to what it would not choose: torch's default dtype to the one that the model does *not*
    use, random states to an unusual seed, environment variables to what they were at the start.
    """
    with _restored(), _unusual_settings(dtype):
        before = _snapshot()
        action()
        after = _snapshot()
    return [name for name, value in before.items() if after.get(name) != value]


def output_of(action: Callable[[], object]) -> str:
    """What an action writes to standard output, by Python or below it."""
    text = io.StringIO()
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file, contextlib.redirect_stdout(text), _file_descriptor_1(file):
        action()
        file.seek(0)
        below = file.read().decode(errors="replace")
    return text.getvalue() + below


def _snapshot() -> dict[str, object]:
    state: dict[str, object] = {
        "the environment variables": dict(os.environ),
        "the working directory": Path.cwd(),
        "the warning filters": list(warnings.filters),
        "NumPy's error handling": np.geterr(),
        "NumPy's global random state": np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
        "Python's global random state": random.getstate(),
        "sys.path": list(sys.path),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch's default dtype"] = torch.get_default_dtype()
        state["torch's grad mode"] = torch.is_grad_enabled()
        state["torch's random state"] = torch.get_rng_state().tolist()
        state["torch's number of threads"] = torch.get_num_threads()
    jax = sys.modules.get("jax")
    if jax is not None:
        state["jax's 64-bit mode"] = bool(jax.config.jax_enable_x64)
    return state


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Put back what the process had."""
    environment, directory = dict(os.environ), Path.cwd()
    path, python_state = list(sys.path), random.getstate()
    numpy_state: Any = np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    torch_state = (torch.get_default_dtype(), torch.get_rng_state()) if torch is not None else None
    try:
        with np.errstate(), warnings.catch_warnings():
            yield
    finally:
        _set_environment(environment)
        os.chdir(directory)
        sys.path[:] = path
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch is not None and torch_state is not None:
            torch.set_default_dtype(torch_state[0])
            torch.set_rng_state(torch_state[1])


@contextlib.contextmanager
def _unusual_settings(dtype: DType) -> Iterator[None]:
    """To be used inside of `_restored`."""
    _set_environment(ENVIRONMENT_AT_START)
    random.seed(UNUSUAL_SEED)
    np.random.seed(UNUSUAL_SEED)  # noqa: NPY002
    # A filter set again moves to the front, even if it was there before.
    warnings.filterwarnings("ignore", message="never issued: it marks the front of the list")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_default_dtype(torch.float32 if dtype == "float64" else torch.float64)
        torch.manual_seed(UNUSUAL_SEED)
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        yield


def _set_environment(variables: dict[str, str]) -> None:
    """Change as few variables as possible: some platforms tell the C library of each."""
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    for name, value in variables.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextlib.contextmanager
def _file_descriptor_1(file: Any) -> Iterator[None]:
    """Send file descriptor 1 to a file; do nothing if it is closed."""
    try:
        saved = os.dup(1)
    except OSError:
        yield
        return
    try:
        os.dup2(file.fileno(), 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
