"""The descriptor se_e2_a with networks for pairs of types, so that XLA can compile it.  Imports JAX.

DeePMD-kit 3.2.0 sorts atoms by their type and asks for the number of each while the model runs: nothing that
can be compiled, and wrong for padded atoms, whose type -1 it sorts before all others.  Here each network runs
for every atom, and what is of another type is left out of the sum: as many times the work as there are types.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from deepmd.jax.descriptor.se_e2_a import DescrptSeA


class TwoSided(DescrptSeA):  # type: ignore[misc]  # deepmd-kit is not seen by the type checker
    """`DescrptSeA` for ``type_one_side: false``; numbers and weights are the same."""

    def call(self, coord_ext: Any, atype_ext: Any, nlist: Any, *others: Any, **more: Any) -> Any:
        """As that of its parent: descriptor, equivariant part, nothing, nothing, switching function."""
        del others, more
        matrix, _, switch = self.env_mat.call(coord_ext, atype_ext, nlist, self.davg[...], self.dstd[...])
        n_frames, n_atoms, n_places, _ = matrix.shape
        mask = self.emask.build_type_exclude_mask(nlist, atype_ext).reshape(-1, n_places, 1)
        matrix = matrix.reshape(-1, n_places, 4).astype(self.dstd.dtype)
        matrix *= mask.astype(matrix.dtype)
        types = atype_ext[:, :n_atoms].reshape(-1, 1, 1)
        total = jnp.zeros((n_frames * n_atoms, self.neuron[-1], 4), dtype=coord_ext.dtype)
        for own in range(self.ntypes):
            for other in range(self.ntypes):
                part = matrix[:, self.sel_cumsum[other] : self.sel_cumsum[other + 1]]
                embedded = self.cal_g(part[..., :1], (own, other))
                product = jnp.einsum("apg,apc->agc", embedded, part)
                total += jnp.where(types == own, product, 0.0)
        total = total.reshape(n_frames, n_atoms, -1, 4) / self.nnei
        squares = jnp.einsum("fagc,fahc->fagh", total, total[:, :, : self.axis_neuron])
        return squares.reshape(n_frames, n_atoms, -1), total[..., 1:], None, None, switch


def make_compilable(model: Any) -> None:
    """Replace the descriptors of a model that XLA cannot compile; in place."""
    first = getattr(model.atomic_model, "descriptor", None)
    for descriptor in getattr(first, "descrpt_list", [first]):
        if type(descriptor) is DescrptSeA and not descriptor.type_one_side and not descriptor.compress:
            descriptor.__class__ = TwoSided
