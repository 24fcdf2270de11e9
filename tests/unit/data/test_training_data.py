"""What is trained on, validated with and tested on; what is refused, and with which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zoo_training_sets as sets

from mlpzoo.data.dataset import Pseudopotential
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.data.training_data import TrainingData, training_data
from mlpzoo.errors import DataError, UsageError, ZooError


def chosen(*data: object, tests: tuple[object, ...] = (), seed: int = 0, known=None) -> TrainingData:
    return training_data([str(d) for d in data], [str(t) for t in tests], known or {}, seed=seed)


def labels(parts) -> list[tuple[str, int]]:
    return [(part.label, len(part.indices)) for part in parts]


@pytest.fixture
def cu(tmp_path: Path) -> Path:
    return sets.write(
        tmp_path / "cu",
        {
            "crystal": sets.frames(6, prefix="c"),
            "vacancy": sets.frames(4, seed=1, prefix="v"),
            "validation": sets.frames(3, seed=2, prefix="a"),
            "test": sets.frames(2, seed=3, prefix="t"),
        },
    )


def test_validation_and_test_are_never_trained_on(cu: Path) -> None:
    found = chosen(cu, tests=(cu,))
    assert labels(found.train) == [("cu-train:crystal", 6), ("cu-train:vacancy", 4)]
    assert labels(found.validation) == [("cu-train:validation", 3)]
    assert {name: labels(parts) for name, parts in found.tests.items()} == {
        "cu-train:test": [("cu-train:test", 2)]
    }
    assert (found.held_out, found.remarks, found.with_stress) == ("", (), True)


def test_named_files_alone_are_trained_on(cu: Path) -> None:
    assert labels(chosen(f"{cu}:vacancy").train) == [("cu-train:vacancy", 4)]
    both = chosen(f"{cu}:vacancy+crystal.extxyz")
    assert labels(both.train) == [("cu-train:vacancy", 4), ("cu-train:crystal", 6)]
    assert labels(both.validation) == [("cu-train:validation", 3)], "it goes with its set"
    one_by_one = chosen(f"{cu}:vacancy", f"{cu}:crystal")
    assert one_by_one.identity == both.identity
    assert one_by_one.identity != chosen(f"{cu}:vacancy").identity


def test_names_of_data_sets_are_known(cu: Path) -> None:
    known = {"copper": DatasetSpec.from_directory(cu)}
    assert labels(chosen("copper:crystal", known=known).train) == [("cu-train:crystal", 6)]


def test_labels_are_those_of_the_set(cu: Path) -> None:
    found = chosen(cu)
    part = found.train[1]
    atoms = found.frames([part])[2]
    index = part.indices[2]
    assert atoms.calc.results["energy"] == part.dataset.energies[index]
    assert np.array_equal(atoms.get_forces(), part.dataset.forces[index])
    assert np.array_equal(atoms.get_stress(), part.dataset.stresses[index])
    assert found.sha256 != part.sha256
    assert chosen(f"{cu}:vacancy").sha256 == part.sha256, "of one file it is the file's own"


@pytest.mark.parametrize(("n", "seed"), [(n, s) for n in (2, 7, 19, 20, 39, 41) for s in (0, 5)])
def test_frames_are_held_out_if_no_file_is_for_validation(n: int, seed: int, tmp_path: Path) -> None:
    path = sets.write(tmp_path / "cu", {"frames": sets.frames(n)})
    found = chosen(path, seed=seed)
    held = {i for part in found.validation for i in part.indices}
    kept = {i for part in found.train for i in part.indices}
    assert len(held) >= max(1, 0.05 * n)
    assert (held & kept, held | kept) == (set(), set(range(n)))
    assert f"{len(held)} of {n} frames held out" in found.held_out
    assert f"seed {seed}" in found.held_out
    assert found.identity == chosen(path, seed=seed).identity


def test_another_seed_holds_out_others(tmp_path: Path) -> None:
    path = sets.write(tmp_path / "cu", {"frames": sets.frames(40)})
    assert len({chosen(path, seed=s).identity for s in range(6)}) > 2


def test_copies_of_held_out_frames_go_with_them(tmp_path: Path) -> None:
    frames = sets.frames(3)
    turned = []
    for k, frame in enumerate(frames):  # copies in another orientation and order
        atoms = frame.atoms[::-1]
        atoms.rotate(90, "z", rotate_cell=True)
        forces = frame.forces[::-1] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        turned.append(replace(frame, atoms=atoms, frame_id=f"turned-{k}", forces=forces))
    found = chosen(sets.write(tmp_path / "cu", {"frames": [*frames, *turned]}))
    (held,) = found.validation
    first, second = held.dataset.frame_ids[held.indices[0]], held.dataset.frame_ids[held.indices[1]]
    assert (first.replace("f", "turned"), len(held.indices)) == (second, 2)


def refused(*data: object, **more) -> ZooError:
    with pytest.raises(ZooError) as caught:
        chosen(*data, **more)
    return caught.value


def test_sets_of_different_levels_are_refused_and_the_difference_is_named(cu: Path, tmp_path: Path) -> None:
    level = sets.LEVEL
    for n, (other, words) in enumerate(
        [
            (replace(level, level_of_theory="PBE"), "level_of_theory is 'EMT' and 'PBE'"),
            (replace(level, code="VASP"), "code is 'ASE' and 'VASP'"),
            (replace(level, settings={"cutoff": 6.0}), "settings.cutoff is 5.0 and 6.0"),
            (
                replace(level, pseudopotentials={"Cu": Pseudopotential(file="Cu.UPF")}),
                "pseudopotentials.Cu is not given and",
            ),
        ]
    ):
        path = sets.write(
            tmp_path / f"other{n}", {"more": sets.frames(2, seed=9)}, name=f"other{n}", reference=other
        )
        error = refused(cu, path)
        assert isinstance(error, DataError)
        assert error.message.startswith(
            f"'cu-train' and 'other{n}' are of different levels of theory: {words}"
        )
        found = chosen(cu, tests=(path,))
        assert any(words in remark for remark in found.remarks), "as a test it is a remark"


def test_title_and_name_of_a_level_make_no_difference(cu: Path, tmp_path: Path) -> None:
    other = replace(sets.LEVEL, level="mine", title="My own")
    path = sets.write(tmp_path / "other", {"more": sets.frames(2, seed=9)}, name="other", reference=other)
    assert chosen(cu, path).sources == ("cu-train", "other")


def test_set_without_stresses_takes_them_from_all(cu: Path, tmp_path: Path) -> None:
    path = sets.write(tmp_path / "other", {"more": sets.frames(2, seed=9, stress=False)}, name="other")
    found = chosen(cu, path)
    assert found.remarks == ("stresses are left out: other has none",)
    assert not any("stress" in atoms.calc.results for atoms in found.frames(found.train))
    assert all("stress" in a.calc.results for a in found.frames(found.validation, for_test=True))


def test_set_without_energies_is_refused(tmp_path: Path) -> None:
    path = sets.write(tmp_path / "cu", {"frames": sets.frames(3, energy=False)})
    assert refused(path).message == f"'{path}' has no energies"


def test_frame_to_validate_with_that_is_trained_on_is_named(tmp_path: Path) -> None:
    frames = sets.frames(5)
    moved = replace(frames[3], atoms=frames[3].atoms.copy(), frame_id="moved")
    moved.atoms.positions += [0.3, 0.1, 0.2]
    path = sets.write(tmp_path / "cu", {"train": frames, "validation": [moved]})
    message = refused(path).message
    assert "cu-train:validation, frame 'moved'" in message
    assert "cu-train:train, frame 'f-3'" in message


def test_frame_to_test_on_that_is_trained_on_is_a_remark(tmp_path: Path) -> None:
    frames = sets.frames(5)
    moved = replace(frames[3], atoms=frames[3].atoms.copy(), frame_id="moved")
    moved.atoms.positions += [0.3, 0.1, 0.2]
    path = sets.write(
        tmp_path / "cu", {"train": frames, "test": [moved, *sets.frames(1, seed=7, prefix="t")]}
    )
    (remark,) = chosen(path, tests=(path,)).remarks
    assert remark.startswith("1 of 2 frames of cu-train:test are also trained on")
    assert "'moved'" in remark
    assert "'f-3'" in remark


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ("{cu}:test", UsageError, "'test' is never trained on"),
        ("{cu}:crystal+validation", UsageError, "'validation' is never trained on"),
        ("{cu}:crystall", DataError, "has no file 'crystall.extxyz' (hint: did you mean 'crystal'"),
        ("{cu}:crystal+crystal", UsageError, "is given twice"),
        ("{cu}:", UsageError, "names no data set"),
        ("coper", DataError, "did you mean 'copper'?"),
    ],
)
def test_wrong_names_stop_with_a_way_out(data: str, kind: type[ZooError], words: str, cu: Path) -> None:
    error = refused(data.format(cu=cu), known={"copper": DatasetSpec.from_directory(cu)})
    assert isinstance(error, kind)
    assert words in str(error)
    assert error.hint


def test_no_data_and_nothing_to_train_on(tmp_path: Path) -> None:
    assert refused().message == "no data set named"
    path = sets.write(tmp_path / "cu", {"test": sets.frames(2)})
    assert refused(path).message.startswith("nothing to train on")
    one = sets.write(tmp_path / "one", {"train": sets.frames(1)})
    assert refused(one).message.startswith("there is one structure only")


def test_file_that_was_cut_short_is_found(cu: Path) -> None:
    file = cu / "vacancy.extxyz"
    file.write_bytes(file.read_bytes()[:-40])
    assert "changed or cut short" in refused(cu).message
