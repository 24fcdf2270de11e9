"""``mlpzoo data label | engines``: reference energies and forces by DFT."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlpzoo.cli.listing import AS_JSON, show
from mlpzoo.errors import EnvError, UsageError
from mlpzoo.registry import default_registry

if TYPE_CHECKING:
    from mlpzoo.data.engines import ReferenceEngine


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--level", "levels", multiple=True, help="Levels of theory [default: each frame's own].")
@click.option("--frames", "pattern", default="*", metavar="GLOB", help="Only frames of such names.")
@click.option("--limit", type=int, help="Only the first so many frames.")
@click.option("--set", "pairs", multiple=True, metavar="ENGINE.OPTION=VALUE", help="espresso.command=pw.x")
@click.option("--retry", is_flag=True, help="Compute again what failed before.")
@click.option("--status", is_flag=True, help="Show what is done, and stop.")
def label(
    directory: Path,
    levels: tuple[str, ...],
    pattern: str,
    limit: int | None,
    pairs: tuple[str, ...],
    *,
    retry: bool,
    status: bool,
) -> None:
    """Compute reference energies and forces of sampled structures by DFT.

    Interrupted, the same command goes on. Start it as many times as there are cores: they share the work.
    'mlpzoo data engines' lists the programs and their levels of theory.

    \b
    mlpzoo data label QUEUE
    mlpzoo data label QUEUE --level abinit --limit 10    (a second program)
    mlpzoo data label QUEUE --frames '*-vacancy-*'
    mlpzoo data label QUEUE --set espresso.pseudo_dir=DIR
    """  # noqa: D301
    from mlpzoo.data.labelling import label_queue, levels_of
    from mlpzoo.data.queue import Queue

    known = levels_of(engines_with(pairs))
    queue = Queue(directory)
    chosen = [frame for frame in queue.frames() if fnmatch.fnmatch(frame.frame_id, pattern)][:limit]
    if not chosen:
        raise UsageError(
            f"{directory} holds no frame '{pattern}'", hint=f"mlpzoo data label {directory} --status"
        )
    if retry:
        click.echo(f"{queue.forget_failed()} failed labels will be computed again")
    if not status:
        for done in label_queue(queue, known, levels=levels, chosen=chosen):
            cost = f"{done.label.n_scf} cycles, {done.label.cpu_s:.0f} s CPU"
            text = cost if done.label.status == "converged" else f"failed: {done.label.message}"
            click.echo(f"[{done.n_done}/{done.n_frames}] {done.frame_id} {done.label.level}: {text}")
    names = {frame.frame_id for frame in chosen}
    rows = [row for row in queue.status(levels) if row.frame_id in names]
    if status:
        for row in rows:
            states = "  ".join(f"{name} {state:<9}" for name, state in row.levels.items())
            click.echo(f"{row.frame_id:<32} {states}  {row.owner}".rstrip())
    done_rows = [row for row in rows if all(state == "converged" for state in row.levels.values())]
    n_failed = sum("failed" in row.levels.values() for row in rows)
    n_busy = sum(bool(row.owner) for row in rows)
    click.echo(f"{len(done_rows)} of {len(rows)} frames labelled, {n_failed} failed, {n_busy} in work")


def engines_with(pairs: tuple[str, ...]) -> list[ReferenceEngine]:
    """All engines, with the options of ``--set``.

    Raises:
        UsageError: A pair that is not ENGINE.OPTION=VALUE, or an engine or option that does not exist.
    """
    registry = default_registry()
    options: dict[str, dict[str, str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        engine, dot, name = key.partition(".")
        if not (equals and dot and name and value):
            raise UsageError(f"'{pair}' is not ENGINE.OPTION=VALUE", hint="e.g. --set espresso.command=pw.x")
        options.setdefault(registry.engine(engine).item.name, {})[name] = value
    return [entry.item.configured(options.get(name, {})) for name, entry in registry.engines.items()]


@click.command()
@AS_JSON
def engines(*, as_json: bool) -> None:
    """List the DFT programs that label structures, their levels of theory, and what is missing."""
    rows = []
    for name, entry in default_registry().engines.items():
        levels = entry.item.levels()
        try:
            entry.item.check(levels)
            state = "ready"
        except EnvError as error:
            state = f"{error.message} ({error.hint})"
        rows += [
            {
                "engine": name,
                "level": level.level,
                "theory": level.level_of_theory,
                "what": level.title,
                "state": state,
                "plugin": entry.plugin.source,
            }
            for level in levels
        ]
    show(rows, as_json=as_json, wide=("what", "state"))


@click.command()
@click.argument("directory", metavar="QUEUE", type=click.Path(path_type=Path))
@click.option("--reference", required=True, help="The level to compare with.")
@click.option("--level", "names", multiple=True, help="The levels to compare [default: all that are there].")
@AS_JSON
def levels(directory: Path, reference: str, names: tuple[str, ...], *, as_json: bool) -> None:
    """Compare levels of theory on the same structures: what a label is worth.

    Force components of all atoms and of migrating atoms; energies per atom after their mean difference is
    removed, which depends on the pseudopotentials.
    """
    from mlpzoo.data.deviations import deviations
    from mlpzoo.data.queue import Queue

    queue = Queue(directory)
    known = names or tuple(level for level in queue.levels() if level != reference)
    show(
        [
            {
                "level": row.level,
                "against": row.reference,
                "frames": row.n_frames,
                "F RMSE (eV/Å)": _digits(row.force_rmse_ev_per_ang, 4),
                "RE atoms (eV/Å)": _digits(row.force_rmse_re_ev_per_ang, 4),
                "E RMSE (meV/atom)": _digits(row.energy_rmse_mev_per_atom, 2),
                "stress RMSE (GPa)": _digits(row.stress_rmse_gpa, 3),
            }
            for row in deviations(queue, reference, known)
        ],
        as_json=as_json,
    )


def _digits(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
