"""``mlpzoo select`` with a family that learns in milliseconds: candidates, two rankings, where they disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zoo_training_sets as sets

if TYPE_CHECKING:
    from conftest import Done, Zoo


@pytest.fixture
def pairs(trainable: Zoo) -> Zoo:
    """The command with the family ``pairs`` installed, beside two training sets."""
    files = {"few": sets.frames(2), "many": sets.frames(12, seed=4, prefix="m")}
    sets.write(Path("cu"), files | {"validation": sets.frames(6, seed=1, prefix="v")})
    return trainable


def select(zoo: Zoo, *more: str) -> Done:
    data = ("-d", "few=cu:few", "-d", "many=cu:few+many")
    return zoo("select", "pairs", *data, "--vary", "n_functions=3,9", "-p", "smoke", "-r", "toy", "-q", *more)


def test_candidates_are_all_combinations(pairs: Zoo) -> None:
    done = select(pairs, "--seeds", "0,1", "--dry-run")
    assert done.code == 0, done.err
    *lines, last = done.out.splitlines()
    assert last == "8 candidates"
    assert lines[0] == "pairs few n_functions=3 seed 0  (cu:few)"
    assert len(set(lines)) == 8
    assert not Path("candidates").exists()


def test_both_rankings_their_correlation_and_what_the_choice_costs(pairs: Zoo, tmp_path: Path) -> None:
    done = select(pairs, "--figure", str(tmp_path / "figure.png"))
    assert done.code == 0, done.err
    rows = [line for line in done.out.splitlines() if line.strip().startswith("pairs ")]
    assert len(rows) == 4
    assert "rank correlation with the average error over 4 candidates" in done.out
    assert "F RMSE RE    Spearman " in done.out
    assert (tmp_path / "figure.png").stat().st_size > 5000
    # everything that was printed follows from the stored errors
    again = select(pairs, "--format", "json")
    found = json.loads(again.out)
    averages = [one["average_force_rmse_ev_per_ang"] for one in found["candidates"]]
    assert averages == sorted(averages)
    assert [one["rank"] for one in found["candidates"]] == [1, 2, 3, 4]
    case = found["disagreements"][0]["case"]
    errors = [one["rare"][case]["force_rmse_re"] for one in found["candidates"]]
    (correlation,) = (
        row for row in found["rank_correlations"] if (row["case"], row["quantity"]) == (case, "force_rmse_re")
    )
    order = sorted(range(4), key=errors.__getitem__)
    d2 = sum((order.index(k) - k) ** 2 for k in range(4))
    assert correlation["spearman"] == pytest.approx(1 - 6 * d2 / (4 * 15))
    disagreement = found["disagreements"][0]
    assert disagreement["by_average"] == found["candidates"][0]["title"]
    assert disagreement["by_rare"] == found["candidates"][order[0]]["title"]
    assert disagreement["excess_percent"] == pytest.approx(100 * (errors[0] / min(errors) - 1))
    assert disagreement["rank_of_average_choice"] == order.index(0) + 1


def test_average_errors_are_of_the_same_frames(pairs: Zoo) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        sets.write(Path(name), {"train": sets.frames(6, seed=seed)}, name=name)
    sets.write(Path("other"), {"test": sets.frames(4, seed=5, prefix="o")}, name="other")
    arguments = ("select", "pairs", "-d", "a=one", "-d", "b=two", "-p", "smoke", "-r", "toy", "-q")
    done = pairs(*arguments)
    assert done.code == 2
    assert "different validation frames" in done.err
    assert "--average SET:FILE" in done.err
    done = pairs(*arguments, "--average", "other:test", "-f", "json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["candidates"]) == 2


def test_nothing_is_trained_twice(pairs: Zoo) -> None:
    select(pairs)
    epochs = Path("log").read_text()
    assert select(pairs).code == 0
    assert Path("log").read_text() == epochs
    assert len(list(Path("candidates/pairs").glob("*.card.toml"))) == 4


def test_a_candidate_that_fails_has_no_rank_and_hides_nobody(
    pairs: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    select(pairs, "--seeds", "0")
    monkeypatch.setenv("ZOO_TRAINABLE_FAULT", "raises 1")
    done = pairs(
        "select", "pairs", "-d", "few=cu:few", "-d", "many=cu:few+many", "--vary", "n_functions=3,9,12",
        "-p", "smoke", "-r", "toy", "-q",
    )  # fmt: skip
    assert done.code == 1
    failed = [line for line in done.out.splitlines() if line.startswith("✗")]
    assert [line.split(":")[0] for line in failed] == [
        "✗ pairs few n_functions=12",
        "✗ pairs many n_functions=12",
    ]
    assert "over 4 candidates" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vary", "n_funktions=3"), "no family here has that setting"),
        (("--vary", "n_functions=three"), "n_functions is a whole number"),
        (("--vary", "n_functions="), "no values"),
        (("--vary", "mace.r_max=3"), "no family here has that setting"),
        (("-d", "cu:few"), "not NAME=SET"),
        (("-d", "few=cu:few"), "two training sets are called 'few'"),
        (("--seeds", "one"), "not whole numbers"),
        (("--average", "nothing"), "nothing"),
        (("-r", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_stop_before_anything_is_trained(
    pairs: Zoo, arguments: tuple[str, ...], message: str
) -> None:
    done = select(pairs, *arguments)
    assert done.code == 2
    assert message in done.err
    assert "hint: " in done.err
    assert not Path("log").exists()
