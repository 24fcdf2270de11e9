"""From a file to the tree of plain data that describes a model, whichever backend of DeePMD-kit wrote it.

``.dp`` (HDF5) and ``.yaml`` are DeePMD-kit's formats for all backends; ``.hlo`` holds the same tree beside
compiled code that is bound to a release of JAX and is not used; ``.jax`` is a checkpoint, a directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlpzoo.errors import ModelError
from mlpzoo_deepmd.process import deepmd_in_jax

if TYPE_CHECKING:
    from mlpzoo.models import ModelSpec

TREES: Final = (".dp", ".yaml", ".yml", ".hlo")
CHECKPOINT: Final = ".jax"
_CONVERTED: Final = "dp convert-backend {name} {stem}.dp"
_ELSEWHERE: Final = {
    ".pb": f"where TensorFlow is installed: {_CONVERTED}",
    ".pth": f"where PyTorch is installed: {_CONVERTED}",
    ".pt": "where PyTorch is installed: dp --pt freeze -c {name} -o {stem}.pth (--head HEAD, if it has "
    "several), then dp convert-backend {stem}.pth {stem}.dp",
    ".savedmodel": "it holds TensorFlow's program only: convert what it was made from, checkpoint or '.hlo'",
    ".savedmodeltf": "convert the checkpoint that it was made from",
    ".pte": f"where PyTorch is installed: {_CONVERTED}",
    ".pt2": f"where PyTorch is installed: {_CONVERTED}",
    ".json": f"where Paddle is installed: {_CONVERTED}",
}
"""What other backends write, and how it is converted."""
_ALWAYS_DOUBLE: Final = ("out_bias", "out_std")


class Description(NamedTuple):
    """What a file says of its model.

    Attributes:
        tree: As DeePMD-kit's ``deserialize`` takes it.
        elements: In the order of the model's types.
        cutoff_ang: Of one layer, Å.
    """

    tree: dict[str, Any]
    elements: tuple[str, ...]
    cutoff_ang: float


def load(spec: ModelSpec) -> Description:
    """The model in ``spec.path``, in the precision ``spec.dtype``.

    Raises:
        ModelError: The file is missing, is of another backend, holds several models or no energy, or its
            types are no elements.
    """
    path = Path(spec.path or "")
    if spec.path is None or not path.exists():
        raise ModelError(f"{spec.name}: no file {spec.path}", hint="give the path of a '.dp' or '.hlo' model")
    if path.suffix in _ELSEWHERE:
        hint = _ELSEWHERE[path.suffix].format(name=path.name, stem=path.stem)
        raise ModelError(
            f"{spec.name}: {path.name} is for another backend of DeePMD-kit; this one is JAX's", hint=hint
        )
    kinds = (*TREES, CHECKPOINT)
    if path.suffix not in kinds:
        raise ModelError(
            f"{spec.name}: the name of {path.name} ends in none of {', '.join(kinds)}",
            hint="give a file that 'dp convert-backend' or 'mlpzoo train deepmd' wrote",
        )
    with deepmd_in_jax():
        try:
            whole = _read(path)
        except Exception as error:
            raise ModelError(
                f"{spec.name}: deepmd-kit cannot load {path}: {type(error).__name__}: {error}",
                hint=f"give a model of deepmd-kit 3: {', '.join(kinds)}",
            ) from error
    tree = whole.get("model")
    if not isinstance(tree, dict):
        raise ModelError(f"{spec.name}: {path.name} holds no model", hint=f"give one of {', '.join(kinds)}")
    if "model_dict" in tree:
        raise ModelError(
            f"{spec.name}: {path.name} has several heads: {', '.join(tree['model_dict'])}",
            hint="freeze one of them: dp --pt freeze --head HEAD, or dp --jax freeze --head HEAD",
        )
    return Description(
        tree=in_precision(tree, spec.dtype),
        elements=_elements(spec, tree),
        cutoff_ang=_cutoff(tree),
    )


def in_precision(tree: Any, dtype: str) -> Any:
    """A model's tree with another precision of all networks, and of their arrays.

    DeePMD-kit computes in the precision of the arrays, whatever the tree says.  Energies of elements stay
    float64: a hundred eV an atom leave no digits for anything else.
    """
    if isinstance(tree, dict):
        return {
            k: dtype if k == "precision" else v if k in _ALWAYS_DOUBLE else in_precision(v, dtype)
            for k, v in tree.items()
        }
    if isinstance(tree, list):
        return [in_precision(item, dtype) for item in tree]
    import numpy as np  # here, as lists of models need none of it

    is_real = isinstance(tree, np.ndarray) and tree.dtype.kind == "f"
    return tree.astype(dtype) if is_real else tree


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == CHECKPOINT:
        from deepmd.jax.utils.serialization import serialize_from_file

        found: dict[str, Any] = serialize_from_file(str(path))
        return found
    from deepmd.dpmodel.utils.serialization import load_dp_model

    tree: dict[str, Any] = load_dp_model(str(path))
    return tree


def _elements(spec: ModelSpec, tree: dict[str, Any]) -> tuple[str, ...]:
    from ase.data import atomic_numbers  # not at the top: listing models imports this module

    names = tuple(str(name) for name in tree.get("type_map") or ())
    unknown = [name for name in names if atomic_numbers.get(name, 0) == 0]
    if unknown or not names:
        raise ModelError(
            f"{spec.name}: the types of {spec.path} are no chemical symbols: {', '.join(unknown) or 'none'}",
            hint="train it with a type_map of chemical symbols",
        )
    return names


def _cutoff(tree: Any) -> float:
    """The largest ``rcut`` that stands anywhere in the tree, Å."""
    if isinstance(tree, dict):
        own = [float(v) for k, v in tree.items() if k in ("rcut", "e_rcut") and isinstance(v, (int, float))]
        return max([*own, *(_cutoff(v) for v in tree.values())], default=0.0)
    return max((_cutoff(item) for item in tree), default=0.0) if isinstance(tree, list) else 0.0
