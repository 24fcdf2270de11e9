"""The state of a training on disk, and the finished model: whole or not at all.  No pickles."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def save_state(path: Path, tree: Any, done: int) -> None:
    """Store the arrays of a tree, in their order, and how many epochs led to them."""
    import jax

    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    stream = io.BytesIO()
    np.savez(stream, done=done, **{f"leaf{number}": leaf for number, leaf in enumerate(leaves)})
    write_atomically(path, stream.getvalue())


def load_state(path: Path, like: Any) -> tuple[Any, int]:
    """The stored arrays in the shape of another tree, and epochs; that tree and 0 if nothing is stored."""
    if not path.exists():
        return like, 0
    import jax
    import jax.numpy as jnp

    structure = jax.tree.structure(like)
    with np.load(path, allow_pickle=False) as found:
        leaves = [jnp.asarray(found[f"leaf{number}"]) for number in range(structure.num_leaves)]
        return jax.tree.unflatten(structure, leaves), int(found["done"])


def write_model(path: Path, tree: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write a model that ``dp`` of every backend reads, too; the time of day is left out.

    Args:
        path: Ends in ``.dp``.
        tree: As ``serialize`` makes it.
        settings: As DeePMD-kit's input has them in ``model``.
    """
    import h5py
    from deepmd.dpmodel.utils.serialization import save_dp_model

    temporary = path.with_name(f"part-{path.name}")
    save_dp_model(str(temporary), {"backend": "JAX", "model": tree, "model_def_script": settings})
    with h5py.File(temporary, "r+") as file:
        text = str(file.attrs["json"])
        start = text.index('"time":')
        file.attrs["json"] = text[:start] + '"time":""' + text[text.index(",", start) :]
    temporary.replace(path)
