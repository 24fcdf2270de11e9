"""``mlpzoo results``: what is stored, and deleting what is not wanted any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlpzoo.errors import UsageError

if TYPE_CHECKING:
    from mlpzoo.stored import Stored

_DAY_S = 86400.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def results() -> None:
    """Results and checkpoints are kept below $MLPZOO_HOME/results, under a key of all they depend on.

    What was computed with other code, weights or settings stays there, and is not used.
    """


@results.command("list")
@click.option("--stale", is_flag=True, help="Only what no command would use any more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, stale: bool, as_json: bool) -> None:
    """List what is stored: results, and checkpoints of tasks that are not finished."""
    from mlpzoo.cli.listing import show
    from mlpzoo.registry import default_registry
    from mlpzoo.store import Store
    from mlpzoo.stored import entries

    store = Store()
    found = [entry for entry in entries(store, default_registry()) if entry.stale or not stale]
    show([_row(entry) for entry in found], as_json=as_json, wide=("benchmark", "state"))
    if not as_json:
        click.echo(f"{len(found)} entries, {_size(sum(e.size_bytes for e in found))} in {store.directory}")


@results.command()
@click.option("--older-than", type=float, default=0.0, metavar="DAYS", help="Only what is older.")
@click.option("--unfinished", is_flag=True, help="Also checkpoints that a command would go on from.")
@click.option("--all", "everything", is_flag=True, help="Also results that a command would use.")
@click.option("--dry-run", is_flag=True, help="Delete nothing; print what would go.")
def prune(older_than: float, *, unfinished: bool, everything: bool, dry_run: bool) -> None:
    """Delete what is stale: results and checkpoints that no command of this installation would use.

    What a running process is at is never deleted.
    """
    from mlpzoo.registry import default_registry
    from mlpzoo.store import Store
    from mlpzoo.stored import entries, remove

    if older_than < 0:
        raise UsageError(f"--older-than {older_than:g}", hint="give a number of days")
    count = freed = 0
    for entry in list(entries(Store(), default_registry())):
        wanted = entry.stale or everything or (unfinished and entry.kind == "unfinished")
        if not wanted or entry.age_s < older_than * _DAY_S:
            continue
        if not dry_run and not remove(entry):
            click.echo(f"in use: {entry.path.name}")
            continue
        click.echo(
            f"{'would remove' if dry_run else 'removed'} {entry.path.name}: {entry.stale or entry.kind}"
        )
        count, freed = count + 1, freed + entry.size_bytes
    total = f"{count} entries, {_size(freed)}"
    click.echo(f"{'would free' if dry_run else 'freed'}: {total}" if count else "nothing to remove")


def _row(entry: Stored) -> dict[str, Any]:
    what = entry.what
    state = entry.stale or ("not finished: the same command goes on" if entry.kind == "unfinished" else "")
    return {
        "model": what.model if what else "",
        "benchmark": f"{what.benchmark} v{what.version} · {what.case}" if what else entry.path.name,
        "profile": what.profile if what else "",
        "kind": what.status if what and entry.kind == "result" else entry.kind,
        "state": f"stale: {state}" if entry.stale else state,
        "size": _size(entry.size_bytes),
        "age": f"{entry.age_s / _DAY_S:.1f} days",
    }


def _size(size_bytes: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.2f} {unit}"
    return f"{size_bytes / 1e3:.1f} kB"
