"""``mlpzoo data events``: migration events in a trajectory of any program."""

from __future__ import annotations

from pathlib import Path

import click

from mlpzoo.cli.listing import AS_JSON, show


@click.command()
@click.argument("trajectory", type=click.Path(path_type=Path))
@click.option("--crystal", required=True, help="Whose crystal it is: si, cu, ... (see 'mlpzoo data list').")
@click.option("--frame-fs", type=float, required=True, help="Time between two frames, in fs.")
@click.option("--temperature", type=float, default=0.0, help="Of the run, in K; for the record.")
@click.option("--sampler", default="", help="What made the trajectory; for the record.")
@click.option("--out", type=click.Path(path_type=Path), help="Put one frame of each event into this queue.")
@click.option("--max-frames", default=10, show_default=True, help="At most so many, with --out.")
@click.option("--seed", default=1, show_default=True, help="Of the choice of frames, with --out.")
@AS_JSON
def events(
    trajectory: Path,
    crystal: str,
    frame_fs: float,
    temperature: float,
    sampler: str,
    out: Path | None,
    max_frames: int,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Find the migration events of a trajectory, and the atoms that migrate.

    Any file that ASE reads, of a cubic supercell with one vacancy or interstitial at constant volume; the
    crystal may be shifted, the atoms wrapped or not. With --out, snapshots of the events go into a labelling
    queue.

    \b
    mlpzoo data events XDATCAR --crystal si --frame-fs 2
    mlpzoo data events md.traj --crystal si --frame-fs 4 --out QUEUE
    """  # noqa: D301
    import numpy as np

    from mlpzoo.data.crystal import find_crystal
    from mlpzoo.data.queue import Queue
    from mlpzoo.data.sampling import from_trajectory
    from mlpzoo.data.trajectories import read_trajectory, registered_cell
    from mlpzoo.physics.events import find_events
    from mlpzoo.registry import default_registry

    manifest = find_crystal(crystal, [entry.item for entry in default_registry().datasets.values()])
    frames = read_trajectory(trajectory)
    cell = registered_cell(frames[0], manifest, system=f"{crystal}-{trajectory.stem.lower()}")
    positions = np.array([frame.positions for frame in frames]) - cell.shift_ang
    found = find_events(positions, cell.sites, frame_fs=frame_fs)
    kinds = cell.sites.kinds
    rows = [
        {
            "atom": event.atom,
            "from": f"{kinds[event.site_from]} {event.site_from}",
            "to": f"{kinds[event.site_to]} {event.site_to}",
            "leaves (ps)": f"{event.start_frame * frame_fs / 1e3:.3f}",
            "arrives (ps)": f"{event.end_frame * frame_fs / 1e3:.3f}",
        }
        for event in found.events
    ]
    if rows or as_json:
        show(rows, as_json=as_json)
    share = 100 * float(found.mask(np.arange(found.n_frames)).any(axis=1).mean())
    time_ps = (found.n_frames - 1) * frame_fs / 1e3
    click.echo(
        f"{len(found.events)} events in {len(found.concerted())} groups, {time_ps:g} ps; "
        f"{share:.0f} % of the frames hold a migrating atom",
        err=as_json,
    )
    if out is None:
        return
    run = from_trajectory(
        cell,
        positions,
        found,
        name=f"{cell.system}-s{seed}",
        sampler=sampler or trajectory.name,
        temperature_kelvin=temperature,
        mean_temperature_kelvin=temperature,
        seed=seed,
        max_frames=max_frames,
        how={"trajectory": trajectory.name, "frame_fs": frame_fs, "temperature_kelvin": temperature},
    )
    Queue(out).add_run(run.run, run.frames)
    click.echo(f"kept {len(run.frames)} frames in {out}; next: mlpzoo data label {out}", err=as_json)
