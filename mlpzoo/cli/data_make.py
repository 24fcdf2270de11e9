"""``mlpzoo data sample | label | build``: a rare-event data set of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("--model", default="", help="Any model name: mace, nequip/si-small, mace:FILE.")
@click.option("--plan", type=click.Path(path_type=Path), help="A sampling.toml: what a set is made of.")
@click.option("--only", multiple=True, help="With --plan: only the samples of these names.")
@click.option("--system", default="", help="Without --plan: si-vacancy or si-interstitial.")
@click.option("--temperature", default=1230.0, show_default=True, help="Of the thermostat, in K.")
@click.option("--time-ps", default=20.0, show_default=True, help="Length of the trajectory.")
@click.option("--seed", default=1, show_default=True, help="Of velocities, thermostat and choice of frames.")
@click.option("--max-frames", default=7, show_default=True, help="At most so many, one of each event.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder; several runs may share it."
)
def sample(
    model: str,
    plan: Path | None,
    only: tuple[str, ...],
    system: str,
    temperature: float,
    time_ps: float,
    seed: int,
    max_frames: int,
    device: str,
    out: Path,
) -> None:
    """Make structures that are worth labelling, with a model that decides where they are.

    With --plan, everything that a training set is made of: strained and rattled cells, MD of the crystal
    and of its defects, hops, melts. Samples that are in OUT already are left alone; interrupted, the same
    command goes on. Without, MD of one system: one snapshot of each migration event.

    The model decides the structures only; their energies and forces come from 'mlpzoo data label'.

    \b
    mlpzoo data sample --plan sampling.toml --model mace --out QUEUE
    mlpzoo data sample --system si-vacancy --model mace --out QUEUE
    """  # noqa: D301
    from mlpzoo.errors import UsageError

    if bool(plan) == bool(system):
        raise UsageError("give either --plan or --system", hint="see 'mlpzoo data sample --help'")
    if plan is not None:
        _sample_plan(plan, only, model, device, out)
        return
    if not model:
        raise UsageError("MD needs a model", hint="--model mace")
    from mlpzoo.api import load
    from mlpzoo.data import sampling
    from mlpzoo.data.defect_cells import defect_cell
    from mlpzoo.data.queue import Queue

    cell = defect_cell(system)  # a wrong name stops here, before anything slow
    queue = Queue(out)
    name = sampling.run_name(system, seed)
    queue.check_new_run(name)
    calculator = load(model, device=device)
    with click.progressbar(length=1000, label=f"MD of {system}", file=sys.stderr) as bar:
        done = sampling.sample(
            cell,
            calculator,
            name=name,
            sampler=_sampler(model),
            temperature_kelvin=temperature,
            time_ps=time_ps,
            seed=seed,
            max_frames=max_frames,
            progress=lambda fraction: bar.update(int(1000 * fraction) - bar.pos),
        )
    queue.add_run(done.run, done.frames)
    share = 100 * done.run.counts["frames_with_rare_event"]
    click.echo(f"{len(done.events.events)} events; {share:.0f} % of the frames hold a migrating atom")
    click.echo(f"kept {len(done.frames)} frames in {out}; next: mlpzoo data label {out}")


def _sample_plan(path: Path, only: tuple[str, ...], model: str, device: str, out: Path) -> None:
    """Carry out a plan, one sample after the other."""
    from functools import cache

    from mlpzoo.api import load
    from mlpzoo.data.crystal import find_crystal
    from mlpzoo.data.plan import NEEDS_MODEL, read_plan
    from mlpzoo.data.queue import Queue
    from mlpzoo.data.sample_plan import run_name, run_sample
    from mlpzoo.errors import UsageError
    from mlpzoo.registry import default_registry

    plan = read_plan(path)
    names = [one.name for one in plan.samples]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise UsageError(f"the plan has no sample '{unknown[0]}'", hint=f"it has {', '.join(names)}")
    manifest = find_crystal(plan.crystal, [entry.item for entry in default_registry().datasets.values()])
    wanted = [one for one in plan.samples if not only or one.name in only]
    queue = Queue(out)
    left = [one for one in wanted if not queue.has_run(run_name(plan, one))]
    if not model and any(one.method in NEEDS_MODEL for one in left):
        raise UsageError(f"{path} holds samples that need a model", hint="--model mace")
    calculator = cache(lambda: load(model, device=device))
    sampler = _sampler(model) if model else "none"
    for one in wanted:
        if one not in left:
            click.echo(f"{one.name}: sampled before")
            continue
        with click.progressbar(length=1000, label=one.name, file=sys.stderr) as bar:
            count = run_sample(
                plan,
                one,
                manifest,
                calculator,
                queue,
                sampler=sampler,
                progress=lambda done, total, _, bar=bar: bar.update(1000 * done // max(total, 1) - bar.pos),  # type: ignore[misc]
            )
        click.echo(f"{one.name}: {count} frames")
    click.echo(f"next: mlpzoo data label {out}")


def _sampler(model: str) -> str:
    """A model's name and the hash of its weights, for the provenance; of the user's own file no directory."""
    from mlpzoo.hashing import file_sha256
    from mlpzoo.registry import default_registry

    spec = default_registry().resolve(model)
    name = f"{spec.family}:{Path(spec.path or '').name}" if ":" in spec.name else spec.name
    return f"{name}, sha256 {file_sha256(Path(spec.path))}" if spec.path else name


@click.command()
@click.argument("directory", metavar="QUEUE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the data set.")
@click.option("--name", required=True, help="Its name; also the system, unless --system says otherwise.")
@click.option("--system", default="", help="Whose frames: si-vacancy, si-training, ...")
@click.option(
    "--kind",
    type=click.Choice(["re-forces", "training", "path-forces"]),
    default="re-forces",
    show_default=True,
    help="Snapshots with migrating atoms, structures to train on, or the images of a fixed path.",
)
@click.option("--overwrite", is_flag=True, help="Replace the data set that is there.")
def build(directory: Path, out: Path, name: str, system: str, kind: str, *, overwrite: bool) -> None:
    """Assemble labelled structures into a data set that benchmarks and 'mlpzoo train' can use.

    Takes what is labelled at all levels; failed and open structures are left out and counted.
    """
    from mlpzoo.data.build import build_dataset, select
    from mlpzoo.data.queue import Queue

    queue = Queue(directory)
    selection = select(queue, system or name)
    dataset = build_dataset(queue, out, system=system or name, name=name, kind=kind, overwrite=overwrite)
    left = f"{len(selection.failed)} failed, {len(selection.waiting)} not labelled yet"
    files = ", ".join(f"{path} {len(indices)}" for path, indices in dataset.files.items())
    click.echo(f"{out}: {len(dataset)} frames ({files}; {left}); check: mlpzoo data verify {out}")


@click.command()
@click.argument("dataset")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The queue's folder.")
@click.option("--level", "levels", multiple=True, help="Levels to label them at [default: the set's own].")
@click.option("--limit", type=int, help="Only the first so many frames.")
def adopt(dataset: str, out: Path, levels: tuple[str, ...], limit: int | None) -> None:
    """Put a data set's structures and labels into a labelling queue: to extend it, or for another level.

    \b
    mlpzoo data adopt si-vacancy --out QUEUE              (to extend it)
    mlpzoo data adopt liu2023-si-vacancy --out QUEUE --level k222 --limit 10
    mlpzoo data label QUEUE                       (then: how far is it from
    mlpzoo data levels QUEUE --reference K2        the paper's own DFT?)
    """  # noqa: D301
    from mlpzoo.cli.data_fetch import find_directory
    from mlpzoo.data.adopt import adopt as run
    from mlpzoo.data.dataset import load_dataset
    from mlpzoo.data.queue import Queue

    new = run(load_dataset(find_directory(dataset)), Queue(out), levels=levels, limit=limit)
    click.echo(f"{len(new)} new frames in {out}; next: mlpzoo data label {out}")
