"""The card of a model that mlpzoo trained: what it was made of, how, and how good it is."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlpzoo import __version__
from mlpzoo.hashing import file_sha256
from mlpzoo.models import Checkpoint, ModelCard

if TYPE_CHECKING:
    from mlpzoo.data.training_data import TrainingData
    from mlpzoo.training_plan import TrainRequest
    from mlpzoo.wire import TrainingDone


def card_of(request: TrainRequest, data: TrainingData, done: TrainingDone, model: Path) -> ModelCard:
    """The card of a finished training.

    Args:
        request: What was asked for, with its name.
        data: What it was trained on.
        done: What the worker says.
        model: The file, in its place.
    """
    data_licences = ", ".join(data.licences)
    return ModelCard(
        name=f"{request.family}/{request.name}",
        family=request.family,
        title=f"{done.title or request.family}, trained on {', '.join(data.sources)}",
        elements=done.elements,
        properties=done.properties,
        cutoff_ang=done.cutoff_ang,
        level_of_theory=data.level.level_of_theory,
        training_set=f"{data.described}; {'; '.join(data.citations)}",
        training_set_sha256=data.sha256,
        training_command=command_of(request),
        test_errors={
            f"{part} {name}": float(f"{value:.5g}")
            for part, errors in done.errors.items()
            for name, value in errors.items()
        },
        licence=request.licence or f"not stated (training data: {data_licences})",
        citation="; ".join(text for text in (done.citation, *data.citations) if text),
        notes=" ".join(_notes(request, data, done)),
        checkpoint=Checkpoint(file=model.name, sha256=file_sha256(model), size_bytes=model.stat().st_size),
    )


def command_of(request: TrainRequest) -> str:
    """The command that makes this model again."""
    words = ["mlpzoo", "train", request.family]
    for option, values in (("--data", request.data), ("--test", request.tests), ("--set", request.pairs)):
        words += [word for value in values for word in (option, value)]
        if option == "--data":
            words += ["--preset", request.preset]
    words += ["--seed", str(request.seed), "--threads", str(request.threads), "--name", request.name]
    if request.device != "cpu":
        words += ["--device", request.device]
    return shlex.join(words)


def _notes(request: TrainRequest, data: TrainingData, done: TrainingDone) -> Iterator[str]:
    if done.notes:
        yield done.notes
    level = data.level
    if level.title or level.code:
        yield f"Labels: {level.title or level.code}."
    learnt = "energies, forces and stresses" if data.with_stress else "energies and forces"
    n = sum(len(part.indices) for part in data.train)
    yield f"Learnt {learnt} of {n} frames; {done.n_parameters} parameters."
    files = ", ".join(part.label for part in data.validation)
    yield f"Validation: {data.held_out or files}."
    yield from (f"{remark[0].upper()}{remark[1:]}." for remark in data.remarks)
    versions = ", ".join(f"{name} {version}" for name, version in done.frameworks.items())
    yield (
        f"Seed {request.seed}; {done.training_time_s:.0f} s on {done.threads} "
        f"thread{'s' * (done.threads != 1)} of {done.device_name or request.device}, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}; "
        f"mlpzoo {__version__}, Python {done.python}, {versions}."
    )
