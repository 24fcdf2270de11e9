"""DeePMD-kit's JAX backend without what it changes for the whole process.

Importing it turns float64 on and lets matrix products of float32 round to TensorFloat-32, both for all of
JAX; here both hold inside a ``with`` only.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.side_effects import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONS: Final = ("jax_enable_x64", "jax_default_matmul_precision")


@contextmanager
def deepmd_in_jax(device: str = "cpu", threads: int = 0) -> Iterator[None]:
    """Import, build and call DeePMD-kit's models in here.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``: where arrays are made.
        threads: Of the CPU, if this is the first use of JAX in this process; 0: ``OMP_NUM_THREADS``.

    Raises:
        ModelError: JAX has no such device.
    """
    with quiet(), ExitStack() as stack:
        wanted = str(threads or os.environ.get("OMP_NUM_THREADS", ""))
        if wanted:
            os.environ["NPROC"] = wanted  # XLA's; read when JAX is first used
        import jax

        before = {name: getattr(jax.config, name) for name in _OPTIONS}
        try:
            import deepmd.jax.env  # noqa: F401
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
        double = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        stack.enter_context(double())
        stack.enter_context(jax.default_matmul_precision("highest"))
        stack.enter_context(jax.default_device(_device(device)))
        yield


def _device(name: str) -> object:
    import jax

    platform, _, number = name.partition(":")
    try:
        return jax.devices("gpu" if platform == "cuda" else platform)[int(number or 0)]
    except (RuntimeError, IndexError) as error:
        raise ModelError(
            f"JAX has no device '{name}': {error}",
            hint="use --device cpu; or install jax[cuda13] into the environment that runs deepmd-kit",
        ) from error
