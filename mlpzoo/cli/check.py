"""``mlpzoo check``: does a model, or a benchmark, keep the promises of the interface?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli import completing

if TYPE_CHECKING:
    from mlpzoo import wire
    from mlpzoo.registry import Registry
    from mlpzoo.testing import CheckResult


@click.command()
@click.argument("models", nargs=-1, shell_complete=completing.models)
@click.option(
    "--all", "everything", is_flag=True,
    help="The default model of every family; a random one of those whose weights are not here.",
)  # fmt: skip
@click.option(
    "--benchmark", "-b", default="", shell_complete=completing.names(lambda r: r.benchmarks, commas=False),
    help="Test this benchmark instead, with MODELS (default: the built-in potentials), here.",
)  # fmt: skip
@click.option("--systems", "-s", default="*", shell_complete=completing.systems, help="With --benchmark.")
@click.option("--matrix", is_flag=True, help="Print one table, promises by models, instead of a list each.")
@click.option("--only", default="", help="Comma-separated names of checks.")
@click.option(
    "--random", default="", metavar="KIND",
    help="Test a tiny model with random weights, which the family's framework makes, instead of a card.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64", show_default=True)
@click.option(
    "--timeout", "timeout_s", type=float, default=1800.0, show_default=True, help="Seconds per model."
)
def check(
    models: tuple[str, ...],
    only: str,
    benchmark: str,
    systems: str,
    *,
    everything: bool,
    matrix: bool,
    **options: Any,
) -> None:
    """Run the conformance kit on MODELS, each in its own environment, or on a benchmark.

    Exits with 1 if a promise is broken.

    \b
    mlpzoo check mace
    mlpzoo check mace/si-small nequip:my.ckpt
    mlpzoo check grace --random 1-layer
    mlpzoo check --all --matrix
    mlpzoo check --benchmark bulk
    mlpzoo check --benchmark vacancy-formation -s si tersoff/si
    """  # noqa: D301
    names = tuple(n for n in only.split(",") if n)
    if benchmark:
        kept = _benchmark(benchmark, models, names, tuple(systems.split(",")))
    else:
        kept = _models(models, names, everything=everything, matrix=matrix, **options)
    if not kept:
        click.get_current_context().exit(1)


def _models(
    models: tuple[str, ...],
    names: tuple[str, ...],
    *,
    everything: bool,
    matrix: bool,
    random: str,
    **options: Any,
) -> bool:
    """Whether all models keep their promises."""
    from mlpzoo.conformance import check_model
    from mlpzoo.errors import UsageError, ZooError
    from mlpzoo.registry import default_registry

    registry = default_registry()
    chosen = _every_family(registry) if everything else dict.fromkeys(models, random)
    if not chosen:
        raise UsageError("no model named", hint="mlpzoo check mace, or mlpzoo check --all")
    kept = True
    cells: dict[str, dict[str, str]] = {}
    for name, kind in chosen.items():
        counts: Counter[str] = Counter()
        title = f"{name} (random {kind})" if kind else name
        column = cells.setdefault(title, {})

        def show(item: wire.Checked, counts: Counter[str] = counts, column: dict[str, str] = column) -> None:
            counts[item.status] += 1
            column[item.name] = item.status
            if not matrix:
                _show(item)

        click.echo(click.style(title, bold=True), err=matrix)
        try:
            check_model(
                name, names, random=kind, on_result=show, registry=registry,
                on_progress=lambda text: click.echo(f"  {text}", err=True), **options,
            )  # fmt: skip
        except ZooError as error:
            if not everything:
                raise
            click.echo(f"  {click.style('failed', fg='red')}   {error.message}", err=matrix)
            kept = False
        kept = _summary(counts, err=matrix) and kept
    if matrix:
        _print_matrix(cells)
    return kept


def _every_family(registry: Registry) -> dict[str, str]:
    """Families that have models, and the kind of random model of those whose weights are not here."""
    chosen = {}
    for family in registry.families:
        cards = [name for name in registry.cards if name.startswith(f"{family}/")]
        if not cards:
            continue
        kinds = getattr(registry.backend(family).item, "random_kinds", ())
        if registry.models([family], resolve=False)[0] in registry.local_models:
            chosen[family] = ""
        elif kinds:
            chosen[family] = kinds[0]
        else:
            click.echo(f"{family}: left out, its weights are not here: mlpzoo fetch {cards[0]}", err=True)
    return chosen


def _print_matrix(cells: dict[str, dict[str, str]]) -> None:
    """Promises by models, as a table in Markdown: ✓ kept, ✗ broken, — not applicable, blank not reached."""
    marks = {"passed": "✓", "failed": "✗", "skipped": "—"}
    promises = dict.fromkeys(promise for column in cells.values() for promise in column)
    rows = [["promise", *cells]]
    rows += [[name, *(marks.get(c.get(name, ""), "") for c in cells.values())] for name in promises]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    click.echo("\n".join(lines))


def _benchmark(name: str, models: tuple[str, ...], names: tuple[str, ...], systems: tuple[str, ...]) -> bool:
    """Whether a benchmark keeps its promises."""
    from mlpzoo.registry import default_registry
    from mlpzoo.testing import BenchmarkSubject, run_benchmark_checks

    subject = BenchmarkSubject(registry=default_registry(), name=name, models=models, systems=systems)
    _ = subject.spec, subject.picks  # wrong names stop here
    click.echo(click.style(name, bold=True))
    counts: Counter[str] = Counter()
    for item in run_benchmark_checks(subject, names):
        counts[item.status] += 1
        _show(item)
    return _summary(counts)


def _show(item: wire.Checked | CheckResult) -> None:
    colour = {"passed": "green", "failed": "red"}.get(item.status, "yellow")
    click.echo(f"  {click.style(f'{item.status:8}', fg=colour)} {item.promise}")
    if item.message:
        click.echo(f"           {item.message}")


def _summary(counts: Counter[str], *, err: bool = False) -> bool:
    """Print how many; whether something passed and nothing failed."""
    text = ", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "skipped"))
    click.echo(f"  {text}", err=err)
    return counts["failed"] == 0 and counts["passed"] > 0
