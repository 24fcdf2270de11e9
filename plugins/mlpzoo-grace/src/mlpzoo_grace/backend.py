"""From a card, or a saved model of the user's own, to an ASE calculator."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import lock_beside
from mlpzoo.side_effects import quiet
from mlpzoo_grace.cards import cards
from mlpzoo_grace.saved import HINT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase.calculators.calculator import Calculator

    from mlpzoo.models import ModelSpec
    from mlpzoo_grace.loading import Loaded


class GraceBackend:
    """The ``grace`` family."""

    family: Final = "grace"
    requires: Final = ("tensorpotential", "tensorflow")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = ("1-layer", "2-layer", "fs", "float32")

    def cards(self) -> Sequence[ModelCard]:
        """The published models; the first is the default."""
        return cards()

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the saved model at ``spec.path``.

        Raises:
            ModelError: It is missing, no GRACE model, of other elements than its card says, or saved in
                float32 while float64 was asked for; or TensorFlow does not know the device.
        """
        loaded = _load(spec)
        if loaded.dtype == "float32" and spec.dtype == "float64":
            raise ModelError(
                f"{spec.name} was saved in float32, and cannot be computed in float64",
                hint="add --dtype float32, or export it with param_dtype: float64",
            )
        absent = set(spec.card.elements if spec.card else ()) - set(loaded.metadata.symbols)
        if absent:
            raise ModelError(
                f"{spec.name}: its card lists {', '.join(sorted(absent))}, which {spec.path} does not know",
                hint=f"if it is the right file, use it as grace:{spec.path}, with its elements",
            )
        with _quiet_tensorflow():
            from mlpzoo_grace.calculator import GraceCalculator

            calculator: Calculator = GraceCalculator(loaded, device=_device(spec))
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own model, from its metadata: elements, cutoff, precision.

        Raises:
            ModelError: As for `calculator`.
        """
        path = _path(spec)
        with _quiet_tensorflow():
            from mlpzoo_grace.loading import look

            metadata, dtype = look(path)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=metadata.symbols,
            properties=("energy", "forces", "stress"),
            cutoff_ang=metadata.cutoff_ang,
            notes=f"Always {dtype}, as it was saved.",
        )

    def random_model(self, kind: str, directory: Path) -> Path:
        """Export a tiny model with random weights; see `mlpzoo.testing.RandomModels`."""
        with _quiet_tensorflow():
            from mlpzoo_grace.random_models import write

            return write(kind, directory)


def _path(spec: ModelSpec) -> Path:
    path = Path(spec.path or "")
    if spec.path is None or not path.exists():
        raise ModelError(f"{spec.name}: there is no {spec.path}", hint=HINT)
    return path


def _load(spec: ModelSpec) -> Loaded:
    path = _path(spec)
    with _quiet_tensorflow():
        from mlpzoo_grace.loading import load

        return load(path)


def _device(spec: ModelSpec) -> str:
    """TensorFlow's name of a device."""
    import tensorflow as tf

    kind, _, number = spec.device.partition(":")
    if kind == "cpu":
        return "/CPU:0"
    if len(tf.config.list_physical_devices("GPU")) <= int(number or 0):
        raise ModelError(
            f"TensorFlow sees no device '{spec.device}'; the family's environment has the build for CPUs",
            hint="--device cpu, or install mlpzoo beside a TensorFlow that sees it",
        )
    return f"/GPU:{number or 0}"


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """As `mlpzoo.side_effects.quiet`; TensorFlow's own log has warnings only.

    GRACE's package prints on import, and sets an environment variable for the process.
    """
    with quiet():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        yield
