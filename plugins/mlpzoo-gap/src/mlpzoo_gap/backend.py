"""From a GAP's files to an ASE calculator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo_gap.model_file import inspect, unpacked
from mlpzoo_gap.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase.calculators.calculator import Calculator
    from quippy.potential import Potential

    from mlpzoo.models import ModelSpec
    from mlpzoo.training import Preset, Trained, TrainingJob

PROPERTIES: Final = ("energy", "forces", "stress")


class GapBackend:
    """The ``gap`` family."""

    family: Final = "gap"
    requires: Final = ("quippy",)
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """The calculator of quippy for the model at ``spec.path``: ``.xml`` or ``.xml.zip``; always float64.

        Raises:
            ModelError: A file is missing or is no GAP, or QUIP refuses it.
        """
        calculator: Calculator = _load(spec)
        return calculator

    def presets(self) -> Mapping[str, Preset]:
        """``smoke`` and ``small``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Fit a model; see `mlpzoo_gap.training`."""
        from mlpzoo_gap.training import train

        return train(job)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own model, as far as its files tell it: elements and cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        from ase.data import chemical_symbols

        potential = _load(spec)
        with unpacked(_path(spec)) as xml:
            told = inspect(xml.read_bytes(), str(xml))
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(chemical_symbols[z] for z in told.numbers),
            properties=PROPERTIES,
            cutoff_ang=float(potential._quip_potential.cutoff()),  # noqa: SLF001  (no other name for it)
            notes="Evaluated in always float64.",
        )

    def side_files(self, path: Path) -> Sequence[Path]:
        """The files of sparse points that an XML file names.

        Raises:
            ModelError: It is no GAP.
        """
        if path.suffix == ".zip":
            return ()
        told = inspect(path.read_bytes(), str(path))
        return [path.parent / name for name in told.side_files if (path.parent / name).is_file()]


def _path(spec: ModelSpec) -> Path:
    if spec.path is None:
        raise ModelError(f"{spec.name}: no file", hint="give the .xml file that gap_fit wrote")
    return Path(spec.path)


def _load(spec: ModelSpec) -> Potential:
    with unpacked(_path(spec)) as xml:
        from quippy.potential import Potential

        try:
            return Potential(param_filename=str(xml))
        except RuntimeError as error:
            reason = str(error).replace(str(xml), str(spec.path))
            raise ModelError(
                f"{spec.name}: QUIP cannot use {spec.path}: {reason}",
                hint="use files that one run of gap_fit wrote, with the lock's quippy-ase or an older one",
            ) from error
