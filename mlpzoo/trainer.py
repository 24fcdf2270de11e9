"""Training from the parent's side: a worker does it; model and card are put in place.  Never prints."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from mlpzoo import wire
from mlpzoo.api import launch_for
from mlpzoo.card_file import write_card
from mlpzoo.errors import UsageError, WorkerError
from mlpzoo.files import write_atomically
from mlpzoo.labelled import packed
from mlpzoo.models import ModelCard
from mlpzoo.registry import Registry
from mlpzoo.trained_card import card_of
from mlpzoo.training_plan import DONE, JOB, TrainingPlan, tests_of
from mlpzoo.training_run import LOG
from mlpzoo.workers import Worker

_TAIL_LINES: Final = 20


def train(
    plan: TrainingPlan,
    registry: Registry,
    *,
    on_text: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> tuple[Path, ModelCard]:
    """Do it, or go on with it.

    Args:
        plan: From `mlpzoo.training_plan.plan_training`.
        registry: The one that it was planned with.
        on_text: Told what is done before the training starts.
        on_progress: Told how far it is.

    Returns:
        The model's file, and its card, which lies beside it.

    Raises:
        WorkerError: The training failed, or its process died; the same command goes on.
        UsageError: Another process is at it.
    """
    if plan.card is not None and plan.model is not None:
        return plan.model, plan.card
    plan.work.mkdir(parents=True, exist_ok=True)
    with _alone(plan.work):
        if plan.request.fresh:
            _forget(plan.work)
        write_atomically(plan.work / JOB, json.dumps(plan.identity, indent=2).encode())
        launch = launch_for(
            registry,
            plan.request.family,
            progress=on_text,
            prefer_here=True,
            threads=plan.request.threads,
        )
        on_text("starting the worker")
        done = _ask(plan, registry, Worker(launch, plan.request.family), on_progress)
        trained = Path(done.path)
        model = plan.out / f"{plan.request.name}.{trained.name.partition('.')[2]}"
        write_atomically(model, trained.read_bytes())
        card = card_of(plan.request, plan.data, done, model)
        write_card(model, card)
        note = {"model": model.name, "tests": tests_of(plan)}
        write_atomically(plan.work / DONE, json.dumps(note).encode())
    return model, card


def _ask(
    plan: TrainingPlan, registry: Registry, worker: Worker, on_progress: Callable[[int, int, str], None]
) -> wire.TrainingDone:
    request, data = plan.request, plan.data
    message = wire.Train(
        plugin_module=registry.backend(request.family).plugin.module_name,
        family=request.family,
        name=request.name,
        directory=str(plan.work.resolve()),
        train=packed(data.frames(data.train)),
        validation=packed(data.frames(data.validation)),
        tests={name: packed(data.frames(parts, for_test=True)) for name, parts in data.tests.items()},
        settings=dict(plan.settings),
        seed=request.seed,
        device=request.device,
        threads=request.threads,
    )
    with worker:
        try:
            done: wire.TrainingDone = worker.ask(
                message, on_message=lambda m: on_progress(m.done, m.total, m.what)
            )
        except WorkerError as error:
            raise WorkerError(
                f"training stopped: {error.message}",
                hint=error.hint or "the same command goes on where it stopped",
                remote_traceback=error.remote_traceback,
                stderr_tail=_tail(plan.work / LOG) or error.stderr_tail,
                kind=error.kind,
            ) from error
    return done


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
    return ""


def _forget(work: Path) -> None:
    for path in work.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Hold the directory's lock; it goes with this process, however that ends.

    Raises:
        UsageError: Another process holds it.
    """
    with (work / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another process is training in {work}", hint="wait for it, or choose another --name"
            ) from None
        yield
