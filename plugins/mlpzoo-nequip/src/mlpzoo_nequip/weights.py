"""From a file of weights to a torch module, without NequIP's side effects on the process.

Three kinds of files, told apart by their names as NequIP does: `*.nequip.pt2` was compiled for one kind of
machine, `*.nequip.zip` is a package that brings its own code, anything else is a checkpoint of a run.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlpzoo.errors import ModelError
from mlpzoo.side_effects import default_dtype, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlpzoo.models import ModelSpec

COMPILED: Final = ".nequip.pt2"
PACKAGE: Final = ".nequip.zip"


class Loaded(NamedTuple):
    """A torch module, ready to evaluate, and what its file says of it.

    Attributes:
        takes_batches: Whether it takes several structures at once; one compiled for ASE does not.
    """

    model: Any
    metadata: dict[str, Any]
    elements: tuple[str, ...]
    cutoff_ang: float
    dtype: str
    takes_batches: bool


def load(spec: ModelSpec) -> Loaded:
    """The model in `spec.path`; a checkpoint is built in the precision that was asked for.

    Raises:
        ModelError: The file is missing, is no model of this version of NequIP, or knows no elements.
    """
    if spec.path is None or not Path(spec.path).is_file():
        raise ModelError(f"{spec.name}: there is no file {spec.path}", hint="give the path of a NequIP model")
    with process_kept_as_it_was():
        from nequip.utils.global_state import set_global_state

        set_global_state(allow_tf32=False)
        try:
            if spec.path.endswith(COMPILED):
                model, metadata = _compiled(spec.path, spec.device)
            else:
                model = _packaged(spec.path) if spec.path.endswith(PACKAGE) else _trained(spec.path, spec)
                metadata = model.metadata
        except Exception as error:
            raise ModelError(
                f"{spec.name}: nequip cannot load {spec.path}: {type(error).__name__}: {error}",
                hint=f"give a checkpoint of nequip 0.19, a package (*{PACKAGE}) or a compiled model"
                f" (*{COMPILED}, for this device)",
            ) from error
    from ase.data import atomic_numbers  # not at the top: listing models imports this module

    names = metadata["type_names"]
    elements = tuple(names.split() if isinstance(names, str) else names)
    unknown = [name for name in elements if name not in atomic_numbers]
    if unknown:
        raise ModelError(
            f"{spec.name}: the atom types of {spec.path} are no chemical symbols: {', '.join(unknown)}",
            hint="train it with type_names that are chemical symbols",
        )
    return Loaded(
        model=model.eval(),
        metadata=metadata,
        elements=elements,
        cutoff_ang=float(metadata["r_max"]),
        dtype=metadata["model_dtype"],
        takes_batches=not spec.path.endswith(COMPILED),
    )


def _compiled(path: str, device: str) -> tuple[Any, dict[str, Any]]:
    from nequip.integrations.ase import NequIPCalculator
    from nequip.model.inference_models import load_compiled_model

    fields = NequIPCalculator._get_aoti_compile_target()  # noqa: SLF001  (no public name for `--target ase`)
    model, metadata = load_compiled_model(path, device, list(fields["input"]), list(fields["output"]))
    return model, metadata


def _packaged(path: str) -> Any:
    from nequip.model import ModelFromPackage

    return ModelFromPackage(path)["sole_model"]


def _trained(path: str, spec: ModelSpec) -> Any:
    """What `nequip.model.ModelFromCheckpoint` does, in the precision of `spec`.

    The weights that come with a card hold nothing but tensors and plain data, and are loaded so that nothing
    else can be in them; a user's own checkpoint holds pickled classes.
    """
    import torch
    from hydra.utils import get_class
    from nequip.model.modify_utils import only_apply_persistent_modifiers
    from nequip.model.utils import override_model_compile_mode

    plain = spec.card is not None
    settings = torch.load(path, map_location="cpu", weights_only=plain)["hyper_parameters"]
    module: Any = get_class(settings["info_dict"]["training_module"]["_target_"])
    config = _in_precision(settings["model"], spec.dtype)
    with override_model_compile_mode("eager"), only_apply_persistent_modifiers(persistent_only=True):
        run = module.load_from_checkpoint(path, map_location="cpu", weights_only=plain, model=config)
    return run.evaluation_model["sole_model"]


def _in_precision(config: Any, dtype: str) -> Any:
    """A model's settings with another `model_dtype`, wherever in the tree it stands."""
    if isinstance(config, dict):
        return {k: dtype if k == "model_dtype" else _in_precision(v, dtype) for k, v in config.items()}
    return [_in_precision(item, dtype) for item in config] if isinstance(config, list) else config


@contextmanager
def process_kept_as_it_was() -> Iterator[None]:
    """Undo what loading a model changes for the whole process, and keep what it prints off stdout.

    NequIP makes float64 torch's default, seeds every random number generator and sets environment variables.
    """
    with quiet():
        import torch
        from lightning.pytorch.utilities.seed import isolate_rng

        with isolate_rng(), default_dtype(torch.float64):
            yield
