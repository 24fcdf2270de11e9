"""One training inside a worker: the framework trains, then the model is evaluated like any other."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo import wire
from mlpzoo.errors import ModelError
from mlpzoo.files import write_atomically
from mlpzoo.labelled import LabelledSet, unpacked
from mlpzoo.machine import device_name, n_threads
from mlpzoo.models import ModelSpec
from mlpzoo.training import TrainingJob, trainable
from mlpzoo.versions import framework_versions, python_version

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.calculator import ZooCalculator
    from mlpzoo.models import Backend
    from mlpzoo.training import ProgressFn, Trained

LOG: Final = "train.log"
_SECONDS: Final = "seconds"


def run_training(request: wire.Train, backend: Backend, progress: ProgressFn) -> wire.TrainingDone:
    """Train, or go on; then compute the errors on all sets with the ordinary calculator.

    Args:
        request: What to do.
        backend: Of the family.
        progress: Told how far it is.

    Raises:
        ModelError: What the backend returned is no model in the job's directory.
    """
    directory = Path(request.directory)
    sets = {"training": request.train, "validation": request.validation, **request.tests}
    clock = _Clock(directory)

    def told(done: int, total: int, what: str) -> None:
        clock.save()
        progress(done, total, what)

    job = TrainingJob(
        directory=directory,
        train=unpacked(request.train),
        validation=unpacked(request.validation),
        settings=request.settings,
        seed=request.seed,
        device=request.device,
        threads=request.threads,
        progress=told,
    )
    with logged(directory / LOG):
        done = trainable(backend).train(job)
        clock.save()
        _require_model(done, directory)
        calculator = _calculator(backend, request, done)
        found = errors_of(calculator, sets, progress)
    described = calculator.card
    return wire.TrainingDone(
        path=str(done.path),
        elements=tuple(described.elements) or job.elements,
        properties=tuple(done.properties),
        cutoff_ang=done.cutoff_ang,
        n_parameters=done.n_parameters,
        title=done.title,
        citation=done.citation,
        notes=done.notes,
        errors=found,
        training_time_s=clock.seconds,
        frameworks=framework_versions(tuple(backend.requires)),
        python=python_version(),
        device_name=device_name(request.device),
        threads=request.threads or n_threads(),
    )


def errors_of(
    calculator: ZooCalculator, sets: dict[str, LabelledSet], progress: ProgressFn
) -> dict[str, dict[str, float]]:
    """Name of each set to the errors on it."""
    found, total = {}, len(sets)
    for done, (name, data) in enumerate(sets.items()):
        progress(done, total, f"errors on {name}")
        found[name] = set_errors(calculator, unpacked(data))
    progress(total, total, "errors")
    return found


def set_errors(calculator: ZooCalculator, frames: Sequence[Atoms]) -> dict[str, float]:
    """Errors on some labelled structures, by name with unit; see `mlpzoo.metrics.labels`."""
    import numpy as np

    from mlpzoo.metrics.labels import energy_errors, force_errors, stress_errors

    evaluated = calculator.evaluate_many(frames)
    labels = [atoms.calc.results for atoms in frames]
    found = energy_errors(
        [label["energy"] for label in labels], [e.energy_ev for e in evaluated], [len(a) for a in frames]
    )
    found |= force_errors(
        np.concatenate([label["forces"] for label in labels]),
        np.concatenate([e.forces_ev_per_ang for e in evaluated]),
    )
    if "stress" in calculator.implemented_properties and all("stress" in label for label in labels):
        stresses = []
        for atoms in frames:
            calculator.calculate(atoms, ["stress"])
            stresses.append(calculator.results["stress"])
        found |= stress_errors([label["stress"] for label in labels], stresses)
    return found


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send whatever is written to standard output and error, by Python or below it, to the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = {stream: os.dup(stream) for stream in (1, 2)}
    try:
        with path.open("ab") as file:
            _flush()
            for stream in saved:
                os.dup2(file.fileno(), stream)
        yield
    finally:
        _flush()
        for stream, copy in saved.items():
            os.dup2(copy, stream)
            os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _require_model(done: Trained, directory: Path) -> None:
    if not done.path.is_file() or not done.path.resolve().is_relative_to(directory.resolve()):
        raise ModelError(
            f"the backend returned {done.path}, which is no file in {directory}",
            hint="this is a defect of the plugin: 'mlpzoo check' shows it",
        )


def _calculator(backend: Backend, request: wire.Train, done: Trained) -> ZooCalculator:
    """As users get it from the file."""
    from mlpzoo.calculator import build

    spec = ModelSpec(name=f"{request.family}:{done.path}", path=str(done.path), device=request.device)
    return build(backend, spec)


class _Clock:
    """Wall time of a training over all its pieces.

    Args:
        directory: Of the training.
        now: Seconds.
    """

    def __init__(self, directory: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = directory / _SECONDS
        self._now = now
        self._start = now()
        self._before = self._read()

    @property
    def seconds(self) -> float:
        """So far."""
        return self._before + self._now() - self._start

    def save(self) -> None:
        """Remember it, should this process end."""
        write_atomically(self._path, f"{self.seconds:.1f}".encode())

    def _read(self) -> float:
        try:
            return float(self._path.read_text())
        except (OSError, ValueError):
            return 0.0
