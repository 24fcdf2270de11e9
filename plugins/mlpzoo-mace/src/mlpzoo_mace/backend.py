"""From a card or a ``.model`` file to an ASE calculator, without MACE's side effects on the process."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo.side_effects import default_dtype, quiet
from mlpzoo_mace.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ase.calculators.calculator import Calculator
    from mace.modules.models import MACE

    from mlpzoo.models import ModelSpec
    from mlpzoo.training import Preset, Trained, TrainingJob

UNSAFE_LOAD: Final = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class MaceBackend:
    """The ``mace`` family."""

    family: Final = "mace"
    requires: Final = ("mace", "torch")
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the weights at ``spec.path``.

        Raises:
            ModelError: The file is missing, or is no MACE energy model of this version of mace-torch.
        """
        model = _load(spec)
        with _process_kept_as_it_was():
            from mlpzoo_mace.calculator import BatchingCalculator

            try:
                calculator: Calculator = BatchingCalculator(
                    models=[model], device=spec.device, default_dtype=spec.dtype
                )
            except ValueError as error:
                raise ModelError(
                    f"{spec.name}: MACE cannot use {spec.path}: {error}",
                    hint="save one head of it on its own",
                ) from error
        return calculator

    def presets(self) -> Mapping[str, Preset]:
        """``smoke`` and ``small``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Train a model; see `mlpzoo_mace.training`."""
        with _process_kept_as_it_was():
            import mace  # noqa: F401  (before e3nn: it allows e3nn to load its tables)

            from mlpzoo_mace.training import train

            return train(job)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own weights, as far as the file tells it: elements and cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        from ase.data import chemical_symbols

        model = _load(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(chemical_symbols[int(z)] for z in model.atomic_numbers),
            properties=("energy", "forces", "stress"),
            cutoff_ang=float(model.r_max),
        )


def _load(spec: ModelSpec) -> MACE:
    """The torch module in ``spec.path``, on the device and in the precision that were asked for."""
    if spec.path is None or not Path(spec.path).is_file():
        raise ModelError(f"{spec.name}: no file {spec.path}", hint="give the path of a saved '.model' file")
    with _process_kept_as_it_was():
        import torch
        from mace.modules.models import MACE

        try:
            model = torch.load(spec.path, map_location=spec.device, weights_only=False)
        except Exception as error:
            raise ModelError(
                f"{spec.name}: mace-torch cannot load {spec.path}: {error}",
                hint="save it with the lock's mace-torch and e3nn: '.model', not '_compiled.model' or '.pt'",
            ) from error
        if not isinstance(model, MACE):
            raise ModelError(
                f"{spec.name}: {spec.path} holds a {type(model).__name__}, not a MACE energy model",
                hint="give the '.model' file that mace_run_train saved at its end",
            )
        return model.to(getattr(torch, spec.dtype))


@contextmanager
def _process_kept_as_it_was() -> Iterator[None]:
    """Undo what importing and building MACE changes for the whole process, and keep its messages to itself.

    MACE sets an environment variable that makes every later ``torch.load`` in the process unsafe, warns about
    that, prints about optional packages, and lets ``logging`` install a handler on the root logger.
    """
    handlers = [*logging.root.handlers, logging.NullHandler()]
    with quiet(), patch.object(logging.root, "handlers", handlers):
        import torch

        with default_dtype(torch.get_default_dtype()):
            yield
