"""What ``mlpzoo plugin new`` writes; the page that tells how to go on is run by a test of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from mlpzoo import plugins
from mlpzoo.errors import ModelError, UsageError
from mlpzoo.hookspecs import API_VERSION
from mlpzoo.models import ModelSpec
from mlpzoo.plugin_files import family_of, lock_in
from mlpzoo.plugin_skeleton import write_skeleton
from mlpzoo.registry import Registry


def registered(written: list[Path], module: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (init,) = (path for path in written if path.name == "__init__.py")
    monkeypatch.syspath_prepend(init.parent.parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    found = plugins.load([module], entry_points=False)
    assert not found[-1].problems
    return Registry(found)


def test_it_registers_without_a_problem_and_says_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_skeleton("my-flat", tmp_path)
    registry = registered(written, "mlpzoo_my_flat", monkeypatch)
    backend = registry.backend("my-flat").item
    assert type(backend).__name__ == "MyFlatBackend"
    assert backend.requires == ()
    assert backend.lock_file is None
    assert registry.resolve("my-flat").name == "my-flat/default"
    assert f"MLPZOO_API = {API_VERSION}" in "".join(path.read_text() for path in written)
    with pytest.raises(ModelError, match="not written yet") as caught:
        backend.calculator(ModelSpec(name="my-flat/default"))
    assert "backend.py" in caught.value.hint


def test_a_framework_is_in_its_requirements_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_skeleton(
        "heavy", tmp_path, packages=("torch-thing[gpu]==1.2", "torch==2.13.0"), imports=("thing",)
    )
    root = tmp_path / "mlpzoo-heavy"
    assert (root / "requirements.in").read_text().splitlines()[1:] == [
        "torch-thing[gpu]==1.2",
        "torch==2.13.0",
    ]
    project = msgspec.toml.decode((root / "pyproject.toml").read_bytes())
    assert project["project"]["dependencies"] == ["mlpzoo"]
    backend = registered(written, "mlpzoo_heavy", monkeypatch).backend("heavy").item
    assert backend.requires == ("thing",)
    assert backend.lock_file == root / "requirements.lock"
    assert family_of(root) == "heavy"
    with pytest.raises(UsageError, match=r"no requirements\.lock") as caught:
        lock_in(root)
    assert "mlpzoo env lock" in caught.value.hint


def test_imports_are_guessed_from_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_skeleton("guess", tmp_path, packages=("torch-thing[gpu]>=1.2", "e3nn"))
    backend = registered(written, "mlpzoo_guess", monkeypatch).backend("guess").item
    assert backend.requires == ("torch_thing", "e3nn")


@pytest.mark.parametrize("name", ["", "Flat", "my_flat", "-flat", "flat-", "../flat", "1flat", "fl at"])
def test_names_that_nobody_could_type_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no family name"):
        write_skeleton(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_skeleton("flat", tmp_path)
    with pytest.raises(UsageError, match="exists"):
        write_skeleton("flat", tmp_path)
    with pytest.raises(UsageError, match="no directory"):
        write_skeleton("flat", tmp_path / "nowhere")


def test_the_family_of_a_directory_without_a_project_is_its_name(tmp_path: Path) -> None:
    directory = tmp_path / "mlpzoo-odd"
    directory.mkdir()
    assert family_of(directory) == "odd"
    (directory / "pyproject.toml").write_text("[project")
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        family_of(directory)
