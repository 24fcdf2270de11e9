"""Energies, forces and virials of a model, as one compiled function.  Importing this imports JAX.

To be imported and called within `mlpzoo_deepmd.process.deepmd_in_jax`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from deepmd.jax.model.base_model import BaseModel
from flax import nnx

from mlpzoo_deepmd.batch import Batch, needed, packed, rounded
from mlpzoo_deepmd.neighbours import Layout
from mlpzoo_deepmd.two_sided import make_compilable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlpzoo_deepmd.neighbours import Surroundings

_SHELLS = (("e_rcut", "e_sel"), ("a_rcut", "a_sel"), ("rcut", "nsel"), ("three_body_rcut", "three_body_sel"))
"""Names of a cutoff and of its number of neighbours in the blocks of DPA-2 and DPA-3."""


class Found(NamedTuple):
    """What a model says of a batch.

    Attributes:
        energies: Of atoms, eV, shape (atoms,); zero for empty places.
        forces: eV/Å, shape (atoms, 3).
        virials: Derivative of each structure's energy by a symmetric strain, eV, shape (structures, 3, 3).
    """

    energies: Any
    forces: Any
    virials: Any


class Potential:
    """A model with its weights.

    Args:
        tree: As `mlpzoo_deepmd.files.load` reads it.

    Raises:
        ValueError: The model gives no energy, or wants more than a structure.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        model = BaseModel.deserialize(tree)
        if "energy" not in model.model_output_type():
            raise ValueError(f"it gives {', '.join(model.model_output_type())} and no energy")
        if model.get_dim_fparam() or model.get_dim_aparam():
            raise ValueError("it wants parameters of frames or atoms (fparam, aparam)")
        self.layout = layout_of(model)._replace(shells=shells_of(tree))
        self.elements = tuple(model.get_type_map())
        make_compilable(model)
        self._graph, self._state = nnx.split(model)
        self._compiled = jax.jit(partial(evaluate, self._graph), static_argnames="n_structures")

    def evaluate(self, parts: Sequence[Surroundings]) -> Found:
        """Energies, forces and virials of structures, in their order; numpy, perhaps with zeros behind."""
        shape = rounded(needed(parts))
        found = self._compiled(self._state, packed(parts, shape), n_structures=shape.structures)
        return Found(*(np.asarray(column, dtype=float) for column in found))

    @property
    def n_compiled(self) -> int:
        """For how many shapes it was compiled."""
        return int(self._compiled._cache_size())  # noqa: SLF001  (JAX has no public name for it)


def layout_of(model: Any) -> Layout:
    """What a model's neighbour lists look like."""
    excluded = {tuple(pair) for pair in model.atomic_model.pair_exclude_types}
    return Layout(
        cutoff_ang=float(model.get_rcut()),
        sel=tuple(int(n) for n in model.get_sel()),
        by_type=not model.mixed_types(),
        excluded=frozenset(excluded | {(b, a) for a, b in excluded}),
    )


def shells_of(tree: dict[str, Any]) -> tuple[tuple[float, int], ...]:
    """Cutoffs inside a model's blocks, and how many neighbours each takes before it drops the farthest."""
    found = {
        (float(part[cutoff]), int(part[room]))
        for part in _dictionaries(tree)
        for cutoff, room in _SHELLS
        if isinstance(part.get(cutoff), (int, float)) and isinstance(part.get(room), int)
        if room != "three_body_sel" or part.get("use_three_body")
    }
    return tuple(sorted(found))


def evaluate(graph: Any, state: Any, batch: Batch, n_structures: int) -> Found:
    """A pure function of a model's weights and a batch."""
    model = nnx.merge(graph, state)

    def total(positions: Any, strains: Any) -> tuple[Any, Any]:
        energies = energies_of_atoms(model, batch, positions, strains)
        return energies.sum(), energies

    derivatives = jax.grad(total, argnums=(0, 1), has_aux=True)
    (slopes, virials), energies = derivatives(batch.positions, jnp.zeros((n_structures, 3, 3)))
    return Found(energies, -slopes, 0.5 * (virials + virials.transpose(0, 2, 1)))


def energies_of_atoms(model: Any, batch: Batch, positions: Any, strains: Any) -> Any:
    """Energies of atoms, eV, shape (atoms,), in structures that are strained about the origin."""
    places = positions[batch.mapping] + batch.offsets
    places = places + jnp.einsum("ai,aij->aj", places, strains[batch.structure])
    found = model.atomic_model.forward_common_atomic(
        places[None], batch.types[None], batch.places[None], mapping=batch.mapping[None]
    )
    return found["energy"][0, :, 0] * batch.real


def _dictionaries(tree: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a tree."""
    if isinstance(tree, dict):
        yield tree
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for item in inner:
        yield from _dictionaries(item)
