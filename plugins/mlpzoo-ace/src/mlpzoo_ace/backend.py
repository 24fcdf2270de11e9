"""From a card, or a ``.yaml`` or ``.yace`` file, to an ASE calculator."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import cards_beside, lock_beside
from mlpzoo_ace.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase.calculators.calculator import Calculator
    from pyace import ACEBBasisSet, ACECTildeBasisSet

    from mlpzoo.models import ModelSpec
    from mlpzoo.training import Preset, Trained, TrainingJob

KINDS: Final = (".yaml", ".yace")


class AceBackend:
    """The ``ace`` family."""

    family: Final = "ace"
    requires: Final = ("pyace",)
    lock_file: Final = lock_beside(__file__)

    def cards(self) -> Sequence[ModelCard]:
        """The models of `cards.toml`; the first is the default."""
        return cards_beside(__file__)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the potential at ``spec.path``: linear or not, as the file says.

        Raises:
            ModelError: The file is missing or is no ACE potential that pyace reads.
        """
        basis = _load(spec)
        from mlpzoo_ace.calculator import AceCalculator

        return AceCalculator(basis)

    def presets(self) -> Mapping[str, Preset]:
        """``smoke``, ``small`` and ``large``."""
        return PRESETS

    def train(self, job: TrainingJob) -> Trained:
        """Fit a linear ACE; see `mlpzoo_ace.training`."""
        _import_quietly()
        from mlpzoo_ace.training import train

        return train(job)

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of a user's own potential: elements and cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        basis = _load(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(basis.elements_name),
            properties=("energy", "forces", "stress"),
            cutoff_ang=float(basis.cutoffmax),
            notes="Always float64.",
        )


def _load(spec: ModelSpec) -> ACEBBasisSet | ACECTildeBasisSet:
    """The basis set with its coefficients."""
    path = Path(spec.path or "")
    if spec.path is None or not path.is_file():
        raise ModelError(
            f"{spec.name}: no file {spec.path}", hint="give the path of a '.yaml' or '.yace' potential"
        )
    if path.suffix not in KINDS:
        raise ModelError(
            f"{spec.name}: {path.name} is neither '.yaml' (B-basis) nor '.yace'",
            hint="convert an old '.ace' file with 'pace_yaml2yace' of python-ace",
        )
    _import_quietly()
    from pyace import ACEBBasisSet, ACECTildeBasisSet

    kind = ACEBBasisSet if path.suffix == ".yaml" else ACECTildeBasisSet
    try:
        return kind(str(path))
    except Exception as error:
        raise ModelError(
            f"{spec.name}: pyace cannot load {path}: {error}",
            hint="give a potential that pacemaker or 'mlpzoo train ace' wrote",
        ) from error


def _import_quietly() -> None:
    """Import pyace without the warnings that Python has of its source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyace  # noqa: F401
