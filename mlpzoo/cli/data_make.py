"""``mlpzoo data sample | label | build``: a rare-event data set of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("--model", required=True, help="Any model name: mace, nequip/si-small, mace:FILE.")
@click.option("--system", required=True, help="si-vacancy or si-interstitial.")
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
    system: str,
    temperature: float,
    time_ps: float,
    seed: int,
    max_frames: int,
    device: str,
    out: Path,
) -> None:
    """Run MD with a model and keep snapshots in which atoms migrate.

    The model decides the structures only; their energies and forces come from 'mlpzoo data label'.
    """
    from mlpzoo.api import load
    from mlpzoo.data import sampling
    from mlpzoo.data.queue import Queue

    sampling.defect_cell(system)  # a wrong name stops here, before anything slow
    queue = Queue(out)
    queue.check_new_run(sampling.run_name(system, seed))
    calculator = load(model, device=device)
    with click.progressbar(length=1000, label=f"MD of {system}", file=sys.stderr) as bar:
        done = sampling.sample(
            system,
            calculator,
            sampler=model,
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


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--pw-command", default="pw.x", show_default=True, help="The Quantum ESPRESSO program.")
@click.option(
    "--pseudo-dir",
    default="/usr/share/espresso/pseudo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the pseudopotentials.",
)
@click.option("--status", is_flag=True, help="Show what is done, and stop.")
def label(directory: Path, pw_command: str, pseudo_dir: Path, *, status: bool) -> None:
    """Compute reference energies and forces of sampled snapshots by DFT.

    Interrupted, the same command goes on. Start it as many times as there are cores: they share the work.
    """
    from mlpzoo.data.labelling import SILICON_LEVELS, PwEngine, label_queue
    from mlpzoo.data.queue import Queue

    queue = Queue(directory)
    names = [level.level for level in SILICON_LEVELS]
    if not status:
        for done in label_queue(queue, PwEngine(command=pw_command, pseudo_dir=pseudo_dir)):
            cost = f"{done.label.n_scf} cycles, {done.label.cpu_s:.0f} s CPU"
            text = cost if done.label.status == "converged" else f"failed: {done.label.message}"
            click.echo(f"[{done.n_done}/{done.n_frames}] {done.frame_id} {done.label.level}: {text}")
    rows = queue.status(names)
    if status:
        for row in rows:
            states = "  ".join(f"{name} {state:<9}" for name, state in row.levels.items())
            click.echo(f"{row.frame_id:<32} {states}  {row.owner}".rstrip())
    done_rows = [row for row in rows if all(state == "converged" for state in row.levels.values())]
    n_failed = sum("failed" in row.levels.values() for row in rows)
    n_busy = sum(bool(row.owner) for row in rows)
    click.echo(f"{len(done_rows)} of {len(rows)} frames labelled, {n_failed} failed, {n_busy} in work")


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the data set.")
@click.option("--name", required=True, help="Its name; also the system, unless --system says otherwise.")
@click.option("--system", default="", help="Whose frames: si-vacancy or si-interstitial.")
@click.option(
    "--kind",
    type=click.Choice(["re-forces", "path-forces"]),
    default="re-forces",
    show_default=True,
    help="Snapshots with migrating atoms, or the images of a fixed path.",
)
@click.option("--overwrite", is_flag=True, help="Replace the data set that is there.")
def build(directory: Path, out: Path, name: str, system: str, kind: str, *, overwrite: bool) -> None:
    """Assemble the labelled snapshots into a data set that benchmarks can use.

    Takes what is labelled at all levels; failed and open snapshots are left out and counted.
    """
    from mlpzoo.data.build import build_dataset, select
    from mlpzoo.data.queue import Queue

    queue = Queue(directory)
    selection = select(queue, system or name)
    dataset = build_dataset(queue, out, system=system or name, name=name, kind=kind, overwrite=overwrite)
    left = f"{len(selection.failed)} failed, {len(selection.waiting)} not labelled yet"
    click.echo(f"{out}: {len(dataset)} frames ({left}); check: mlpzoo data verify {out}")
