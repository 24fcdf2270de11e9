"""Promises of backends that can be trained: it learns, can be repeated, and can be interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mlpzoo.calculator import PUBLIC_PROPERTIES
from mlpzoo.testing.report import Check, require

if TYPE_CHECKING:
    from mlpzoo.testing.lessons import Lesson, Lessons
    from mlpzoo.testing.subject import Subject

LEARNT: Final = 0.9
"""A trained model's error, at most, in units of that of no forces at all: a smoke preset learns little."""
SAME_EV_PER_ANG: Final = 1e-6
"""Between two trainings that should be one; single-precision sums in another order differ by more."""


def trains(subject: Subject) -> None:
    """The smoke preset makes a model that is better than none, and says what it is."""
    lessons = subject.lessons
    _require_presets(lessons)
    whole = lessons.whole
    _require_facts(lessons, whole)
    expected = lessons.expected
    found, nothing = (_rms(forces - expected) for forces in (lessons.forces(whole), 0 * expected))
    require(
        found <= LEARNT * nothing,
        f"after the smoke preset forces are off by {found:.3g} eV/Å, those of no model by {nothing:.3g} eV/Å",
    )


def _require_presets(lessons: Lessons) -> None:
    presets = lessons.presets
    missing = [name for name in ("smoke", "small") if name not in presets]
    require(not missing, f"there is no preset {' and no '.join(missing)}")
    for name, preset in presets.items():
        unexplained = [key for key, setting in preset.settings.items() if not setting.meaning]
        require(not unexplained, f"preset {name}: {', '.join(unexplained)} has no meaning")
        require(preset.title, f"preset {name} has no title")


def _require_facts(lessons: Lessons, lesson: Lesson) -> None:
    trained = lesson.trained
    assert trained is not None  # noqa: S101  (it was not stopped)
    inside = trained.path.resolve().is_relative_to(lesson.directory.resolve())
    require(trained.path.is_file() and inside, f"{trained.path} is no file in the job's directory")
    here = str(lesson.directory).encode()
    require(here not in trained.path.read_bytes(), "the model holds the path of the job's directory")
    lacking = [name for name in ("title", "citation", "notes") if not getattr(trained, name)]
    require(not lacking, f"what it gives back has no {', '.join(lacking)}")
    require(trained.n_parameters > 0, "it says that nothing was fitted")
    strange = set(trained.properties) - set(PUBLIC_PROPERTIES)
    require(not strange and trained.properties, f"properties are {trained.properties}")
    card = lessons.card(lesson)
    known = {s for atoms in lessons.frames for s in atoms.symbols}
    require(set(card.elements) in (known, set()), f"the model knows {card.elements}, it was shown {known}")
    require(
        abs(card.cutoff_ang - trained.cutoff_ang) < 1e-6,  # noqa: PLR2004
        f"the cutoff is {trained.cutoff_ang} Å, the file says {card.cutoff_ang} Å",
    )
    counts = [done for done, _ in lesson.told]
    require(len(counts) > 1 and counts == sorted(counts), f"progress was told as {counts}")
    require(lesson.told[-1][0] == lesson.told[-1][1], "the last progress was not the whole")


def same_seed_same_model(subject: Subject) -> None:
    """Twice the same job, in two directories."""
    lessons = subject.lessons
    difference = _largest(lessons, lessons.again)
    require(difference <= SAME_EV_PER_ANG, f"forces of the second model differ by {difference:.3g} eV/Å")


def interrupted_training_goes_on(subject: Subject) -> None:
    """Stopped in the middle, it goes on there, ends as if nothing had happened, and is done then."""
    lessons = subject.lessons
    reached = lessons.stopped.told[-1][0]
    require(lessons.stopped.trained is None, "what progress raises does not stop it")
    begun = lessons.resumed.told[0][0]
    require(
        begun >= max(1, reached - 1),
        f"stopped after {reached} it went on after {begun}: more than one is lost",
    )
    allowed = max(SAME_EV_PER_ANG, 3 * _largest(lessons, lessons.again))
    difference = _largest(lessons, lessons.resumed)
    require(difference <= allowed, f"forces differ by {difference:.3g} eV/Å from one that was not stopped")
    once_more = lessons.lesson("stopped")
    require(
        {done for done, _ in once_more.told} <= {once_more.told[-1][1]}, "a finished training is done again"
    )


def _largest(lessons: Lessons, other: Lesson) -> float:
    """Largest difference of a force component from that of the uninterrupted model, eV/Å."""
    return float(np.abs(lessons.forces(other) - lessons.forces(lessons.whole)).max())


def _rms(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


CHECKS = (
    Check(
        name="trains",
        promise="a family that can be trained learns, and says what it made",
        function=trains,
        needs=("energy", "forces"),
    ),
    Check(
        name="training-seed",
        promise="the same data, settings and seed give the same model on one thread",
        function=same_seed_same_model,
        needs=("energy", "forces"),
    ),
    Check(
        name="training-resumes",
        promise="an interrupted training goes on where it was and ends as it would have",
        function=interrupted_training_goes_on,
        needs=("energy", "forces"),
    ),
)
