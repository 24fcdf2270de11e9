"""Sampling plans: what they make, that they make it once, and that the most different structures are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from click.testing import CliRunner

from mlpzoo.cli.data_make import sample as sample_command
from mlpzoo.data.crystal import find_crystal
from mlpzoo.data.location import embedded_root
from mlpzoo.data.plan import Sample, SamplingPlan, read_plan
from mlpzoo.data.queue import Queue
from mlpzoo.data.sample_plan import run_sample
from mlpzoo.data.selecting import farthest, soap
from mlpzoo.data.structures import along_a_hop, defective, strained, too_close
from mlpzoo.errors import DataError, UsageError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.registry import default_registry

SILICON = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.469)
COPPER = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.59)
PLAN = """
schema = "mlpzoo.sampling/1"
system = "cu-training"
crystal = "cu"
lattice_constant_ang = 3.59
levels = ["emt"]

[[sample]]
name = "strain"
method = "strain"
repeat = [1, 1, 1]
count = 6
max_strain = 0.05
rattle_ang = 0.1

[[sample]]
name = "md"
method = "md"
defect = "vacancy"
file = "validation"
repeat = [2, 2, 2]
count = 3
pool = 8
temperatures_kelvin = [300.0, 900.0]
time_ps = 0.1
"""


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "sampling.toml"
    path.write_text(PLAN)
    return path


def test_silicons_own_plan_is_what_the_data_card_promises() -> None:
    plan = read_plan(embedded_root() / "si" / "sampling" / "training.toml")
    count = {
        file: sum(s.count for s in plan.samples if s.file == file) for file in {s.file for s in plan.samples}
    }
    assert count["validation"] >= 30
    assert {s.method for s in plan.samples} >= {"strain", "md", "melt", "path"}
    assert len({s.seed for s in plan.samples}) == len(plan.samples), "no two samples share a seed"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count = 6", "count = 6\ncuont = 7", "unknown key 'cuont'"),
        ('schema = "mlpzoo.sampling/1"', 'schema = "2"', "schema is '2'"),
        ("count = 6", "count = 0", "count and repeat must be positive"),
        ("count = 6", 'count = "six"', "count"),
        ('name = "md"', 'name = "strain"', "two samples are called 'strain'"),
        ('method = "md"', 'method = "mdd"', "mdd"),
        ("temperatures_kelvin = [300.0, 900.0]", "", "needs temperatures_kelvin"),
        ('levels = ["emt"]', "levels = []", "levels not empty"),
        ('method = "strain"', 'method = "path"', "needs a defect"),
    ],
)
def test_a_wrong_plan_is_an_error_that_names_it(plan_file: Path, old: str, new: str, message: str) -> None:
    assert old in PLAN
    plan_file.write_text(PLAN.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_plan(plan_file)


def test_strains_are_symmetric_bounded_seeded_and_half_of_them_of_volume() -> None:
    sample = Sample(name="s", method="strain", count=40, repeat=(1, 1, 1), max_strain=0.05, rattle_ang=0.05)
    made = [one.atoms for one in strained(SILICON, sample)]
    strains = np.array([np.linalg.solve(SILICON.cubic().cell.array, a.cell.array) - np.eye(3) for a in made])
    np.testing.assert_allclose(strains, np.swapaxes(strains, 1, 2), atol=1e-12)
    assert np.abs(strains).max() <= 0.05
    assert np.abs(strains[::2, 0, 1]).min() > 0
    np.testing.assert_allclose(
        strains[1::2], strains[1::2, :1, :1] * np.eye(3), atol=1e-12, err_msg="volume alone"
    )
    again = strained(SILICON, sample)
    np.testing.assert_array_equal(again[7].atoms.positions, made[7].positions)
    assert not any(too_close(atoms, SILICON) for atoms in made)


IRON = Crystal(symbol="Fe", structure="bcc", lattice_constant_ang=2.87)


@pytest.mark.parametrize(("crystal", "room"), [(SILICON, np.sqrt(3) / 4), (COPPER, 0.5), (IRON, 0.5)])
def test_defective_cells_have_one_atom_less_or_one_more_with_room(crystal: Crystal, room: float) -> None:
    n = len(crystal.supercell(2))
    assert len(defective(crystal, (2, 2, 2), "none")) == n
    assert len(defective(crystal, (2, 2, 2), "vacancy")) == n - 1
    more = defective(crystal, (2, 2, 2), "interstitial")
    nearest = more.get_distances(n, range(n), mic=True).min()
    assert nearest == pytest.approx(room * crystal.lattice_constant_ang), "the site that its name says"


def test_an_atom_on_its_hop_is_near_the_line_between_two_sites() -> None:
    sample = Sample(
        name="p", method="path", count=5, defect="vacancy", repeat=(2, 2, 2), rattle_ang=0.02, seed=4
    )
    made = along_a_hop(COPPER, sample, EMT(), progress=lambda *_: None)
    assert len(made) == 5
    host = COPPER.supercell(2)
    for one in made:
        off = [host.copy() + type(host)("Cu", [p], cell=host.cell, pbc=True) for p in one.atoms.positions]
        nearest = np.array([a.get_distances(len(host), range(len(host)), mic=True).min() for a in off])
        assert 0.3 < nearest.max() < 0.75 * COPPER.neighbour_distance_ang, "one atom is between two sites"
        assert np.sort(nearest)[-2] < 0.3


def test_the_most_different_structures_are_kept() -> None:
    """One amorphous structure and one vacancy among crystals: both are found, by their strangest atom."""
    generator = np.random.default_rng(1)
    frames = [SILICON.supercell(2) for _ in range(12)]
    for atoms in frames:
        atoms.positions += generator.normal(0, 0.02, atoms.positions.shape)
    frames[5].positions += generator.normal(0, 0.4, frames[5].positions.shape)
    del frames[9][17]
    chosen = farthest(soap(frames), 3)
    assert chosen[0] == 0
    assert set(chosen[1:]) == {5, 9}
    assert farthest(soap(frames), 99) != list(range(12))
    assert sorted(farthest(soap(frames), 99)) == list(range(12))
    rest = [frame for k, frame in enumerate(frames) if k not in (5, 9)]
    assert farthest(soap([*rest, frames[5]]), 1, taken=soap(rest[:3])) == [len(rest)]


def test_descriptors_do_not_depend_on_order_cell_or_rotation() -> None:
    atoms = bulk("Si", cubic=True).repeat(2)
    atoms.rattle(0.1, seed=2)
    turned = atoms.copy()
    turned.rotate(33, (1, 2, 3), rotate_cell=True)
    shuffled = atoms[np.random.default_rng(0).permutation(len(atoms))]
    shuffled.positions += 1.234
    one, other, third = soap([atoms, turned, shuffled])
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(np.sort(one, axis=0), np.sort(third, axis=0), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1.0)


def test_command_makes_each_sample_once_and_goes_on(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--plan", str(plan_file), "--out", str(tmp_path / "queue")]
    with pytest.raises(UsageError, match="need a model"):
        CliRunner().invoke(sample_command, arguments, catch_exceptions=False)
    result = CliRunner().invoke(sample_command, [*arguments, "--only", "strain"], catch_exceptions=False)
    assert "strain: 6 frames" in result.output
    result = CliRunner().invoke(sample_command, [*arguments, "--model", "emt"], catch_exceptions=False)
    assert "strain: sampled before" in result.output
    assert "md: 3 frames" in result.output
    frames = Queue(tmp_path / "queue").frames()
    assert [frame.levels for frame in frames] == [("emt",)] * 9
    md = [frame for frame in frames if frame.group == "md"]
    assert {frame.file for frame in md} == {"validation"}
    assert {len(frame.symbols) for frame in md} == {31}
    assert {frame.temperature_kelvin for frame in md} <= {300.0, 900.0}
    assert md[0].sampler == "emt/emt"
    assert next(frame for frame in frames if frame.group == "strain").sampler == "none"
    run = next(run for run in Queue(tmp_path / "queue").runs() if run.run == "cu-training-md")
    assert run.settings["selection"].startswith("farthest-point")
    with pytest.raises(UsageError, match="no sample 'strian'"):
        CliRunner().invoke(sample_command, [*arguments, "--only", "strian"], catch_exceptions=False)
    plan_file.write_text(PLAN.replace('crystal = "cu"', 'crystal = "cv"'))
    with pytest.raises(UsageError, match="no crystal 'cv'"):
        CliRunner().invoke(sample_command, [*arguments, "--only", "strain"], catch_exceptions=False)


def test_an_interrupted_md_goes_on_and_gives_the_same_frames(tmp_path: Path) -> None:
    plan = SamplingPlan(
        system="cu-training", crystal="cu", lattice_constant_ang=3.59, levels=("emt",), samples=()
    )
    sample = Sample(
        name="md", method="md", count=4, repeat=(2, 2, 2), temperatures_kelvin=(300.0, 600.0), time_ps=0.3
    )
    manifest = find_crystal("cu", [entry.item for entry in default_registry().datasets.values()])

    class Stop(Exception):  # noqa: N818
        pass

    class Dies(EMT):
        """Stops in the middle of the second run."""

        left = 10**9

        def calculate(self, *args: object, **more: object) -> None:  # type: ignore[override]
            if type(self).left <= 0:
                raise Stop
            type(self).left -= 1
            super().calculate(*args, **more)

    def run(where: str) -> list[list[list[float]]]:
        queue = Queue(tmp_path / where)
        run_sample(plan, sample, manifest, Dies, queue, sampler="emt", progress=lambda *_: None)
        return [frame.positions_ang for frame in queue.frames()]

    whole = run("whole")
    used = 10**9 - Dies.left
    Dies.left = 3 * used // 4
    with pytest.raises(Stop):
        run("cut")
    assert not Queue(tmp_path / "cut").holds_frames()
    Dies.left = 10**9
    assert run("cut") == whole
    assert len(whole) == 4


@pytest.mark.parametrize("carded", [True, False])
def test_no_directory_of_the_user_is_in_the_record_of_the_sampler(tmp_path: Path, carded: bool) -> None:
    """A model trained by mlpzoo has a card beside it; other files have none."""
    from mlpzoo.card_file import write_card
    from mlpzoo.cli.data_make import _sampler
    from mlpzoo.hashing import file_sha256
    from mlpzoo.models import Checkpoint, ModelCard

    weights = tmp_path / "mine.bin"
    weights.write_bytes(b"weights")
    if carded:
        size, sha256 = weights.stat().st_size, file_sha256(weights)
        checkpoint = Checkpoint(file=weights.name, sha256=sha256, size_bytes=size)
        card = ModelCard(
            name="emt/mine", family="emt", elements=("Cu",), properties=("energy",), checkpoint=checkpoint
        )
        write_card(weights, card)
    assert _sampler(f"emt:{weights}") == f"emt:mine.bin, sha256 {file_sha256(weights)}"
