"""What it takes to train a model of a family: its presets, the job that a backend gets, what it gives back.

A backend that can be trained defines two more methods than `mlpzoo.models.Backend` asks for:
``presets() -> Mapping[str, Preset]`` and ``train(job: TrainingJob) -> Trained``; see `Trainable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlpzoo.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.models import Backend

Value = bool | int | float | str
ProgressFn = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One knob of a training.

    Attributes:
        value: What it is set to; a value that replaces it must be of the same type.
        meaning: What it does, with its unit, in one line.
    """

    value: Value
    meaning: str

    def parsed(self, name: str, text: str) -> Value:
        """The value that a user typed.

        Raises:
            UsageError: It is of another type than the preset's.
        """
        kind = type(self.value)
        try:
            if kind is bool:
                return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                    text.strip().lower()
                ]
            return kind(text)
        except (KeyError, ValueError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise UsageError(
                f"--set {name}={text}: {name} is {words[kind]}",
                hint=f"it is {self.value} by default: {self.meaning}",
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A complete set of settings.

    Attributes:
        title: What it is good for and how long it takes, for people.
        settings: Name to setting, in the order in which they are shown.
    """

    title: str
    settings: Mapping[str, Setting]

    def but(self, title: str, **values: Value) -> Preset:
        """Another preset of the same settings with some other values."""
        changed = {name: replace(self.settings[name], value=value) for name, value in values.items()}
        return Preset(title=title, settings={**self.settings, **changed})

    def with_pairs(self, pairs: Sequence[str]) -> dict[str, Value]:
        """The plain values, some of them replaced by ``NAME=VALUE`` texts.

        Raises:
            UsageError: A name is unknown, or a value is of the wrong type.
        """
        values = {name: setting.value for name, setting in self.settings.items()}
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals:
                raise UsageError(f"--set {pair}: no value", hint="write --set NAME=VALUE")
            if name not in values:
                raise UsageError(
                    f"there is no setting '{name}'",
                    hint=f"{did_you_mean(name, values)}there are: {', '.join(values)}",
                )
            values[name] = self.settings[name].parsed(name, text)
        return values


def _silent(done: int, total: int, what: str) -> None:
    del done, total, what


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingJob:
    """What a backend is to do.

    Attributes:
        directory: Private to this job.  An interrupted job finds in it what it left there, and must go on
            from its last completed epoch (or whatever it counts); a finished one must only load its result.
        train: Structures to learn from, with a ``SinglePointCalculator`` that holds energy (eV), forces
            (eV/Å) and, for all or for none, the stress (eV/Å³, ASE's sign and Voigt order).
        validation: Likewise; to choose an epoch or to show progress, never to learn from.
        settings: The preset's values, with the user's changes.
        seed: Of everything that is random: the same job gives the same model where the framework allows.
        device: ``cpu``, ``cuda``, ...
        threads: How many to use on the CPU.
        progress: ``progress(done, total, what)``, to be called each time a state has been saved that an
            interrupted job goes on from.  Whatever it raises is an interruption.
    """

    directory: Path
    train: Sequence[Atoms]
    validation: Sequence[Atoms]
    settings: Mapping[str, Value]
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    progress: ProgressFn = _silent

    @property
    def has_stress(self) -> bool:
        """Whether the structures have stresses."""
        return all("stress" in atoms.calc.results for atoms in self.train)

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols of the training structures, by atomic number."""
        found = {int(z): s for atoms in self.train for z, s in zip(atoms.numbers, atoms.symbols, strict=True)}
        return tuple(found[z] for z in sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a backend gives back.

    Attributes:
        path: The model: one file that ``calculator`` takes, with no path of this machine in it.
        cutoff_ang: Interaction cutoff in Å; 0 if there is none.
        n_parameters: Numbers that were fitted.
        properties: What it computes.
        title: One line for people, without what it was trained on.
        citation: Of the method.
        notes: What a reader of a table should know: receptive field, zero of energy, ...
    """

    path: Path
    cutoff_ang: float
    n_parameters: int
    properties: tuple[str, ...] = ("energy", "forces", "stress")
    title: str = ""
    citation: str = ""
    notes: str = ""


def epochs_of(job: TrainingJob) -> int:
    """Passes over the training set, from the settings ``steps``, ``batch_size`` and ``max_epochs``.

    A number of steps costs the same for a large set and a small one of structures of one size; a number of
    epochs does not.  ``max_epochs`` is for sets so small that they would be learnt by heart.
    """
    n_batches = -(-len(job.train) // int(job.settings["batch_size"]))
    wanted = round(int(job.settings["steps"]) / n_batches)
    return max(1, min(wanted, int(job.settings["max_epochs"])))


def energies_of_elements(job: TrainingJob) -> dict[str, float]:
    """Energies of an atom of each element, eV, that fit the energies per atom of the training set best.

    By least squares; where the compositions leave it open, the solution of smallest norm.
    """
    import numpy as np

    counts = np.array([[np.mean(atoms.symbols == s) for s in job.elements] for atoms in job.train])
    energies = np.array([atoms.calc.results["energy"] / len(atoms) for atoms in job.train])
    solution = np.linalg.lstsq(counts, energies, rcond=None)[0]
    return dict(zip(job.elements, solution.tolist(), strict=True))


def note_on_zero(energies: Mapping[str, float]) -> str:
    """What the card of a model says whose energies count from those of `energies_of_elements`."""
    each = ", ".join(f"{symbol} {energy:.3f}" for symbol, energy in energies.items())
    return (
        f"Energies count from the mean of the training set ({each} eV/atom, included), not from free atoms."
    )


@runtime_checkable
class Trainable(Protocol):
    """The part of a backend that trains; optional."""

    def presets(self) -> Mapping[str, Preset]:
        """At least ``smoke`` (seconds) and ``small`` (minutes, 2 cores); cheap: no framework import."""

    def train(self, job: TrainingJob) -> Trained:
        """Train a model.  Called where ``requires`` is importable; its output goes to a log file."""


def trainable(backend: Backend) -> Trainable:
    """The backend, if it can be trained.

    Raises:
        UsageError: It cannot.
    """
    if isinstance(backend, Trainable):
        return backend
    raise UsageError(
        f"family '{backend.family}' cannot be trained by mlpzoo",
        hint="train it with its own tools and use FAMILY:PATH; see 'mlpzoo train --help'",
    )


def preset_of(backend: Backend, name: str) -> Preset:
    """A preset by name.

    Raises:
        UsageError: The backend cannot be trained, or has no such preset.
    """
    presets = trainable(backend).presets()
    if name not in presets:
        raise UsageError(
            f"family '{backend.family}' has no preset '{name}'",
            hint=f"{did_you_mean(name, presets)}there are: {', '.join(presets)}; "
            f"see 'mlpzoo train {backend.family} --presets'",
        )
    return presets[name]
