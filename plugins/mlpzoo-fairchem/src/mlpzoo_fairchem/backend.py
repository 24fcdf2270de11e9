"""From a card, or a checkpoint of the user's own, to an ASE calculator of one of its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import lock_beside
from mlpzoo_fairchem.cards import cards
from mlpzoo_fairchem.process import process_kept_as_it_was

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase.calculators.calculator import Calculator
    from fairchem.core.units.mlip_unit.predict import MLIPPredictUnit

    from mlpzoo.models import ModelSpec

HINT: Final = "give a '.pt' checkpoint for inference that fairchem 2 published or saved"


class FairchemBackend:
    """The ``fairchem`` family."""

    family: Final = "fairchem"
    requires: Final = ("fairchem", "torch")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = ("omat", "omol")

    def cards(self) -> Sequence[ModelCard]:
        """The published models, a card for each task; the first is the default."""
        return cards()

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the checkpoint at ``spec.path``, for the task that its name ends with.

        Raises:
            ModelError: It is missing, no checkpoint of fairchem, or has no such task.
        """
        unit = _load(spec)
        task = task_of(Path(spec.path or ""), unit.dataset_to_tasks)
        with process_kept_as_it_was():
            from mlpzoo_fairchem.calculator import FairchemCalculator

            calculator: Calculator = FairchemCalculator(unit, task=task)
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own checkpoint: its elements, its task and its cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        from ase.data import chemical_symbols

        unit = _load(spec)
        backbone = unit.model.module.backbone
        task = task_of(Path(spec.path or ""), unit.dataset_to_tasks)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(chemical_symbols[1 : int(backbone.max_num_elements)]),
            properties=("energy", "forces", "stress"),
            conservative=not backbone.regress_config.direct_forces,
            cutoff_ang=float(backbone.cutoff),
            notes=f"Task {task}. Structures are neutral.",
        )

    def random_model(self, kind: str, directory: Path) -> Path:
        """Save a tiny model with random weights; see `mlpzoo.testing.RandomModels`."""
        with process_kept_as_it_was():
            from mlpzoo_fairchem.random_models import write

            return write(kind, directory)


def task_of(path: Path, known: Iterable[str]) -> str:
    """The task that a file's name ends with, after a hyphen; or the only one.

    Raises:
        ModelError: There are several, and the name says none of them.
    """
    tasks = sorted(known)
    named = path.stem.rpartition("-")[2]
    if named in tasks:
        return named
    if len(tasks) == 1:
        return tasks[0]
    raise ModelError(
        f"{path} is for {', '.join(tasks)}, and its name does not say for which it is used",
        hint=f"link it to a name that ends with one: ln -s {path.name} {path.stem}-{tasks[0]}{path.suffix}",
    )


def _load(spec: ModelSpec) -> MLIPPredictUnit:
    """The predictor: experts not merged and nothing compiled, so that any structure can follow another."""
    path = Path(spec.path or "")
    if spec.path is None or not path.is_file():
        raise ModelError(f"{spec.name}: there is no {spec.path}", hint=HINT)
    with process_kept_as_it_was():
        from fairchem.core.units.mlip_unit.api.inference import InferenceSettings
        from fairchem.core.units.mlip_unit.predict import MLIPPredictUnit

        settings = InferenceSettings(
            tf32=False, activation_checkpointing=False, base_precision_dtype=spec.dtype
        )
        try:
            return MLIPPredictUnit(str(path), device=spec.device, inference_settings=settings)
        except Exception as error:
            raise ModelError(
                f"{spec.name}: fairchem cannot load {path}: {type(error).__name__}: {error}", hint=HINT
            ) from error
