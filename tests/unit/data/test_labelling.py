"""The labelling queue, with a `pw.x` that answers with recorded outputs (two silicon atoms, QE 6.7)."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from mlpzoo.cli.data_label import label as label_command
from mlpzoo.cli.data_make import build as build_command
from mlpzoo.data.build import build_dataset
from mlpzoo.data.dataset import load_dataset
from mlpzoo.data.espresso import parse_output
from mlpzoo.data.espresso_engine import GAMMA, K222, PwEngine
from mlpzoo.data.labelling import label_queue, levels_of
from mlpzoo.data.queue import Queue, QueuedFrame, Run
from mlpzoo.errors import CalculationError, DataError, EnvError, UsageError

RECORDED = Path(__file__).parents[2] / "fixtures" / "espresso"
RY_PER_BOHR = 13.605693122994 / 0.529177210903  # eV/Å, CODATA 2018
CELL = (2.7345 * (1 - np.eye(3))).tolist()
POSITIONS = [[0.0812172682, -0.0305878207, -0.0264085876], [1.3136015689, 1.4105203815, 1.2521730652]]


def queued(number: int, system: str = "si-vacancy", seed: int = 1) -> QueuedFrame:
    """A frame of two atoms, the first of them a rare-event atom."""
    vector = np.subtract(POSITIONS[1], POSITIONS[0])
    images = vector - np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3) @ np.array(CELL)
    return QueuedFrame(
        frame_id=f"{system}-s{seed}-f{number:06d}",
        system=system,
        run=f"{system}-s{seed}",
        order=number,
        symbols=["Si", "Si"],
        cell_ang=CELL,
        positions_ang=(np.array(POSITIONS) + 0.01 * number).tolist(),  # no frame twice
        re_mask=[True, False],
        r_ang=[0.0, float(np.linalg.norm(images, axis=1).min())],
        sampler="toy",
        time_fs=4.0 * number,
        temperature_kelvin=1230.0,
    )


def run_of(system: str = "si-vacancy", seed: int = 1) -> Run:
    """Its record."""
    return Run(
        run=f"{system}-s{seed}",
        system=system,
        sampler="toy",
        settings={"seed": seed},
        counts={"events": 2.0},
        date="2026-11-23",
    )


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """Two vacancy frames and one interstitial frame, unlabelled."""
    queue = Queue(tmp_path / "queue")
    queue.add_run(run_of(), [queued(0), queued(1)])
    queue.add_run(run_of("si-interstitial"), [queued(0, "si-interstitial")])
    return queue


@pytest.fixture
def engine(tmp_path: Path) -> PwEngine:
    """Answers with the recording of the level whose input it is given; the file `broken` makes it fail."""
    pseudo = tmp_path / "pseudo"
    pseudo.mkdir()
    (pseudo / "Si.pbe-rrkj.UPF").write_text("not read by the recorded program")
    program = tmp_path / "pw.x"
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"here, recorded = pathlib.Path({str(tmp_path)!r}), pathlib.Path({str(RECORDED)!r})\n"
        "level = sys.argv[2].removesuffix('.in')\n"
        "text = (recorded / f'si2-{level}.out').read_text()\n"
        "if (here / 'broken').exists():\n"
        "    text = text.replace('convergence has been achieved', 'convergence NOT achieved')\n"
        "print(text)\n"
        "pathlib.Path('pw.save').mkdir(exist_ok=True)\n"
        "(pathlib.Path('pw.save') / 'charge-density.dat').touch()\n"
        "with (here / 'calls').open('a') as file:\n"
        "    restart = \"'file'\" in pathlib.Path(sys.argv[2]).read_text()\n"
        "    file.write(f'{level} {restart}\\n')\n"
    )
    program.chmod(0o755)
    return PwEngine(command=str(program), pseudo_dir=pseudo)


def test_output_is_read_in_electronvolt_and_angstrom() -> None:
    parsed = parse_output(RECORDED / "si2-k222.out", 2)
    assert parsed.energy_ev == pytest.approx(-15.69690164 * 13.605693122994, rel=1e-6)
    expected = np.array([-0.05630169, 0.03879335, -0.02628999]) * RY_PER_BOHR
    np.testing.assert_allclose(parsed.forces_ev_per_ang, [expected, -expected], rtol=1e-6)
    assert parsed.code == "Quantum ESPRESSO 6.7"
    assert (parsed.n_scf, parsed.cpu_s) == (5, 0.11)


@pytest.mark.parametrize("cut", ["JOB DONE", "convergence has been achieved"])
def test_unfinished_output_is_refused(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "pw.out"
    path.write_text((RECORDED / "si2-gamma.out").read_text().replace(cut, "..."))
    with pytest.raises(CalculationError, match="did not converge or finish"):
        parse_output(path, 2)


def test_wrong_number_of_atoms_is_refused() -> None:
    with pytest.raises(CalculationError, match="shape"):
        parse_output(RECORDED / "si2-gamma.out", 3)


def test_all_frames_get_both_labels_and_systems_take_turns(
    queue: Queue, engine: PwEngine, tmp_path: Path
) -> None:
    done = list(label_queue(queue, levels_of([engine])))
    assert [d.frame_id for d in done[::2]] == [
        "si-interstitial-s1-f000000",
        "si-vacancy-s1-f000000",
        "si-vacancy-s1-f000001",
    ]
    assert [d.label.level for d in done] == ["gamma", "k222"] * 3
    assert done[-1].n_done == done[-1].n_frames == 3
    assert (tmp_path / "calls").read_text() == "gamma False\nk222 True\n" * 3
    assert not list(queue.directory.glob("frames/*/work-*"))
    assert not list(queue.directory.glob("frames/*/lease.json"))
    assert len(done[0].label.pseudopotentials["Si"]["sha256"]) == 64


def test_interrupted_work_goes_on_where_it_was(queue: Queue, engine: PwEngine, tmp_path: Path) -> None:
    worker = label_queue(queue, levels_of([engine]))
    next(worker)
    worker.close()  # what Ctrl-C does: the lease is given back, the finished level is kept
    assert len(list(label_queue(queue, levels_of([engine])))) == 5
    assert list(label_queue(queue, levels_of([engine]))) == []
    assert (tmp_path / "calls").read_text().count("gamma") == 3


def test_two_processes_never_take_the_same_frame(queue: Queue, engine: PwEngine) -> None:
    first, second = label_queue(queue, levels_of([engine])), label_queue(queue, levels_of([engine]))
    seen = [next(first).frame_id, next(second).frame_id]
    assert seen[0] != seen[1]
    assert not queue.lease(seen[0])
    rest = [*first, *second]
    assert len(rest) + 2 == 6
    assert len({(d.frame_id, d.label.level) for d in rest}) == 4


def test_lease_of_a_dead_process_is_taken_over(queue: Queue, engine: PwEngine) -> None:
    frame_id = queue.frames()[0].frame_id
    assert queue.lease(frame_id)
    lease = queue.frame_dir(frame_id) / "lease.json"
    owner = json.loads(lease.read_text())
    assert owner["pid"] == os.getpid()
    assert not queue.lease(frame_id)
    lease.write_text(json.dumps(owner | {"pid": 2**22 - 1}))  # above every Linux pid in use
    assert len(list(label_queue(queue, levels_of([engine])))) == 6


def test_not_converged_is_stored_as_failed_and_left_out(
    queue: Queue, engine: PwEngine, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    worker = label_queue(queue, levels_of([engine]))
    failed = next(worker)
    assert failed.label.status == "failed"
    assert "did not converge" in failed.label.message
    (tmp_path / "broken").unlink()
    list(worker)
    with pytest.raises(DataError, match="no frame of 'si-interstitial' has its labels"):
        build_dataset(queue, tmp_path / "set", system="si-interstitial")
    dataset = build_dataset(queue, tmp_path / "set", system="si-vacancy")
    assert len(dataset) == 2


def test_data_set_holds_both_levels_and_says_where_they_come_from(
    queue: Queue, engine: PwEngine, tmp_path: Path
) -> None:
    worker = label_queue(queue, levels_of([engine]))
    for _ in range(5):  # interstitial, first vacancy frame, and half of the second
        next(worker)
    build_dataset(queue, tmp_path / "set", system="si-vacancy")
    worker.close()
    dataset = load_dataset(tmp_path / "set")
    spec = dataset.spec
    assert (spec.name, spec.system, spec.kind, spec.elements) == ("si-vacancy", "si", "re-forces", ("Si",))
    assert (spec.reference.level, spec.noise_floor[0].level) == ("k222", "gamma")
    assert spec.reference.settings["kmesh"] == [2, 2, 2]
    assert spec.reference.pseudopotentials["Si"].file == "Si.pbe-rrkj.UPF"
    assert spec.provenance["unlabelled_frames"] == 1
    assert spec.provenance["runs"][0]["sampler"] == "toy"
    np.testing.assert_allclose(
        dataset.forces[0], parse_output(RECORDED / "si2-k222.out", 2).forces_ev_per_ang
    )
    gamma = parse_output(RECORDED / "si2-gamma.out", 2)
    np.testing.assert_allclose(dataset.levels["gamma"].forces[0], gamma.forces_ev_per_ang)
    assert dataset.re_mask is not None
    assert dataset.re_mask[0].tolist() == [True, False]
    assert str(tmp_path) not in (tmp_path / "set" / "dataset.toml").read_text()


def test_labels_of_different_settings_do_not_mix(queue: Queue, engine: PwEngine, tmp_path: Path) -> None:
    list(label_queue(queue, levels_of([engine])))
    path = queue.frame_dir("si-vacancy-s1-f000001") / "k222.json"
    label = json.loads(path.read_text())
    label["settings"]["ecutwfc_ry"] = 30.0
    path.write_text(json.dumps(label))
    with pytest.raises(DataError, match="different programs or settings"):
        build_dataset(queue, tmp_path / "set", system="si-vacancy")


def test_missing_program_and_pseudopotential_say_what_to_install(queue: Queue, engine: PwEngine) -> None:
    with pytest.raises(EnvError, match="no-such-pw") as program:
        next(label_queue(queue, levels_of([PwEngine(command="no-such-pw")])))
    assert "apt-get install quantum-espresso" in program.value.hint
    (engine.pseudo_dir / "Si.pbe-rrkj.UPF").unlink()
    with pytest.raises(EnvError, match=r"Si\.pbe-rrkj\.UPF"):
        next(label_queue(queue, levels_of([engine])))


def test_a_run_is_not_sampled_twice_and_damage_is_named(queue: Queue) -> None:
    with pytest.raises(DataError, match="sampled before"):
        queue.add_run(run_of(), [])
    path = queue.frame_dir("si-vacancy-s1-f000001") / "frame.json"
    path.write_text("{")
    with pytest.raises(DataError, match="damaged"):
        queue.frames()
    with pytest.raises(DataError, match="no sampled frames"):
        Queue(queue.directory / "elsewhere").frames()


def test_labels_never_come_to_belong_to_another_structure(queue: Queue, engine: PwEngine) -> None:
    """As when a plan is carried out again on another machine, where trajectories part."""
    frame = queued(0)
    moved = replace(frame, positions_ang=(np.array(frame.positions_ang) + 0.01).tolist())
    queue.add_frame(moved)  # nothing is labelled yet
    queue.add_frame(frame)
    list(label_queue(queue, levels_of([engine])))
    queue.add_frame(frame)
    with pytest.raises(DataError, match="holds labels of another structure"):
        queue.add_frame(moved)


def test_records_survive_the_way_through_json(queue: Queue) -> None:
    frame = queued(7)
    assert msgspec.json.decode(msgspec.json.encode(frame), type=QueuedFrame) == frame
    assert queue.frames()[0].atoms().pbc.all()
    assert frame.levels == (GAMMA.level, K222.level)


def test_commands_label_show_and_build(queue: Queue, engine: PwEngine, tmp_path: Path) -> None:
    runner = CliRunner()
    options = (f"espresso.command={engine.command}", f"espresso.pseudo_dir={engine.pseudo_dir}")
    arguments = [str(queue.directory), *(word for option in options for word in ("--set", option))]
    result = runner.invoke(label_command, arguments, catch_exceptions=False)
    assert "3 of 3 frames labelled, 0 failed, 0 in work" in result.output
    result = runner.invoke(label_command, [str(queue.directory), "--status"], catch_exceptions=False)
    assert "si-vacancy-s1-f000001" in result.output
    result = runner.invoke(label_command, [*arguments, "--frames", "*-f000001", "--status"])
    assert "1 of 1 frames labelled" in result.output
    with pytest.raises(UsageError, match="no frame 'x'"):
        runner.invoke(label_command, [*arguments, "--frames", "x"], catch_exceptions=False)
    out = tmp_path / "set"
    result = runner.invoke(
        build_command,
        [str(queue.directory), "--out", str(out), "--name", "si-vacancy"],
        catch_exceptions=False,
    )
    assert f"{out}: 2 frames (frames.extxyz 2; 0 failed, 0 not labelled yet)" in result.output
