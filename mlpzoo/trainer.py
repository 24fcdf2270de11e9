"""Training from the parent's side: what would be done, then a worker that does it.  Never prints."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mlpzoo import envs, wire
from mlpzoo.api import launch_for
from mlpzoo.card_file import card_beside, write_card
from mlpzoo.data.training_data import TrainingData, training_data
from mlpzoo.errors import UsageError, WorkerError
from mlpzoo.files import write_atomically
from mlpzoo.labelled import packed
from mlpzoo.models import ModelCard
from mlpzoo.registry import Registry
from mlpzoo.trained_card import card_of
from mlpzoo.training import Value, preset_of
from mlpzoo.training_run import LOG
from mlpzoo.versions import framework_versions
from mlpzoo.workers import Worker

JOB: Final = "job.json"
DONE: Final = "done.json"
_TAIL_LINES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What a user asks for.

    Attributes:
        family: Whose framework trains.
        data: ``NAME[:FILE[+FILE...]]`` each; see `mlpzoo.data.training_data`.
        tests: Likewise; for errors only.
        preset: Name of a preset of the family.
        pairs: ``NAME=VALUE`` each: settings other than the preset's.
        seed: Of everything random.
        name: Of the model; empty: data set and preset.
        out: Directory of the model and its card; None: ``trained/FAMILY``.
        device: Where to train.
        threads: How many.
        licence: Of the weights.
        fresh: Throw away what an earlier training of this name left.
    """

    family: str
    data: tuple[str, ...]
    tests: tuple[str, ...] = ()
    preset: str = "small"
    pairs: tuple[str, ...] = ()
    seed: int = 0
    name: str = ""
    out: Path | None = None
    device: str = "cpu"
    threads: int = 1
    licence: str = ""
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingPlan:
    """What would be done.

    Attributes:
        request: What was asked for, with name and directory filled in.
        settings: The preset's, with the user's changes.
        data: Frames to train on, validate with and test on.
        identity: Everything that makes it another training: data, settings, seed, lock, ...
        place: Where it would run.
        state: ``new``; ``goes on``: an interrupted one is there; ``done``: there is nothing left to do.
        card: Of the finished model, if ``done``.
        model: Its file, if ``done``.
    """

    request: TrainRequest
    settings: Mapping[str, Value]
    data: TrainingData
    identity: Mapping[str, Any]
    place: str
    state: str
    card: ModelCard | None = None
    model: Path | None = None

    @property
    def out(self) -> Path:
        """Directory of the model and its card."""
        assert self.request.out is not None  # noqa: S101  (filled in)
        return self.request.out

    @property
    def work(self) -> Path:
        """Directory of checkpoints and log."""
        return self.out / f"{self.request.name}.work"


def plan_training(request: TrainRequest, registry: Registry) -> TrainingPlan:
    """Resolve and check everything, data included.  Starts nothing and writes nothing.

    Raises:
        UsageError: Unknown family, preset, setting, file; or the directory holds another training.
        DataError: The data cannot be used.
    """
    entry = registry.backend(request.family)
    settings = preset_of(entry.item, request.preset).with_pairs(request.pairs)
    known = {name: found.item for name, found in registry.datasets.items()}
    data = training_data(request.data, request.tests, known, seed=request.seed)
    name = request.name or f"{Path(data.train[0].source).name}-{request.preset}"
    if name != Path(name).name or name.startswith("."):
        raise UsageError(f"'{name}' is no name of a model", hint="--name NAME, without a directory")
    request = replace(request, name=name, out=request.out or Path("trained") / request.family)
    here, lock_file = registry.runs_here(request.family), entry.item.lock_file
    in_environment = not here and lock_file is not None
    identity = {
        "family": request.family,
        "plugin": entry.plugin.source,
        "lock": envs.spec_for(request.family, lock_file).lock.sha256 if in_environment and lock_file else "",
        "versions": {} if in_environment else framework_versions(tuple(entry.item.requires)),
        "data": data.identity,
        "settings": dict(settings),
        "seed": request.seed,
        "device": request.device,
        "threads": request.threads,
    }
    plan = TrainingPlan(
        request=request,
        settings=settings,
        data=data,
        identity=identity,
        place=f"environment {request.family}" if in_environment else "this Python",
        state="new",
    )
    return plan if request.fresh else _with_state(plan)


def _with_state(plan: TrainingPlan) -> TrainingPlan:
    """Look at what is there.

    Raises:
        UsageError: It is another training's.
    """
    before = _read(plan.work / JOB)
    if before is None:
        return plan
    different = differences(before, plan.identity)
    if different:
        raise UsageError(
            f"{plan.work} holds another training: {'; '.join(different)}",
            hint="choose another --name or --out, or start anew with --fresh",
        )
    done = _read(plan.work / DONE)
    if done is None or done.get("tests") != _tests(plan):
        return replace(plan, state="goes on")
    model = plan.out / done["model"]
    card = card_beside(model, plan.request.family)[0] if model.is_file() else None
    return replace(plan, state="goes on" if card is None else "done", card=card, model=model)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not the same in two identities, in words."""
    found = []
    for key in {**before, **now}:
        a, b = before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{key} {k} was {a.get(k)}, now {b.get(k)}" for k in {**a, **b} if a.get(k) != b.get(k)]
        elif a != b:
            long = key in ("data", "lock")
            found.append(f"{key} differs" if long else f"{key} was {a}, now {b}")
    return found


def train(
    plan: TrainingPlan,
    registry: Registry,
    *,
    on_text: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> tuple[Path, ModelCard]:
    """Do it, or go on with it.

    Args:
        plan: From `plan_training`.
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
        note = {"model": model.name, "tests": _tests(plan)}
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


def _tests(plan: TrainingPlan) -> dict[str, list[str]]:
    """What the errors are of."""
    return {name: [p.sha256 for p in parts] for name, parts in plan.data.tests.items()}


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
    return ""


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None if there is none, or it was cut short."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


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
