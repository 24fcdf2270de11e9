"""``mlpzoo compare``: the main job."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mlpzoo.benchmark import PROFILES, RunSettings
from mlpzoo.cli import completing
from mlpzoo.errors import UsageError

if TYPE_CHECKING:
    from mlpzoo.render import Format, View
    from mlpzoo.table import Comparison
    from mlpzoo.tasks import Plan


@click.command()
@click.option(
    "--models",
    "-m",
    required=True,
    shell_complete=completing.models,
    help="Comma-separated: FAMILY, FAMILY/CARD, FAMILY:PATH, globs such as 'mace/*', or all-local: every "
    "model that knows the elements and whose weights are at hand.",
)
@click.option(
    "--benchmarks",
    "-b",
    default="re-forces",
    show_default=True,
    shell_complete=completing.benchmarks,
    help="Comma-separated names, or 'all'.",
)
@click.option(
    "--system",
    "--systems",
    "-s",
    "systems",
    default="si",
    show_default=True,
    shell_complete=completing.systems,
    help="Comma-separated systems, cases or globs.",
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="standard",
    show_default=True,
    help="smoke: seconds, to try things; paper: the sizes of publications. Profiles never share a table.",
)
@click.option(
    "--format",
    "-f",
    "form",
    default="terminal",
    show_default=True,
    type=click.Choice(["terminal", "md", "csv", "json", "latex"]),
    help="Of the tables.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the tables to this file instead of the terminal.",
)
@click.option(
    "--columns",
    type=click.Choice(["main", "all"]),
    default="main",
    show_default=True,
    help="csv and json always hold all.",
)
@click.option("--intervals", is_flag=True, help="Print 95 % intervals below the values (terminal).")
@click.option(
    "--against",
    default="",
    metavar="LEVEL",
    shell_complete=completing.levels,
    help="Compare every model with the references of this level of theory, e.g. PBE or experiment "
    "[default: its own level, if there are references of it].",
)
@click.option("--errors", is_flag=True, help="Print deviations from the reference, where there is one.")
@click.option("--costs", is_flag=True, help="Print what each row has cost: force calls, CPU and wall time.")
@click.option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also draw the curves of each table as PNG files in this directory.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option(
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
    help="Precision of every model.",
)
@click.option(
    "--isolate",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="auto: a worker process of this Python if the framework is importable in it, else of the "
    "family's environment; always: the environment; never: in this very process, for debuggers.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Families at work at a time; they share the cores.",
)
@click.option(
    "--threads", type=click.IntRange(0), default=0, help="Threads per worker [default: cores / jobs]."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds that one task may take.",
)
@click.option(
    "--memory-limit",
    "memory_limit_gb",
    type=click.FloatRange(0),
    default=0.0,
    help="GB of data memory for one worker [default: no limit].",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random number.")
@click.option("--fresh", is_flag=True, help="Run everything again; do not use stored results.")
@click.option("--dry-run", is_flag=True, help="Print what would be run, and where; run nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def compare(**options: Any) -> None:  # fmt: skip
    """Run the same benchmarks on several models and print one table a benchmark.

    Each family runs in an environment of its own, made on first use. Results are stored: the same command
    again prints them at once, and goes on where an interrupted one stopped.

    \b
    mlpzoo compare --models mace,nequip
    mlpzoo compare --models mace,nequip --benchmarks all --system si
    mlpzoo compare -m tersoff,lj -b all --profile smoke    (no environment needed)
    mlpzoo compare -m mace,nequip -b bulk --against experiment --errors
    mlpzoo compare -m 'mace/*,nequip:my.ckpt' --format latex
    mlpzoo compare -m all-local -s si
    mlpzoo compare -m mace -s liu2023-si    (after 'mlpzoo data fetch liu2023-si')

    Exit code: 0; 1 if a task failed; 2 for wrong usage.
    """  # noqa: D301  (click wants the control character)
    from mlpzoo.planning import plan
    from mlpzoo.registry import default_registry
    from mlpzoo.render import View
    from mlpzoo.store import Store
    from mlpzoo.tasks import Request, names_in

    form, output, figures = options.pop("form"), options.pop("output"), options.pop("figures")
    if output and not os.access(output.parent, os.W_OK):
        raise UsageError(f"{output}: there is no writable directory {output.parent}", hint="create it")
    flags = {name: options.pop(name) for name in ("intervals", "errors", "costs")}
    view = View(all_columns=options.pop("columns") == "all", **flags)
    quiet, dry_run = options.pop("quiet"), options.pop("dry_run")
    settings = RunSettings(profile=options.pop("profile"), seed=options.pop("seed"))
    lists = {name: names_in(options.pop(name)) for name in ("models", "benchmarks", "systems")}
    if not lists["models"]:
        raise UsageError("no model named", hint="--models mace,nequip; see 'mlpzoo models'")
    registry, store = default_registry(), Store()
    options.update(lists)
    work = plan(Request(settings=settings, **options), registry, store)
    for note in dict.fromkeys(t.model.note for t in work.tasks if t.model and t.model.note):
        click.echo(f"note: {note}", err=True)
    absent = registry.not_fetched(lists["models"])
    if absent:
        click.echo(f"left out, not fetched: {', '.join(absent)}; mlpzoo fetch {absent[0]}", err=True)
    if dry_run:
        _print_plan(work)
        return
    found = _run(work, quiet=quiet)
    _print(found, form, output, view)
    if figures:
        from mlpzoo.render import write_figures

        for path in write_figures(found, figures):
            click.echo(f"drew {path}", err=True)
    for case in work.unavailable:
        click.echo(f"left out {case.name}: {case.unavailable}", err=True)
    if found.failed:
        click.get_current_context().exit(1)


def _run(work: Plan, *, quiet: bool) -> Comparison:
    from mlpzoo.table import comparison

    results = [t.result for t in work.tasks if t.result is not None]
    todo = [t for t in work.tasks if t.state == "run"]
    if todo:
        from mlpzoo.cli.display import display
        from mlpzoo.runner import run

        with display(len(todo), quiet=quiet) as screen, contextlib.closing(run(work)) as events:
            for event in events:
                screen.show(event)
                if event.result is not None:
                    results.append(event.result)
    return comparison(work, results)


def _print(found: Comparison, form: str, output: Path | None, view: View) -> None:
    from mlpzoo import render

    if form == "terminal":
        import sys

        from rich.console import Console

        with output.open("w", encoding="utf-8") if output else contextlib.nullcontext(sys.stdout) as stream:
            width = None if stream.isatty() else 160
            console = Console(file=stream, width=width, highlight=False)
            for item in render.terminal.render(found, view, width=console.width):
                console.print(item)
        return
    text = render.render(found, cast("Format", form), view)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def _print_plan(work: Plan) -> None:
    from mlpzoo.cli.listing import show

    rows = [
        {
            "row": task.title,
            "benchmark": task.benchmark.name,
            "case": task.case.name,
            "state": task.state if task.state != "run" else f"run in {task.place}{_to_be_made(task)}",
            "reason": task.result.message if task.state == "unsupported" and task.result else "",
        }
        for task in work.tasks
    ]
    show(rows, as_json=False, wide=("reason", "state"))


def _to_be_made(task: Any) -> str:
    """``(to be created)`` if the task's environment is not there."""
    if not task.place.startswith("environment"):
        return ""
    from mlpzoo import envs
    from mlpzoo.registry import default_registry

    return " (to be created)" if envs.to_be_made(default_registry().backend(task.family).item) else ""
