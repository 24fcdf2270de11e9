"""``mlpzoo train``: a model of one's own data, with any family that can be trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli import completing

if TYPE_CHECKING:
    from mlpzoo.models import ModelCard
    from mlpzoo.registry import Registry
    from mlpzoo.training_plan import TrainingPlan


@click.command()
@click.argument("family", shell_complete=completing.trainable)
@click.option(
    "--data",
    "-d",
    multiple=True,
    metavar="NAME[:FILE+FILE]",
    shell_complete=completing.datasets,
    help="Data set, or a directory with a dataset.toml; may be given several times.",
)
@click.option(
    "--test",
    "-t",
    "tests",
    multiple=True,
    metavar="NAME[:FILE]",
    shell_complete=completing.datasets,
    help="Also compute errors on this; may be given several times.",
)
@click.option(
    "--preset", "-p", default="small", show_default=True, shell_complete=completing.presets,
    help="smoke: seconds, to try it; others: see --presets.",
)  # fmt: skip
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Replace a setting of the preset.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random number.")
@click.option("--name", default="", help="Of the model [default: DATA-PRESET].")
@click.option(
    "--out", "-o", type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the model and its card [default: trained/FAMILY].",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True,
    help="With one, the same seed gives the same model.",
)  # fmt: skip
@click.option("--licence", default="", help="Of the weights, for the card.")
@click.option("--presets", "show_presets", is_flag=True, help="List the presets and settings of FAMILY.")
@click.option("--fresh", is_flag=True, help="Start anew; do not go on with what is there.")
@click.option("--dry-run", is_flag=True, help="Print what would be done; do nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def train(*, show_presets: bool, dry_run: bool, quiet: bool, **options: Any) -> None:
    """Train a model of FAMILY and write it, with a card that says how, to a directory.

    It runs in the family's own environment. Ctrl-C, a crash or a power cut costs the epoch in work: the same
    command goes on. All files of a data set are trained on, or those that are named, but never the files
    'validation' (chooses the epoch; without one, every 20th frame is held out) and 'test'. Sets of different
    levels of theory are refused, and so is a frame that is both trained on and validated with.

    \b
    mlpzoo train mace --presets
    mlpzoo train mace --data mlearn-si --test mlearn-si        (its file 'test')
    mlpzoo train nequip -d si:crystal+vacancy -d more/ --set steps=9000 --seed 1
    mlpzoo train mace -d mlearn-si --preset smoke       (seconds, to try it)
    mlpzoo compare --models mace:trained/mace/mlearn-si-small.model

    Exit code: 0; 2 if it cannot be done.
    """  # noqa: D301
    from mlpzoo.registry import default_registry
    from mlpzoo.training_plan import TrainRequest, plan_training

    registry = default_registry()
    if show_presets:
        _print_presets(registry, options["family"])
        return
    plan = plan_training(TrainRequest(**options), registry)
    if dry_run:
        _print_plan(plan, registry)
        return
    model, card = _run(plan, registry, quiet=quiet)
    _print_summary(plan, model, card)


def _run(plan: TrainingPlan, registry: Registry, *, quiet: bool) -> tuple[Path, ModelCard]:
    from mlpzoo.cli.display import display
    from mlpzoo.groups import Event
    from mlpzoo.trainer import train as run

    family = plan.request.family
    with display(1, quiet=quiet) as screen:
        return run(
            plan,
            registry,
            on_text=lambda text: screen.show(Event(kind="starting", family=family, text=text)),
            on_progress=lambda done, total, what: screen.show(
                Event(kind="progress", family=family, text=what, done=done, total=total)
            ),
        )


def _print_presets(registry: Registry, family: str) -> None:
    from mlpzoo.cli.listing import show
    from mlpzoo.training import trainable

    presets = trainable(registry.backend(family).item).presets()
    for name, preset in presets.items():
        click.echo(f"{click.style(name, bold=True)}: {preset.title}")
    names = dict.fromkeys(name for preset in presets.values() for name in preset.settings)
    rows = []
    for name in names:
        found = {key: preset.settings.get(name) for key, preset in presets.items()}
        values = {key: "" if setting is None else str(setting.value) for key, setting in found.items()}
        meaning = next(setting.meaning for setting in found.values() if setting is not None)
        rows.append({"setting": name, **values, "meaning": meaning})
    show(rows, as_json=False, wide=("meaning",))


def _print_plan(plan: TrainingPlan, registry: Registry) -> None:
    from mlpzoo import envs
    from mlpzoo.trained_card import command_of

    request, data = plan.request, plan.data
    place = plan.place
    if place.startswith("environment") and envs.to_be_made(registry.backend(request.family).item):
        place += " (to be created)"
    where = str(plan.out / request.name)
    validation = data.held_out or ", ".join(f"{p.label} ({len(p.indices)} frames)" for p in data.validation)
    level = data.level
    lines = {
        "train": data.described,
        "validate": validation,
        **{f"test {name}": f"{sum(len(p.indices) for p in ps)} frames" for name, ps in data.tests.items()},
        "level": " · ".join(text for text in (level.level_of_theory, level.code, level.title) if text),
        "learn": "energies, forces, stresses" if data.with_stress else "energies, forces",
        "settings": ", ".join(f"{name}={value}" for name, value in plan.settings.items()),
        "run in": f"{place}, {request.threads} thread{'s' * (request.threads != 1)}, {request.device}",
        "write": f"{where}.* and {where}.card.toml",
        "state": {"new": "starts from nothing", "goes on": "goes on with an interrupted one",
                  "done": "done: the model is there"}[plan.state],
        "command": command_of(request),
    }  # fmt: skip
    wide = max(map(len, lines))
    for title, text in [*lines.items(), *(("note", remark) for remark in data.remarks)]:
        click.echo(f"{title:{wide}}  {text}")


def _print_summary(plan: TrainingPlan, model: Path, card: ModelCard) -> None:
    from mlpzoo.card_file import card_path
    from mlpzoo.cli.listing import show
    from mlpzoo.metrics.labels import LABEL_ERRORS

    rows = []
    for name in ("training", "validation", *plan.data.tests):
        errors = {title: card.test_errors.get(f"{name} {key}") for key, title in LABEL_ERRORS.items()}
        rows.append({"set": name, **{k: "" if v is None else f"{v:.4g}" for k, v in errors.items()}})
    show(rows, as_json=False)
    click.echo(f"wrote {model} and {card_path(model).name}", err=True)
    click.echo(f"next: mlpzoo compare --models {card.family}:{model}", err=True)
    sys.stdout.flush()
