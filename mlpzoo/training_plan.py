"""What a training would do: every name resolved, the data checked, what an earlier one left looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mlpzoo import envs
from mlpzoo.card_file import card_beside
from mlpzoo.data.training_data import TrainingData, training_data
from mlpzoo.errors import UsageError
from mlpzoo.models import ModelCard
from mlpzoo.registry import Registry
from mlpzoo.training import Value, preset_of
from mlpzoo.versions import framework_versions

JOB: Final = "job.json"
"""In the directory of a training: what makes it this one."""
DONE: Final = "done.json"
"""Written last: the name of the model, and what its errors are of."""


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
    environment = None if registry.runs_here(request.family) else envs.spec_of(entry.item)
    identity = {
        "family": request.family,
        "plugin": entry.plugin.source,
        "lock": environment.lock.sha256 if environment else "",
        "versions": {} if environment else framework_versions(tuple(entry.item.requires)),
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
        place=f"environment {environment.name}" if environment else "this Python",
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
    if done is None or done.get("tests") != tests_of(plan):
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


def tests_of(plan: TrainingPlan) -> dict[str, list[str]]:
    """What the errors are of."""
    return {name: [p.sha256 for p in parts] for name, parts in plan.data.tests.items()}


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None if there is none, or it was cut short."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
