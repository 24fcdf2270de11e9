"""Sampling: defect cells, choice of frames, and a whole run on a toy crystal."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from click.testing import CliRunner

from mlpzoo.cli.data_make import sample as sample_command
from mlpzoo.data.defect_cells import DefectCell, defect_cell
from mlpzoo.data.queue import Queue
from mlpzoo.data.sampling import choose_frames, from_trajectory, sample
from mlpzoo.errors import DataError, UsageError
from mlpzoo.physics.events import EventAnalysis, MigrationEvent, find_events


class Springs(Calculator):
    """Each atom on a spring to where it was first seen."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (as ASE has it)
    home: np.ndarray | None = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        """20 eV/Å² springs: the amplitude at 1230 K is 0.07 Å in each direction."""
        super().calculate(atoms, properties, system_changes)
        if self.home is None:
            self.home = atoms.get_positions()
        displacement = atoms.get_positions() - self.home
        self.results = {"energy": 10.0 * float((displacement**2).sum()), "forces": -20.0 * displacement}


def analysis(*windows: tuple[int, int, int], n_frames: int = 5000) -> EventAnalysis:
    """Events (atom, start, end)."""
    events = tuple(
        MigrationEvent(atom=atom, site_from=0, site_to=1, start_frame=start, end_frame=end)
        for atom, start, end in windows
    )
    return EventAnalysis(events=events, n_frames=n_frames, n_atoms=63, frame_fs=4.0, residence_fs=100.0)


@pytest.mark.parametrize(
    ("system", "n_atoms", "n_sites"), [("si-vacancy", 63, 64), ("si-interstitial", 65, 256)]
)
def test_defect_cells_have_one_atom_less_or_more(system: str, n_atoms: int, n_sites: int) -> None:
    cell = defect_cell(system)
    assert len(cell.atoms) == n_atoms
    assert len(cell.sites.positions_ang) == n_sites
    assert cell.sites.neighbour_distance_ang == pytest.approx(np.sqrt(3) / 4 * 5.469)


def test_unknown_system_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as error:
        defect_cell("ge-vacancy")
    assert "si-vacancy" in error.value.hint


def test_one_frame_of_each_group_inside_its_window() -> None:
    found = analysis((1, 100, 140), (2, 130, 180), (3, 400, 402), (4, 900, 960))
    chosen = np.sort(choose_frames(found, max_frames=10, seed=0))
    assert len(chosen) == 3
    assert 100 < chosen[0] < 180
    assert chosen[1] == 401
    assert 900 < chosen[2] < 960
    assert found.mask(chosen).any(axis=1).all()


def test_chosen_frames_keep_their_distance_and_their_seed() -> None:
    found = analysis(*[(k, 60 * k, 60 * k + 40) for k in range(80)])
    chosen = choose_frames(found, max_frames=12, seed=3)
    assert len(chosen) == 12
    assert np.diff(np.sort(chosen)).min() >= 200 / 4.0
    np.testing.assert_array_equal(chosen, choose_frames(found, max_frames=12, seed=3))
    assert set(chosen) != set(choose_frames(found, max_frames=12, seed=4))


def test_frames_of_a_trajectory_carry_mask_and_distances() -> None:
    cell = defect_cell("si-vacancy")
    positions = np.repeat(cell.atoms.get_positions()[None], 400, axis=0)
    vacancy = cell.sites.positions_ang[0]
    steps = positions[0] - vacancy
    steps -= np.rint(steps @ np.linalg.inv(cell.sites.cell_ang)) @ cell.sites.cell_ang
    atom = int(np.argmin(np.linalg.norm(steps, axis=1)))
    fraction = np.clip((np.arange(400) - 150 + 0.5) / 40, 0, 1)
    positions[:, atom] -= fraction[:, None] * steps[atom]
    drifting = positions + 30.0 * np.array([1.0, 0.0, 0.0]) * np.arange(400)[:, None, None] / 400
    run = from_trajectory(
        cell,
        drifting,
        find_events(drifting, cell.sites, frame_fs=4.0),
        name="si-vacancy-s5",
        how={},
        sampler="hand-made",
        temperature_kelvin=1230.0,
        mean_temperature_kelvin=1229.0,
        seed=5,
        max_frames=3,
    )
    (frame,) = run.frames
    assert np.flatnonzero(frame.re_mask).tolist() == [atom]
    assert frame.r_ang[atom] == 0.0
    assert 150 + 9 < frame.time_fs / 4.0 < 150 + 30
    assert frame.frame_id == f"si-vacancy-s5-f{int(frame.time_fs / 4):06d}"
    scaled = frame.atoms().get_scaled_positions(wrap=False)
    assert -1e-9 <= scaled.min() <= scaled.max() < 1 + 1e-9
    assert run.run.counts["events"] == 1


def test_a_run_without_event_is_an_error_that_says_what_to_try() -> None:
    seen: list[float] = []
    with pytest.raises(DataError, match=r"no migration event in 0\.1 ps") as error:
        sample(
            defect_cell("si-vacancy"),
            Springs(),
            name="si-vacancy-s1",
            sampler="springs",
            temperature_kelvin=1230.0,
            time_ps=0.1,
            seed=1,
            max_frames=5,
            progress=seen.append,
        )
    assert "--time-ps" in error.value.hint
    assert seen[0] == 0.0
    assert seen[-1] == 1.0


def test_command_stores_the_run(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def hand_made(cell: DefectCell, calculator: object, **settings: object) -> object:
        del calculator
        settings.pop("progress")
        settings.pop("time_ps")
        positions = np.repeat(cell.atoms.get_positions()[None], 200, axis=0)
        target = cell.sites.positions_ang[0]
        steps = positions[0] - target
        steps -= np.rint(steps @ np.linalg.inv(cell.sites.cell_ang)) @ cell.sites.cell_ang
        atom = int(np.argmin(np.linalg.norm(steps, axis=1)))
        positions[:, atom] -= np.clip((np.arange(200)[:, None] - 80) / 40, 0, 1) * steps[atom]
        found = find_events(positions, cell.sites, frame_fs=4.0)
        return from_trajectory(cell, positions, found, mean_temperature_kelvin=1230.0, how={}, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("mlpzoo.api.load", lambda *_, **__: Springs())
    monkeypatch.setattr("mlpzoo.data.sampling.sample", hand_made)
    arguments = ["--model", "lj/ar", "--system", "si-vacancy", "--out", str(tmp_path / "queue")]
    result = CliRunner().invoke(sample_command, arguments, catch_exceptions=False)
    assert "1 events; " in result.output
    assert f"next: mlpzoo data label {tmp_path / 'queue'}" in result.output
    (frame,) = Queue(tmp_path / "queue").frames()
    assert frame.sampler == "lj/ar"
    with pytest.raises(DataError, match="sampled before"):
        CliRunner().invoke(sample_command, arguments, catch_exceptions=False)
