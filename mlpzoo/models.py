"""What a model is: its card, where its weights are, and the backend that turns it into a calculator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

from mlpzoo.errors import UsageError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

DType = Literal["float64", "float32"]
ALL_LOCAL: Final = "all-local"
"""In place of a model's name: all models whose weights are at hand, where they know the elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A weights file: packaged with the plugin, in a package of its environment, or to be fetched.

    Attributes:
        sha256: Hex digest; checked before the file is handed to the framework.  Of weights that are fetched
            it may be empty, if their author publishes none: it is recorded when they are first used.
        size_bytes: Size of the file; 0 if it is not known.
        file: Path relative to the module that holds the cards, for weights inside the distribution; or
            relative to ``package``.
        url: Where to fetch it from, for weights that are not inside.
        files: Names of the files below ``url`` that the weights consist of, if it is a folder: they are
            fetched together, and the folder is what the backend is given.
        package: Import name of the framework's package that brings ``file``: it is in the family's
            environment only, and the backend asks `mlpzoo.weights.weights_in_package` for it.
    """

    sha256: str = ""
    size_bytes: int = 0
    file: str = ""
    url: str = ""
    package: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What anybody should know of a model before trusting its numbers.

    Attributes:
        name: ``family/model``, for example ``mace/si-small``.
        family: The backend that runs it.
        title: One line for people.
        elements: Chemical symbols that it knows; empty means any (say so only if it is true).
        properties: What it computes, in ASE's names: ``energy``, ``forces``, ``stress``.
        conservative: Whether forces are the gradient of the energy.
        cutoff_ang: Interaction cutoff in Å; 0 if there is none.
        level_of_theory: What its training data was computed with, for example ``PBE``.
        training_set: Name or citation of the training data.
        training_set_sha256: Hash of that data, if known.
        training_command: The command that trained it, if known.
        test_errors: Errors on its test set, name with unit to value.
        licence: Licence of the weights.
        citation: DOI or reference.
        notes: Energy offsets, known limits, and what else a reader of a table should know.
        checkpoint: Its weights; None for analytic potentials.
    """

    name: str
    family: str
    elements: tuple[str, ...]
    properties: tuple[str, ...]
    title: str = ""
    conservative: bool = True
    cutoff_ang: float = 0.0
    level_of_theory: str = ""
    training_set: str = ""
    training_set_sha256: str = ""
    training_command: str = ""
    test_errors: dict[str, float] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""
    notes: str = ""
    checkpoint: Checkpoint | None = None

    def supports(self, symbols: Sequence[str]) -> bool:
        """Whether every one of these chemical symbols is known to the model."""
        return not self.elements or set(symbols) <= set(self.elements)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A request for one model on one device: everything a backend needs to build the calculator.

    Attributes:
        name: The name as the user typed it, resolved: ``mace/si-small`` or ``mace:/abs/path``.
        card: The card; of the user's own weights the one that lies beside them, or None.
        path: The weights file (verified, if a card names a checksum); None for analytic potentials, and for
            weights that a package of the family's environment brings.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...
        dtype: ``float64`` or ``float32``.
        note: What the user should know: a card beside the weights that is not theirs.
    """

    name: str
    card: ModelCard | None = None
    path: str | None = None
    device: str = "cpu"
    dtype: DType = "float64"
    note: str = ""

    @property
    def family(self) -> str:
        """The family that runs it."""
        return self.card.family if self.card is not None else self.name.partition(":")[0]


@runtime_checkable
class Backend(Protocol):
    """One family of models.  Everything here but ``calculator`` must be cheap: no framework import.

    Plain class attributes satisfy the properties.  A backend may also define
    ``describe(spec) -> ModelCard``: the card of the user's own weights (``spec.card is None``), with at
    least the elements and properties read from the file; called where the framework is importable.

    A backend whose files name further files defines ``side_files(path) -> Sequence[Path]``: those of them
    that exist, for weights of the user's own; a result is computed again if one of them changes.

    A backend that can be trained defines ``presets`` and ``train`` as well: `mlpzoo.training.Trainable`.
    """

    @property
    def family(self) -> str:
        """Short name, ``[a-z0-9_-]+``: what users type before ``/`` or ``:``."""

    @property
    def requires(self) -> Sequence[str]:
        """Import names that must be importable to run in this process; empty for built-ins."""

    @property
    def lock_file(self) -> Path | None:
        """``requirements.lock`` of the family's environment; None if it needs none."""

    def cards(self) -> Sequence[ModelCard]:
        """The models that it knows; the first is the family's default."""

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator: eV, eV/Å, eV/Å³, ASE sign and Voigt order.

        Called where ``requires`` is importable: in this process or inside the family's environment.

        If it has a method ``evaluate_many(frames) -> list[Evaluated]`` (`mlpzoo.physics.evaluate`), that is
        given several structures of together a few hundred atoms wherever there is more than one to evaluate.
        Results must be those of one structure after the other.

        Raises:
            ModelError: The weights cannot be loaded.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """A parsed model name.

    Attributes:
        family: What comes first.
        card: Card name after ``/``; empty if none.
        path: Path after ``:``; empty if none.
    """

    family: str
    card: str = ""
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Parse ``family``, ``family/card`` or ``family:path``.

        Raises:
            UsageError: The text is none of them.
        """
        head, colon, path = text.partition(":")
        family, slash, card = head.partition("/")
        if not family or (colon and not path) or (slash and not card) or (colon and slash):
            raise UsageError(
                f"'{text}' is not a model name",
                hint="write FAMILY, FAMILY/CARD or FAMILY:PATH, e.g. mace/si-small; see 'mlpzoo models'",
            )
        return cls(family=family, card=card, path=path)
