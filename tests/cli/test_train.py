"""``mlpzoo train`` with a family that learns in milliseconds: what it writes, says and refuses."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import zoo_trainable
import zoo_training_sets as sets

from mlpzoo.hashing import file_sha256
from mlpzoo.models import ModelCard
from mlpzoo.registry import default_registry

if TYPE_CHECKING:
    from conftest import Done, Zoo


@pytest.fixture
def pairs(trainable: Zoo) -> Zoo:
    """The command with the family ``pairs`` installed, in a directory of its own, where ``cu`` lies."""
    sets.write(
        Path("cu"),
        {
            "train": sets.frames(12),
            "validation": sets.frames(4, seed=1, prefix="v"),
            "test": sets.frames(4, seed=2, prefix="t"),
        },
    )
    return trainable


def train(zoo: Zoo, *more: str) -> Done:
    return zoo("train", "pairs", "--data", "cu", "--preset", "smoke", "--out", "out", *more)


def epochs() -> list[str]:
    log = Path("log")
    return log.read_text().split() if log.exists() else []


ALL = [str(n) for n in range(zoo_trainable.PairsBackend().presets()["smoke"].settings["epochs"].value)]


def test_model_and_card_lie_side_by_side_and_work(pairs: Zoo) -> None:
    done = train(pairs, "--test", "cu", "--seed", "3", "--licence", "CC0-1.0")
    assert done.code == 0, done.err
    model = Path("out/cu-train-smoke.json")
    assert f"wrote {model} and cu-train-smoke.card.toml" in done.err
    assert f"next: mlpzoo compare --models pairs:{model}" in done.err
    assert "cu-train:test" in done.out
    raw = msgspec.toml.decode(Path("out/cu-train-smoke.card.toml").read_bytes())
    assert raw["schema"] == "mlpzoo.card/1"
    card = msgspec.convert(raw["card"], ModelCard)
    part = json.loads(Path("out/cu-train-smoke.work/done.json").read_text())
    assert part["model"] == model.name
    assert card.name == "pairs/cu-train-smoke"
    assert card.title == "Pair potential, trained on cu-train"
    assert (card.elements, card.cutoff_ang, card.level_of_theory) == (("Cu",), 5.0, "EMT")
    assert (card.licence, card.citation) == ("CC0-1.0", "Gauss 1809; none")
    assert card.training_set_sha256 == file_sha256(Path("cu/train.extxyz"))
    assert card.training_command == (
        "mlpzoo train pairs --data cu --preset smoke --test cu --seed 3 --threads 1 --name cu-train-smoke"
    )
    assert card.checkpoint is not None
    assert (card.checkpoint.sha256, card.checkpoint.size_bytes) == (file_sha256(model), model.stat().st_size)
    for words in (
        "Knows pairs only.",
        "12 frames",
        "7 parameters",
        "Seed 3",
        "1 thread of",
        "numpy",
        "stress",
    ):
        assert words in card.notes
    names = {"energy_rmse_mev_per_atom", "energy_rmse_shifted_mev_per_atom", "force_rmse_ev_per_ang",
             "force_mae_ev_per_ang", "stress_rmse_gpa"}  # fmt: skip
    assert set(card.test_errors) == {
        f"{s} {n}" for s in ("training", "validation", "cu-train:test") for n in names
    }


def test_errors_on_the_card_are_those_of_the_model_that_was_written(pairs: Zoo) -> None:
    import mlpzoo
    from mlpzoo.data.dataset import load_dataset

    train(pairs, "--test", "cu:test")
    calculator = mlpzoo.load("pairs:out/cu-train-smoke.json")
    errors, data = calculator.card.test_errors, load_dataset("cu")
    energy, force, stress = [], [], []
    for k in data.files["test.extxyz"]:
        atoms = data.frames[k].copy()
        atoms.calc = calculator
        energy.append(1e3 * (atoms.get_potential_energy() - data.energies[k]) / len(atoms))
        force.append(atoms.get_forces() - data.forces[k])
        stress.append(160.2176634 * (atoms.get_stress() - data.stresses[k]))
    force = np.concatenate(force)
    for name, value in {
        "energy_rmse_mev_per_atom": np.sqrt(np.mean(np.square(energy))),
        "energy_rmse_shifted_mev_per_atom": np.std(energy),
        "force_rmse_ev_per_ang": np.sqrt(np.mean(force**2)),
        "force_mae_ev_per_ang": np.mean(np.abs(force)),
        "stress_rmse_gpa": np.sqrt(np.mean(np.square(stress))),
    }.items():
        assert errors[f"cu-train:test {name}"] == pytest.approx(value, rel=1e-4)
    forces_alone = np.sqrt(np.mean(np.concatenate(data.forces) ** 2))
    assert errors["cu-train:test force_rmse_ev_per_ang"] < 0.5 * forces_alone, "it did learn"


def test_card_is_used_in_tables_if_it_is_of_these_weights(pairs: Zoo) -> None:
    train(pairs)
    compare = (
        "compare",
        "-m",
        "pairs:out/cu-train-smoke.json",
        "-b",
        "bulk",
        "-s",
        "cu,si",
        "--profile",
        "smoke",
    )
    done = pairs(*compare, "--isolate", "never", "-q")
    assert "level of theory EMT, compared with" in " ".join(done.out.split())
    assert "does not know Si" in done.out, "the card says so before anything runs"
    shown = pairs("models", "pairs:out/cu-train-smoke.json")
    assert "level_of_theory      EMT" in shown.out

    model = Path("out/cu-train-smoke.json")
    model.write_text(model.read_text() + "\n")
    default_registry.cache_clear()
    again = pairs(*compare, "--isolate", "never", "--dry-run")
    note = " ".join(again.err.split())
    assert (
        "cu-train-smoke.card.toml was not used: it is of another cu-train-smoke.json (sha256 differs)" in note
    )
    assert "unsupported" not in again.out
    assert "no card beside it" in pairs("models", "pairs:out/cu-train-smoke.json").err


@pytest.mark.parametrize("text", ["", "schema = 'x'", "schema = 'mlpzoo.card/2'\n[card]\nname = 'a/b'"])
def test_card_that_cannot_be_read_is_a_note(text: str, pairs: Zoo) -> None:
    train(pairs)
    Path("out/cu-train-smoke.card.toml").write_text(text)
    spec = default_registry().resolve("pairs:out/cu-train-smoke.json")
    assert spec.card is None
    assert "cu-train-smoke.card.toml was not used" in spec.note


def test_finished_training_is_shown_again_and_not_done_again(pairs: Zoo) -> None:
    first = train(pairs, "--test", "cu")
    assert epochs() == ALL
    again = train(pairs, "--test", "cu")
    assert (again.code, again.out) == (0, first.out)
    assert epochs() == ALL
    assert "done: the model is there" in train(pairs, "--test", "cu", "--dry-run").out


def test_another_test_set_needs_no_training(pairs: Zoo) -> None:
    train(pairs)
    more = train(pairs, "--test", "cu:test")
    assert "cu-train:test" in more.out
    assert epochs() == ALL


def test_same_seed_gives_the_same_file_and_another_seed_another(pairs: Zoo) -> None:
    for name, seed in (("one", "5"), ("two", "5"), ("three", "6")):
        assert train(pairs, "--name", name, "--seed", seed).code == 0
    one, two, three = (Path(f"out/{name}.json").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--seed", "1"), "seed was 0, now 1"),
        (("--set", "epochs=9"), "settings epochs was 8, now 9"),
        (("--threads", "2"), "threads was 1, now 2"),
    ],
)
def test_directory_of_another_training_is_refused_with_what_differs(
    more: tuple[str, ...], words: str, pairs: Zoo
) -> None:
    train(pairs)
    done = train(pairs, *more)
    assert done.code == 2
    assert words in done.err
    assert "--fresh" in done.err
    assert train(pairs, *more, "--fresh").code == 0


def test_other_data_in_the_same_directory_is_refused(pairs: Zoo) -> None:
    train(pairs)
    sets.write(Path("other"), {"train": sets.frames(5, seed=8)})
    done = pairs("train", "pairs", "-d", "other", "-p", "smoke", "--out", "out")
    assert done.code == 2
    assert "data differs" in done.err


def test_directory_in_use_is_refused(pairs: Zoo) -> None:
    work = Path("out/cu-train-smoke.work")
    work.mkdir(parents=True)
    with (work / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = train(pairs)
    assert done.code == 2
    assert "another process is training in out/cu-train-smoke.work" in done.err


def test_dry_run_says_all_and_writes_nothing(pairs: Zoo) -> None:
    done = train(pairs, "--test", "cu", "--set", "ridge=0.1", "--dry-run")
    assert done.code == 0
    for words in ("cu-train:train (12 frames)", "cu-train:validation (4 frames)", "EMT", "ridge=0.1", "this Python",
                  "out/cu-train-smoke.*", "starts from nothing", "--set ridge=0.1"):  # fmt: skip
        assert words in done.out
    assert not Path("out").exists()
    assert epochs() == []


def test_settings_reach_the_framework(pairs: Zoo) -> None:
    done = train(
        pairs, "--set", "epochs=3", "--set", "stress=false", "--set", "ridge=1e-3", "--out", "trained"
    )
    assert done.code == 0
    assert epochs() == ["0", "1", "2"]


def test_presets_are_listed_with_their_meanings(pairs: Zoo) -> None:
    done = pairs("train", "pairs", "--presets")
    text = " ".join(done.out.split())
    assert "smoke: milliseconds" in text
    assert "n_functions 10 6 radial basis functions" in text


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("pears", "-d", "cu"), "unknown model family 'pears'", "did you mean 'pairs'"),
        (("emt", "-d", "cu"), "family 'emt' cannot be trained by mlpzoo", "FAMILY:PATH"),
        (("emt", "--presets"), "family 'emt' cannot be trained by mlpzoo", "FAMILY:PATH"),
        (("pairs",), "no data set named", "--data NAME"),
        (("pairs", "-d", "cu", "-p", "smal"), "has no preset 'smal'", "did you mean 'small'"),
        (("pairs", "-d", "cu", "--set", "epoch=3"), "there is no setting 'epoch'", "did you mean 'epochs'"),
        (("pairs", "-d", "cu", "--set", "epochs=many"), "epochs is a whole number", "structures"),
        (("pairs", "-d", "cu", "--set", "ridge=x"), "ridge is a number", "regularisation"),
        (("pairs", "-d", "cu", "--set", "stress=maybe"), "stress is true or false", "stresses"),
        (("pairs", "-d", "cu", "--set", "epochs"), "--set epochs: no value", "NAME=VALUE"),
        (("pairs", "-d", "cu", "--name", "a/b"), "'a/b' is no name", "--name"),
        (("pairs", "-d", "nowhere"), "'nowhere' is neither", "mlpzoo data list"),
    ],
)
def test_wrong_words_stop_before_anything_is_done(
    arguments: tuple[str, ...], message: str, hint: str, pairs: Zoo
) -> None:
    done = pairs("train", *arguments)
    assert done.code == 2
    assert message in done.err
    assert hint in done.err
    assert "Traceback" not in done.err
    assert not Path("trained").exists()


def test_truncated_file_is_refused(pairs: Zoo) -> None:
    file = Path("cu/train.extxyz")
    file.write_bytes(file.read_bytes()[:-30])
    done = train(pairs)
    assert done.code == 2
    assert "cut short" in done.err
    assert not Path("out").exists()


def test_families_and_presets_are_completed(pairs: Zoo) -> None:
    import click

    from mlpzoo.cli import completing
    from mlpzoo.cli.train import train as command

    context = click.Context(command)
    context.params["family"] = "pairs"
    parameter = command.params[0]
    assert "pairs" in [c.value for c in completing.trainable(context, parameter, "")]
    assert "emt" not in [c.value for c in completing.trainable(context, parameter, "")]
    assert [c.value for c in completing.presets(context, parameter, "s")] == ["small", "smoke"]
    assert "si-vacancy" in [c.value for c in completing.datasets(context, parameter, "si-v")]
