"""``mlpzoo select``: train candidates, rank them in two ways, show where the rankings disagree."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli import completing
from mlpzoo.errors import UsageError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlpzoo.candidates import Candidate
    from mlpzoo.choice import Choice, Disagreement, Scored
    from mlpzoo.metrics.rank_correlation import RankCorrelation
    from mlpzoo.registry import Registry
    from mlpzoo.table import Table

AVERAGE = "validation"


@click.command()
@click.argument("families", nargs=-1, required=True, shell_complete=completing.trainable)
@click.option(
    "--data", "-d", "sets", multiple=True, required=True, metavar="NAME=SET[:FILE+FILE][,SET]",
    help="A training set and its name; several are compared.",
)  # fmt: skip
@click.option(
    "--vary", multiple=True, metavar="[FAMILY.]SETTING=V1,V2",
    help="A setting of the preset and the values to try; every combination is one candidate.",
)  # fmt: skip
@click.option("--preset", "-p", default="small", show_default=True, help="All other settings.")
@click.option("--seeds", default="0", show_default=True, help="Comma-separated seeds of the trainings.")
@click.option(
    "--average", default=AVERAGE, show_default=True, metavar="SET[:FILE]",
    help="The set whose force RMSE is the average error.",
)  # fmt: skip
@click.option(
    "--rare", "-r", default="si", show_default=True, shell_complete=completing.systems,
    help="Systems, cases or globs of the benchmark re-forces: the rare-event sets.",
)  # fmt: skip
@click.option(
    "--out", "-o", type=click.Path(file_okay=False, path_type=Path), default=Path("candidates"),
    show_default=True, help="Directory of the trained models.",
)  # fmt: skip
@click.option(
    "--format", "-f", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True,
    help="json holds everything.",
)  # fmt: skip
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw rare-event against average errors.",
)
@click.option("--dry-run", is_flag=True, help="Print the candidates; train nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def select(
    families: tuple[str, ...],
    sets: tuple[str, ...],
    vary: tuple[str, ...],
    preset: str,
    seeds: str,
    average: str,
    rare: str,
    out: Path,
    form: str,
    figure: Path | None,
    *,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Train candidates and choose one: by average error, and by errors on rare events.

    Candidates are all combinations of FAMILIES, training sets, varied settings and seeds. Each is trained
    (a trained one is taken as it is; interrupted, the same command goes on), then its forces are compared
    with the rare-event sets. The table has both ranks of each candidate; below it, how far the rankings
    agree, and what the choice by average error costs on rare events.

    \b
    mlpzoo select mace nequip -d base=si-training:train -d all=si-training
    mlpzoo select mace -d all=si-training --vary cutoff_ang=4,5 --seeds 0,1

    Exit code: 0; 1 if a candidate failed; 2 for wrong usage.
    """  # noqa: D301
    from mlpzoo.candidates import TrainingSet, candidates
    from mlpzoo.choice import choose
    from mlpzoo.registry import default_registry

    registry = default_registry()
    try:
        numbers = [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise UsageError(f"--seeds {seeds}: not whole numbers", hint="--seeds 0,1,2") from None
    found = candidates(
        families, [TrainingSet.parse(text) for text in sets], vary, numbers, preset=preset, registry=registry
    )
    _check_rare(rare, registry)
    if dry_run:
        for one in found:
            click.echo(f"{one.title}  ({', '.join(one.training_set.data)})")
        click.echo(f"{len(found)} candidates")
        return
    scored = _train_all(found, registry, preset=preset, average=average, out=out, quiet=quiet)
    tables = _rare_events([one.model for one in scored if one.model], rare, registry, quiet=quiet)
    choice = choose(scored, tables)
    if form == "json":
        click.echo(json.dumps(_as_json(choice), indent=2, ensure_ascii=False))
    else:
        _print(choice)
    if figure is not None and choice.scored:
        from mlpzoo.render.choice_figure import draw

        draw(choice, figure)
        click.echo(f"drew {figure}", err=True)
    if choice.failed:
        click.get_current_context().exit(1)


def _check_rare(systems: str, registry: Registry) -> None:
    """Refuse names of rare-event sets that are none, or not on this machine, before anything is trained."""
    from mlpzoo.tasks import names_in

    spec = registry.benchmark("re-forces").item
    cases = registry.select_cases(spec, names_in(systems))
    if not any(not case.unavailable for case in cases):
        hint = cases[0].unavailable if cases else "see 'mlpzoo systems'"
        raise UsageError(f"no rare-event set matches '{systems}'", hint=hint)


def _train_all(
    found: Sequence[Candidate], registry: Registry, *, preset: str, average: str, out: Path, quiet: bool
) -> list[Scored]:
    """Train one after the other; one that fails is recorded, and the others go on."""
    from mlpzoo.choice import Scored
    from mlpzoo.cli.display import display
    from mlpzoo.groups import Event
    from mlpzoo.trainer import train
    from mlpzoo.training_plan import TrainRequest, plan_training

    plans = []
    for one in found:  # everything is checked before anything is trained
        request = TrainRequest(
            family=one.family,
            data=one.training_set.data,
            tests=() if average == AVERAGE else (average,),
            preset=preset,
            pairs=one.varied,
            seed=one.seed,
            name=one.name,
            out=out / one.family,
        )
        plans.append((one, plan_training(request, registry)))
    averaged = {tuple((part.label, part.indices) for part in plan.data.validation) for _, plan in plans}
    if average == AVERAGE and len(averaged) > 1:
        raise UsageError(
            "the candidates have different validation frames: their average errors cannot be compared",
            hint="name one set for all of them: --average SET:FILE",
        )
    scored = []
    with display(len(plans), quiet=quiet) as screen:
        for one, plan in plans:
            label = one.title

            def show(done: int, total: int, what: str, label: str = label) -> None:
                screen.show(Event(kind="progress", family=label, text=what, done=done, total=total))

            try:
                model, card = train(plan, registry, on_progress=show)
            except WorkerError as error:
                scored.append(Scored(title=one.title, failed=error.message))
                continue
            error_of = card.test_errors[f"{average} force_rmse_ev_per_ang"]
            name = registry.resolve(f"{one.family}:{model}").name
            scored.append(Scored(title=one.title, model=name, average=error_of))
    return scored


def _rare_events(models: list[str], systems: str, registry: Registry, *, quiet: bool) -> list[Table]:
    """The tables of ``re-forces`` of the trained models."""
    from mlpzoo.benchmark import RunSettings
    from mlpzoo.cli.display import display
    from mlpzoo.planning import plan
    from mlpzoo.runner import run
    from mlpzoo.store import Store
    from mlpzoo.table import comparison
    from mlpzoo.tasks import Request, names_in

    if not models:
        return []
    store = Store()
    request = Request(models=tuple(models), systems=names_in(systems), settings=RunSettings())
    work = plan(request, registry, store)
    results = [t.result for t in work.tasks if t.result is not None]
    todo = [t for t in work.tasks if t.state == "run"]
    if todo:
        events = run(work, registry=registry, store=store)
        with display(len(todo), quiet=quiet) as screen, contextlib.closing(events):
            for event in events:
                screen.show(event)
                if event.result is not None:
                    results.append(event.result)
    return list(comparison(work, results).tables)


def _print(choice: Choice) -> None:
    from mlpzoo.cli.listing import show

    for case in choice.cases:
        click.echo(case)
        show([_row(choice, one, case) for one in choice.scored], as_json=False, wide=("candidate",))
    if choice.scored:
        click.echo("[rank], 1 is lowest; forces in eV/Å, shares in %; sorted by average error\n")
    for case in choice.cases:
        click.echo(f"{case}: rank correlation with the average error over {len(choice.scored)} candidates")
        for quantity in choice.quantities:
            click.echo(f"  {quantity.title:<12} {_correlation(choice.correlations[case, quantity.name])}")
    for one in choice.disagreements:
        click.echo(_disagreement(one))
    for failed in choice.failed:
        click.echo(f"✗ {failed.title}: {failed.failed}")


def _row(choice: Choice, one: Scored, case: str) -> dict[str, str]:
    from mlpzoo.choice import DECIDES

    row = {"candidate": one.title, "average F RMSE": f"{one.average:.3f} [{choice.rank(one):g}]"}
    for quantity in choice.quantities:
        value = f"{one.rare[case, quantity.name]:.{quantity.decimals}f}"
        if quantity.name == DECIDES:
            value += f" [{choice.rank(one, case, quantity.name):g}]"
        row[quantity.title] = value
    return row


def _correlation(found: RankCorrelation | None) -> str:
    if found is None:
        return "nothing to order"
    interval = f"[{found.low:+.2f}, {found.high:+.2f}]"
    return f"Spearman {found.spearman:+.2f} {interval}, Kendall {found.kendall:+.2f}"


def _disagreement(one: Disagreement) -> str:
    if one.by_average == one.by_rare:
        return f"{one.case}: both rankings choose {one.by_average}"
    sure = "a tie within its 95 % interval" if one.tie else "outside its 95 % interval"
    return (
        f"{one.case}: the average error chooses {one.by_average}, rare events {one.by_rare}; the former is "
        f"number {one.rank_of_average_choice:g} of {one.n} on rare events, {one.excess_percent:.0f} % "
        f"above the best ({sure})"
    )


def _as_json(choice: Choice) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "schema": "mlpzoo.select/1",
        "candidates": [
            {
                "title": one.title,
                "model": one.model,
                "average_force_rmse_ev_per_ang": one.average,
                "rank": choice.rank(one),
                "rare": {
                    case: {q.name: one.rare[case, q.name] for q in choice.quantities} for case in choice.cases
                },
            }
            for one in choice.scored
        ],
        "failed": [{"title": one.title, "reason": one.failed} for one in choice.failed],
        "rank_correlations": [
            {"case": case, "quantity": quantity, **(found._asdict() if found else {})}
            for (case, quantity), found in choice.correlations.items()
        ],
        "disagreements": [asdict(one) for one in choice.disagreements],
    }
