"""Stored results: whole or not at all, and found again only by the same ingredients."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import mlpzoo
from mlpzoo.results import Provenance, Result
from mlpzoo.store import Store, key_of

ROOT = Path(mlpzoo.__file__).resolve().parents[1]
INGREDIENTS: dict[str, Any] = {
    "schema": 1,
    "benchmark": ["re-forces", 1],
    "core": ["aa", "bb"],
    "case": {"name": "si", "params": {"repeats": [1, 2], "cutoff_ang": 5.0}},
    "settings": {"profile": "smoke", "seed": 0},
    "versions": {"python": "3.11.7", "numpy": "2.0"},
}
KEY = key_of(INGREDIENTS)


def result(value: float = 1.5, **more: Any) -> Result:
    return Result(
        model="toy/good", benchmark="b", version=1, case="c", profile="smoke", status="ok",
        values={"energy": value}, provenance=Provenance(mlpzoo="0"), **more,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def files(store: Store) -> list[str]:
    return sorted(p.name for p in store.directory.iterdir())


# -- keys ----------------------------------------------------------------------------------------------


def variations(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every copy of nested data with one leaf altered, removed or added."""
    found: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += [(f"{p} changed", {**value, key: v}) for p, v in variations(inner, f"{path}.{key}")]
            found.append((f"{path}.{key} removed", {k: v for k, v in value.items() if k != key}))
        found.append((f"{path}.new added", {**value, "new": 0}))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            found += [(p, [*value[:i], v, *value[i + 1 :]]) for p, v in variations(inner, f"{path}[{i}]")]
        found.append((f"{path} reversed", value[::-1]))
    elif isinstance(value, str):
        found.append((path, value + "x"))
    else:
        found.append((path, value + 1))
    return found


@pytest.mark.parametrize(
    ("what", "altered"), variations(INGREDIENTS), ids=lambda x: x if isinstance(x, str) else ""
)
def test_the_key_depends_on(what: str, altered: dict[str, Any]):
    assert key_of(altered) != KEY


def reversed_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: reversed_order(v) for k, v in reversed(value.items())}
    return value


def test_the_key_does_not_depend_on_the_order_of_keys():
    assert key_of(reversed_order(INGREDIENTS)) == KEY


def test_the_key_is_the_same_in_another_process():
    code = f"from mlpzoo.store import key_of; print(key_of({INGREDIENTS!r}))"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "17"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == KEY


# -- put and get ---------------------------------------------------------------------------------------


def test_what_is_put_is_got(store: Store):
    store.put("a", KEY, result())
    assert store.get("a", KEY) == result()
    assert Store(store.directory).get("a", KEY) == result()


def test_nothing_is_got_for_another_key_or_name(store: Store):
    store.put("a", KEY, result())
    assert store.get("a", key_of({})) is None
    assert store.get("b", KEY) is None


def test_a_second_put_replaces_the_first(store: Store):
    store.put("a", KEY, result(1.0))
    store.put("a", KEY, result(2.0))
    found = store.get("a", KEY)
    assert found is not None
    assert found.values == {"energy": 2.0}
    assert len(files(store)) == 1


def test_nothing_but_the_result_is_left_in_the_directory(store: Store):
    path = store.put("re-forces-si-mace/si-small", KEY, result())
    assert files(store) == [path.name]
    assert path.name.endswith(f"-{KEY[:24]}.json")
    assert "mace_si-small" in path.name


@pytest.mark.parametrize(
    "name", ["mace:/home/me/../x.model", "ünï cödé/*?", "x" * 500, "", "..", "a\nb\x00c"]
)
def test_any_name_makes_a_file_inside_the_directory(store: Store, name: str):
    path = store.put(name, KEY, result())
    assert path.parent == store.directory
    assert path.resolve().parent == store.directory.resolve()
    assert store.get(name, KEY) == result()


def test_the_directory_is_below_home_by_default(home: Path):
    assert Store().directory == home / "results"
    assert Store().directory.is_dir()


# -- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(p.read_bytes()[:-20]),
        lambda p: p.write_bytes(b"\x00" * 300),
        lambda p: p.write_bytes(b"\xff\xfe not utf-8"),
        lambda p: p.write_bytes(b"[]"),
        lambda p: p.write_bytes(p.read_bytes().replace(b"mlpzoo.result/1", b"mlpzoo.result/9")),
        lambda p: p.write_bytes(p.read_bytes().replace(b'"status":"ok"', b'"status":"fine"')),
    ],
    ids=["empty", "cut", "zeros", "no text", "no result", "another schema", "unknown status"],
)
def test_a_damaged_file_is_set_aside_and_counts_as_none(store: Store, damage: Any):
    path = store.put("a", KEY, result())
    damage(path)
    damaged = path.read_bytes()
    assert store.get("a", KEY) is None
    (left,) = store.directory.iterdir()
    assert left.suffix == ".damaged"
    assert left.read_bytes() == damaged
    assert store.get("a", KEY) is None
    store.put("a", KEY, result())
    assert store.get("a", KEY) == result()


# -- death while writing -------------------------------------------------------------------------------

DEATHS = {
    "before the data is safe": "os.fsync = die",
    "between writing and renaming": "pathlib.Path.replace = die; pathlib.Path.rename = die; os.replace = die",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_process_killed_while_writing_leaves_the_old_result(store: Store, death: str):
    store.put("a", KEY, result(1.0))
    code = f"""
    import os, pathlib, signal, sys
    from mlpzoo.results import Result
    from mlpzoo.store import Store
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    {DEATHS[death]}
    names = dict(model="m", benchmark="b", case="c", profile="smoke", status="ok")
    new = Result(version=1, values={{"energy": 2.0}}, **names)
    Store(pathlib.Path(sys.argv[1])).put("a", {KEY!r}, new)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(store.directory)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == -9
    assert store.get("a", KEY) == result(1.0)
    store.put("a", KEY, result(3.0))
    assert store.get("a", KEY) == result(3.0)


def test_a_failed_write_leaves_the_old_result_and_no_litter(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.put("a", KEY, result(1.0))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put("a", KEY, result(2.0))
    monkeypatch.undo()
    assert store.get("a", KEY) == result(1.0)
    assert len(files(store)) == 1
