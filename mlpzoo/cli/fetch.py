"""``mlpzoo fetch``: weights that do not come with a plugin."""

from __future__ import annotations

import click

from mlpzoo.cli import completing


@click.command()
@click.argument("models", nargs=-1, required=True, shell_complete=completing.fetchable)
def fetch(models: tuple[str, ...]) -> None:
    """Download the weights of MODELS (names or globs) once; afterwards they work offline.

    Their licence is printed; using them means that you accept it. A file without a published checksum has its
    sha256 recorded now, and is checked against it before each use.

    \b
    mlpzoo fetch mace/mp-0-small
    mlpzoo fetch 'mace/*'
    """  # noqa: D301
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from mlpzoo.registry import default_registry
    from mlpzoo.weights import fetch_weights, place_of

    registry = default_registry()
    for name in registry.models(models, resolve=False):
        card = registry.cards[name].item
        if card.checkpoint is None or card.checkpoint.file:
            click.echo(f"{name}: comes with its plugin")
            continue
        if not place_of(card).is_file():
            click.echo(f"{name}: {card.checkpoint.url}, licence {card.licence}", err=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(name, total=None)

            def tell(done: int, total: int, *, bar: Progress = bar, task: TaskID = task) -> None:
                bar.update(task, completed=done, total=total or None)

            path = fetch_weights(card, tell)
        click.echo(f"{name}: {path}")
