"""`mlpzoo data events`: trajectories of other programs, shifted, wrapped, in any file that ASE reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from click.testing import CliRunner

from mlpzoo.cli.data_events import events as events_command
from mlpzoo.data.queue import Queue
from mlpzoo.data.trajectories import registration
from mlpzoo.errors import DataError, UsageError

A = 5.43
SHIFT = np.array([0.83, -1.1, 2.4])


def hop(n: int = 200, *, wrap: bool = False, noise: float = 0.05) -> tuple[list[Atoms], int]:
    """A vacancy's neighbour hops into it at frame 80 to 120, in a crystal that is shifted; and that atom."""
    host = bulk("Si", cubic=True, a=A).repeat(2)
    atoms = host.copy()
    del atoms[0]
    distances = np.linalg.norm(atoms.positions, axis=1)
    atom = int(np.argmin(distances))
    generator = np.random.default_rng(4)
    frames = []
    for step in range(n):
        frame = atoms.copy()
        frame.positions[atom] *= 1 - np.clip((step - 80) / 40, 0, 1)
        frame.positions += SHIFT + noise * generator.normal(size=frame.positions.shape)
        if wrap:
            frame.wrap()
        frames.append(frame)
    return frames, atom


@pytest.mark.parametrize(("name", "wrap"), [("md.traj", False), ("md.extxyz", True), ("XDATCAR", True)])
def test_a_hop_is_found_whatever_the_file_and_the_origin(tmp_path: Path, name: str, wrap: bool) -> None:
    frames, atom = hop(wrap=wrap)
    write(tmp_path / name, frames, **({"format": "vasp-xdatcar"} if name == "XDATCAR" else {}))
    arguments = [str(tmp_path / name), "--crystal", "si", "--frame-fs", "4", "--json"]
    result = CliRunner().invoke(events_command, arguments, catch_exceptions=False)
    (event,) = json.loads(result.stdout)
    assert event["atom"] == atom
    assert event["to"].startswith("lattice"), "numbers of sites depend on the origin"
    assert 0.3 < float(event["leaves (ps)"]) < 0.40
    assert 0.40 < float(event["arrives (ps)"]) < 0.50
    assert "1 events in 1 groups" in result.stderr


def test_frames_of_the_events_go_into_a_queue(tmp_path: Path) -> None:
    frames, atom = hop()
    write(tmp_path / "md.traj", frames)
    arguments = [str(tmp_path / "md.traj"), "--crystal", "si", "--frame-fs", "4", "--temperature", "900"]
    arguments += ["--sampler", "somebody's AIMD", "--out", str(tmp_path / "queue")]
    result = CliRunner().invoke(events_command, arguments, catch_exceptions=False)
    assert "kept 1 frames" in result.output
    (frame,) = Queue(tmp_path / "queue").frames()
    assert np.flatnonzero(frame.re_mask).tolist() == [atom]
    assert (frame.sampler, frame.temperature_kelvin) == ("somebody's AIMD", 900.0)
    index = round(frame.time_fs / 4)
    expected = frames[index].copy()
    np.testing.assert_allclose(
        frame.atoms().get_all_distances(mic=True), expected.get_all_distances(mic=True), atol=1e-6
    )


def test_the_shift_of_a_hot_crystal_is_found_to_a_hundredth(tmp_path: Path) -> None:
    frames, _ = hop(1, noise=0.15)
    sites = bulk("Si", cubic=True, a=A).repeat(2).positions
    found = registration(frames[0].positions, sites, np.full(3, 2 * A))
    modulo = (found - SHIFT) / (A / 2)  # a lattice vector of the crystal makes no difference
    off = (found - SHIFT) - np.round(modulo) * A / 2
    assert np.abs(off).max() < 0.15 * 3 / np.sqrt(63)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frames: frames[:1], "holds 1 frame"),
        (lambda frames: [frames[0], frames[1][:-1]], "frame 1 has other atoms"),
        (lambda frames: [frames[0], frames[1][::-1][1:]], "frame 1 has other atoms"),
        (lambda frames: [f[2:] for f in frames], "no cube of diamond cells"),
        (lambda frames: [_stretched(f, 1.1) for f in frames], "not cubic"),
        (lambda frames: [frames[0], _stretched(frames[1], 1.1)], "the cell of frame 1"),
        (lambda frames: [_molten(f) for f in frames], "off the sites"),
    ],
)
def test_what_cannot_be_analysed_is_an_error(tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "md.traj", spoil(hop(3)[0]))
    arguments = [str(tmp_path / "md.traj"), "--crystal", "si", "--frame-fs", "4"]
    with pytest.raises(DataError, match=message):
        CliRunner().invoke(events_command, arguments, catch_exceptions=False)


def test_wrong_files_and_crystals_are_told(tmp_path: Path) -> None:
    (tmp_path / "md.traj").write_text("not a trajectory")
    arguments = [str(tmp_path / "md.traj"), "--frame-fs", "4", "--crystal"]
    with pytest.raises(DataError, match="cannot be read"):
        CliRunner().invoke(events_command, [*arguments, "si"], catch_exceptions=False)
    with pytest.raises(UsageError, match="no crystal 'Si'"):
        CliRunner().invoke(events_command, [*arguments, "Si"], catch_exceptions=False)
    write(tmp_path / "md.traj", hop(3)[0])
    with pytest.raises(DataError, match="holds Si, the crystal is Cu"):
        CliRunner().invoke(events_command, [*arguments, "cu"], catch_exceptions=False)


def _stretched(atoms: Atoms, factor: float) -> Atoms:
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array * [[factor], [1], [1]], scale_atoms=True)
    return atoms


def _molten(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.positions = np.random.default_rng(0).uniform(0, 2 * A, atoms.positions.shape)
    return atoms
