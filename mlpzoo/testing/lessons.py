"""Trainings for the kit: a few small structures, labelled by a potential that everybody can learn."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from mlpzoo.calculator import build
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.testing.crystals import spacing, species
from mlpzoo.testing.report import NotApplicableError
from mlpzoo.testing.structures import perturbed
from mlpzoo.training import Trainable, TrainingJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

    from mlpzoo.testing.subject import FloatArray, Subject
    from mlpzoo.training import Preset, Trained

N_TRAIN, N_VALIDATION = 8, 2
WELL_EV = 0.4


class StoppedError(Exception):
    """What an interrupted training ends with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One training.

    Attributes:
        trained: What the backend gave back; None if it was stopped.
        told: What it said of its progress: done and total.
        directory: Its own.
    """

    trained: Trained | None
    told: tuple[tuple[int, int], ...]
    directory: Path


class Lessons:
    """Trainings with the preset ``smoke``; each is done when it is first asked for.

    Args:
        subject: Whose backend trains.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._folder = Path(tempfile.mkdtemp(prefix="mlpzoo-lessons-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def backend(self) -> Trainable:
        """The backend.

        Raises:
            NotApplicableError: It cannot be trained.
        """
        backend = self.subject.backend
        if not isinstance(backend, Trainable):
            raise NotApplicableError("the backend does not define 'presets' and 'train'")
        return backend

    @cached_property
    def presets(self) -> Mapping[str, Preset]:
        """Of the backend."""
        return self.backend.presets()

    @property
    def frames(self) -> tuple[Atoms, ...]:
        """To learn from, and the last two to validate with."""
        return _frames(species(self.subject.card, 1)[0])

    @cached_property
    def whole(self) -> Lesson:
        """From beginning to end."""
        return self.lesson("whole")

    @cached_property
    def again(self) -> Lesson:
        """The same once more, elsewhere."""
        return self.lesson("again")

    @cached_property
    def stopped(self) -> Lesson:
        """One that is stopped in the middle."""
        middle = self.whole.told[-1][1] // 2
        return self.lesson("stopped", stop_at=max(1, middle))

    @cached_property
    def resumed(self) -> Lesson:
        """The stopped one, told to go on."""
        _ = self.stopped
        return self.lesson("stopped")

    def lesson(self, name: str, *, stop_at: int | None = None) -> Lesson:
        """Train in a directory of this name; stop when so much is done."""
        directory = self._folder / name
        directory.mkdir(exist_ok=True)
        told: list[tuple[int, int]] = []

        def progress(done: int, total: int, what: str) -> None:
            del what
            told.append((done, total))
            if stop_at is not None and done >= stop_at:
                raise StoppedError

        settings = {k: s.value for k, s in self.presets["smoke"].settings.items()}
        job = TrainingJob(
            directory=directory,
            train=self.frames[:N_TRAIN],
            validation=self.frames[N_TRAIN:],
            settings=settings,
            seed=1,
            progress=progress,
        )
        try:
            trained: Trained | None = self.backend.train(job)
        except StoppedError:
            trained = None
        return Lesson(trained=trained, told=tuple(told), directory=directory)

    def forces(self, lesson: Lesson) -> FloatArray:
        """Of the trained model on all frames, eV/Å, shape (atoms of all frames, 3)."""
        assert lesson.trained is not None  # noqa: S101  (asked for lessons that ended)
        family = self.subject.backend.family
        path = str(lesson.trained.path)
        calculator = build(self.subject.backend, ModelSpec(name=f"{family}:{path}", path=path))
        return np.concatenate([e.forces_ev_per_ang for e in calculator.evaluate_many(self.frames)])

    def card(self, lesson: Lesson) -> ModelCard:
        """What the trained model says of itself."""
        assert lesson.trained is not None  # noqa: S101  (asked for lessons that ended)
        family = self.subject.backend.family
        path = str(lesson.trained.path)
        return build(self.subject.backend, ModelSpec(name=f"{family}:{path}", path=path)).card

    @property
    def expected(self) -> FloatArray:
        """Labels of the forces of all frames, eV/Å, shape (atoms of all frames, 3)."""
        return np.concatenate([atoms.calc.results["forces"] for atoms in self.frames])


@cache
def _frames(symbol: str) -> tuple[Atoms, ...]:
    """Strained and rattled crystals, labelled by Lennard-Jones pairs that fade to zero at 2.2 sigma."""
    card = ModelCard(name="teacher", family="", elements=(symbol,), properties=("energy", "forces", "stress"))
    sigma = spacing(symbol) / 2 ** (1 / 6)
    found = []
    for k in range(N_TRAIN + N_VALIDATION):
        atoms = perturbed(card, f"lesson {k}")
        atoms.calc = LennardJones(sigma=sigma, epsilon=WELL_EV, rc=2.2 * sigma, ro=1.5 * sigma, smooth=True)
        labels = {
            "energy": float(atoms.get_potential_energy()),
            "forces": np.array(atoms.get_forces()),
            "stress": np.array(atoms.get_stress()),
        }
        atoms.calc = SinglePointCalculator(atoms, **labels)
        found.append(atoms)
    return tuple(found)
