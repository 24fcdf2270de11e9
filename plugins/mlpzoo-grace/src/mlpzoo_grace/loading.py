"""A saved model in this process.  Importing this imports TensorFlow, but nothing of GRACE's own package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

from mlpzoo.errors import ModelError
from mlpzoo_grace.saved import HINT, Metadata, metadata_in, unpacked

if TYPE_CHECKING:
    from pathlib import Path

    from mlpzoo.models import DType

INPUTS: Final = frozenset(
    {"atomic_mu_i", "batch_tot_nat", "batch_tot_nat_real", "bond_vector", "ind_i", "ind_j", "mu_i", "mu_j"}
)
"""What a model of positions and species asks for; one of magnetic moments or tensors asks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model and what it needs.

    Attributes:
        module: What was loaded; it holds the weights.
        metadata: Elements and cutoffs.
        dtype: Precision of its weights.
        inputs: Names of what it asks for.
    """

    module: Any
    metadata: Metadata
    dtype: DType
    inputs: tuple[str, ...]


def load(path: Path) -> Loaded:
    """Load a directory or an archive; it may be gone afterwards.

    Raises:
        ModelError: It is no GRACE model of energies.
    """
    _use_the_threads_of_openmp()
    with unpacked(path) as directory:
        try:
            module = tf.saved_model.load(str(directory))
        except Exception as error:
            raise ModelError(
                f"TensorFlow cannot load {path}: {type(error).__name__}: {error}", hint=HINT
            ) from error
        metadata = metadata_in(directory) or _from_instructions(module, path)
        dtype = _precision_in(directory)
    signature = module.signatures.get("compute")
    if signature is None or "total_energy" not in signature.structured_outputs:
        raise ModelError(f"{path} is no GRACE model of energies: it has no 'compute'", hint=HINT)
    inputs = tuple(signature.structured_input_signature[1])
    unknown = sorted(set(inputs) - INPUTS)
    if unknown:
        raise ModelError(
            f"{path} asks for {', '.join(unknown)}, which structures do not have here", hint=HINT
        )
    return Loaded(module=module, metadata=metadata, dtype=dtype, inputs=inputs)


def look(path: Path) -> tuple[Metadata, DType]:
    """Elements, cutoffs and precision, without the graph if the files say them.

    Raises:
        ModelError: As for `load`.
    """
    with unpacked(path) as directory:
        metadata = metadata_in(directory)
        if metadata is not None:
            return metadata, _precision_in(directory)
    loaded = load(path)
    return loaded.metadata, loaded.dtype


def _precision_in(directory: Path) -> DType:
    """Of the weights: float32 if any are."""
    try:
        weights = tf.train.load_checkpoint(str(directory / "variables" / "variables"))
    except (ValueError, tf.errors.OpError) as error:
        raise ModelError(f"{directory} holds no weights: {error}", hint=HINT) from error
    single = tf.float32 in weights.get_variable_to_dtype_map().values()
    return "float32" if single else "float64"


def _from_instructions(module: Any, path: Path) -> Metadata:
    """From the parts of a model that was exported without metadata."""
    from tensorpotential.tpmodel import extract_cutoff_and_elements, extract_cutoff_matrix

    try:
        cutoff, symbols, order = extract_cutoff_and_elements(module.instructions)
        matrix = extract_cutoff_matrix(module.instructions)
        named = sorted(zip(map(int, order), symbols, strict=True))
        names = [s.decode() if isinstance(s, bytes) else str(s) for _, s in named]
    except Exception as error:
        raise ModelError(f"{path} says neither its elements nor its cutoff", hint=HINT) from error
    return Metadata.of(names, cutoff, None if matrix is None else matrix.tolist())


def _use_the_threads_of_openmp() -> None:
    """TensorFlow knows nothing of ``OMP_NUM_THREADS``; its number is fixed when it first computes."""
    try:
        threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        if threads > 0:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    except (ValueError, RuntimeError):
        return  # no number, or it has computed already
