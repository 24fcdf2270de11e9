"""Environments: made once, never half-made, noticed when broken.  Wheels are made on the spot; no network."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
import uv as uv_package

import mlpzoo
from mlpzoo import envs, paths
from mlpzoo.envs import EnvSpec, ensure, find, spec_for
from mlpzoo.errors import EnvError
from mlpzoo.lockfile import LockFile
from mlpzoo.uvtool import uv

ROOT = Path(mlpzoo.__file__).resolve().parents[1]
LOCK = "zz-alpha==1.0\nzz-beta==1.0\n"
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def one_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that the tests of breaking and remaking share: each leaves a good environment behind."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def stocked(shelf: Any) -> Any:
    """The shelf with the wheels that the locks name."""
    if not shelf.wheels.exists():
        shelf.wheel("zz_alpha", "1.0")
        shelf.wheel("zz_alpha", "2.0")
        shelf.wheel("zz_beta", "1.0", requires=["zz-gamma"])
        shelf.wheel("zz_gamma", "1.0")
    return shelf


def lock_in(directory: Path, text: str = LOCK, name: str = "requirements.lock") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(text)
    return path


@pytest.fixture
def made(stocked: Any, one_home: Path, monkeypatch: pytest.MonkeyPatch) -> EnvSpec:
    """The spec of a good environment."""
    monkeypatch.setenv("MLPZOO_HOME", str(one_home))
    spec = spec_for("tiny", lock_in(one_home / "locks"))
    assert ensure(spec).problem == ""
    return spec


class Placed(Protocol):
    """A spec, or a copy of what it made."""

    @property
    def directory(self) -> Path: ...


def packages(spec: Placed) -> Path:
    (found,) = spec.directory.glob("lib/python*/site-packages")
    return found


def imports(spec: EnvSpec, *modules: str) -> str:
    """What a program in the environment sees of these modules."""
    code = f"import {', '.join(modules)}; print({', '.join(m + '.VERSION' for m in modules)})"
    done = subprocess.run(
        [spec.directory / "bin" / "python", "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def installed(spec: EnvSpec) -> set[str]:
    return {p.name.removesuffix(".dist-info") for p in packages(spec).glob("*.dist-info")}


# -- making --------------------------------------------------------------------------------------------


def test_an_environment_holds_what_its_lock_lists_and_nothing_else(made: EnvSpec):
    """zz-beta requires zz-gamma, and zz-alpha has a newer version: the lock alone decides."""
    assert installed(made) == {"zz_alpha-1.0", "zz_beta-1.0"}
    assert imports(made, "zz_alpha", "zz_beta") == "1.0 1.0"


def test_an_environment_has_this_python(made: EnvSpec):
    found = find(made)
    version = ".".join(map(str, sys.version_info[:3]))
    assert found.marker is not None
    assert found.marker.python == version
    asked = subprocess.run([found.python, "-V"], capture_output=True, text=True, check=True)
    assert asked.stdout.split()[-1] == version


def test_an_environment_does_not_see_this_ones_packages(made: EnvSpec):
    done = subprocess.run(
        [made.directory / "bin" / "python", "-I", "-c", "import numpy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ModuleNotFoundError" in done.stderr


def test_the_marker_records_what_was_made(made: EnvSpec):
    found = find(made)
    assert found.marker is not None
    assert found.marker.name == "tiny"
    assert found.marker.identity == made.identity
    assert found.marker.lock_sha256 == made.lock.sha256
    module = packages(made) / "zz_alpha" / "__init__.py"
    assert found.marker.files[str(module.relative_to(made.directory))] == module.stat().st_size
    assert found.marker.size_bytes == sum(found.marker.files.values())


def test_a_second_request_does_nothing(made: EnvSpec, monkeypatch: pytest.MonkeyPatch):
    marker = made.directory / envs.MARKER
    before = marker.stat()
    said: list[str] = []

    def none(*_: object, **__: object) -> str:
        raise AssertionError("uv was called")

    monkeypatch.setattr(envs, "uv", none)
    assert ensure(made, said.append).problem == ""
    assert said == []
    assert marker.stat() == before


def test_compiled_files_do_not_count_as_changes(made: EnvSpec):
    imports(made, "zz_alpha")
    cache = packages(made) / "zz_alpha" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "more.cpython-311.pyc").write_bytes(b"x")
    assert find(made).problem == ""


def test_progress_is_told_step_by_step(stocked: Any, home: Path, tmp_path: Path):
    said: list[str] = []
    ensure(spec_for("tiny", lock_in(tmp_path)), said.append)
    steps = [line for line in said if line.startswith("step ")]
    assert [line[:11] for line in steps] == ["step 1 of 4", "step 3 of 4", "step 4 of 4"]
    assert "2 packages" in steps[1]


def test_pips_settings_suffice(stocked: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("PIP_FIND_LINKS", str(stocked.wheels))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "elsewhere"))
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))
    assert ensure(spec).problem == ""
    assert installed(spec) == {"zz_alpha-1.0"}


def test_a_site_without_index_gets_nothing_from_one(
    own_shelf: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wheel = own_shelf.wheel("zz_alpha", "1.0")
    page = tmp_path / "simple" / "zz-alpha" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{wheel.rename(page.parent / wheel.name).name}">{wheel.name}</a>')
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))
    with monkeypatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(EnvError, match="zz-alpha"):
            ensure(spec)
    assert ensure(spec).problem == ""


def test_a_relative_lock_path_works(
    stocked: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock_in(tmp_path, "zz-alpha==1.0\n", "rel.lock")
    monkeypatch.chdir(tmp_path)
    assert ensure(spec_for("tiny", Path("rel.lock"))).problem == ""


def test_this_python_is_found_even_if_it_is_not_on_the_path(
    stocked: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """mlpzoo started by its full path; a download of Python would go round the site's settings."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "bin"))
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))
    assert ensure(spec).problem == ""


# -- identity ------------------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvSpec:
    """A spec, made from nothing but its parts."""
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path))
    return EnvSpec(name="x", lock=LockFile(path=tmp_path / "r.lock", sha256="ab"), python="3.11", torch="cpu")


def test_the_identity_changes_with_lock_python_and_torch(spec: EnvSpec):
    others = [
        replace(spec, lock=replace(spec.lock, sha256="ac")),
        replace(spec, python="3.12"),
        replace(spec, python=""),
        replace(spec, torch="cu128"),
        replace(spec, torch="auto"),
    ]
    identities = {spec.identity, *(o.identity for o in others)}
    assert len(identities) == 1 + len(others)
    assert len({spec.directory, *(o.directory for o in others)}) == 1 + len(others)


def test_the_identity_does_not_depend_on_where_the_lock_lies(spec: EnvSpec, tmp_path: Path):
    assert replace(spec, lock=replace(spec.lock, path=tmp_path / "elsewhere")).identity == spec.identity


def test_the_identity_is_that_of_the_locks_text(spec: EnvSpec, tmp_path: Path):
    first = spec_for("x", lock_in(tmp_path / "a"))
    same = spec_for("x", lock_in(tmp_path / "b"))
    other = spec_for("x", lock_in(tmp_path / "c", LOCK + "# a remark\n"))
    assert first.identity == same.identity != other.identity


def test_variables_choose_python_and_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLPZOO_PYTHON", "3.12")
    monkeypatch.setenv("MLPZOO_TORCH", "cu128")
    found = spec_for("x", lock_in(tmp_path))
    assert (found.python, found.torch) == ("3.12", "cu128")
    found = spec_for("x", lock_in(tmp_path), python="3.10", torch="cpu")
    assert (found.python, found.torch) == ("3.10", "cpu")


def test_without_variables_it_is_this_python_and_the_build_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MLPZOO_PYTHON", raising=False)
    monkeypatch.delenv("MLPZOO_TORCH", raising=False)
    found = spec_for("x", lock_in(tmp_path))
    assert (found.python, found.torch) == ("", "auto")


def test_a_missing_lock_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(EnvError, match=r"nowhere\.lock") as caught:
        spec_for("x", tmp_path / "nowhere.lock")
    assert "env lock" in caught.value.hint


# -- broken ones are noticed and made again ---------------------------------------------------------------


def no_marker(spec: Placed) -> None:
    (spec.directory / envs.MARKER).unlink()


def bad_marker(spec: Placed) -> None:
    (spec.directory / envs.MARKER).write_text('{"name": "tiny"')


def no_python(spec: Placed) -> None:
    (spec.directory / "bin" / "python").unlink()


def dangling_python(spec: Placed) -> None:
    no_python(spec)
    (spec.directory / "bin" / "python").symlink_to("/nowhere/python3")


def no_file(spec: Placed) -> None:
    (packages(spec) / "zz_alpha" / "__init__.py").unlink()


def no_package(spec: Placed) -> None:
    shutil.rmtree(packages(spec) / "zz_alpha")


def half_removed(spec: Placed) -> None:
    shutil.rmtree(spec.directory / "lib")


def another_file(spec: Placed) -> None:
    module = packages(spec) / "zz_alpha" / "__init__.py"
    module.unlink()
    module.write_text("VERSION = '6.6.6'\n")


class Copy:
    """A copy of an environment, to be damaged."""

    def __init__(self, spec: EnvSpec, directory: Path) -> None:
        self.directory = shutil.copytree(spec.directory, directory, symlinks=True)


BREAKAGES: dict[Callable[[Placed], None], str] = {
    no_marker: "never finished",
    bad_marker: "never finished",
    no_python: "Python is gone",
    dangling_python: "Python is gone",
    no_file: "zz_alpha/__init__.py is missing",
    no_package: "zz_alpha/__init__.py is missing",
    half_removed: "is missing",
    another_file: "zz_alpha/__init__.py was altered",
}


@pytest.mark.parametrize("damage", BREAKAGES, ids=lambda f: f.__name__)
def test_damage_is_noticed(made: EnvSpec, tmp_path: Path, damage: Callable[[Placed], None]):
    copy = Copy(made, tmp_path / "copy")
    assert envs.inspect(copy.directory).problem == ""
    damage(copy)
    assert BREAKAGES[damage] in envs.inspect(copy.directory).problem


@pytest.mark.parametrize("damage", [no_marker, no_python, no_file, another_file], ids=lambda f: f.__name__)
def test_a_damaged_environment_is_made_again(made: EnvSpec, damage: Callable[[Placed], None]):
    litter = made.directory / "litter"
    litter.touch()
    damage(made)
    said: list[str] = []
    assert ensure(made, said.append).problem == ""
    assert said[0].startswith("remaking: ")
    assert BREAKAGES[damage] in said[0]
    assert not litter.exists()
    assert imports(made, "zz_alpha", "zz_beta") == "1.0 1.0"


def test_a_directory_with_anything_else_in_it_is_no_environment(stocked: Any, home: Path, tmp_path: Path):
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))
    (spec.directory / "lib").mkdir(parents=True)
    (spec.directory / "lib" / "junk").write_text("x")
    assert find(spec).problem == "was never finished"
    assert ensure(spec).problem == ""
    assert not (spec.directory / "lib" / "junk").exists()


# -- files that are shared with uv's cache ------------------------------------------------------------------


@pytest.fixture
def linked(own_shelf: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvSpec:
    """An environment whose files are hard links into a cache of its own."""
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    own_shelf.wheel("zz_alpha", "1.0")
    own_shelf.wheel("zz_beta", "1.0")
    spec = spec_for("tiny", lock_in(tmp_path))
    ensure(spec)
    if (packages(spec) / "zz_alpha" / "__init__.py").stat().st_nlink == 1:
        pytest.skip("no hard links here")
    return spec


def truncated(spec: EnvSpec, package: str) -> None:
    os.truncate(packages(spec) / package / "__init__.py", 3)


def test_a_file_truncated_in_place_does_not_come_back_from_the_cache(linked: EnvSpec):
    truncated(linked, "zz_alpha")
    assert "zz_alpha/__init__.py was altered" in find(linked).problem
    assert ensure(linked).problem == ""
    assert imports(linked, "zz_alpha", "zz_beta") == "1.0 1.0"


def test_files_of_two_packages_truncated_in_place_do_not_come_back(linked: EnvSpec):
    for package in ("zz_alpha", "zz_beta"):
        truncated(linked, package)
    assert ensure(linked).problem == ""
    assert imports(linked, "zz_alpha", "zz_beta") == "1.0 1.0"


def test_a_file_truncated_beside_one_deleted_does_not_come_back(linked: EnvSpec):
    no_file(linked)
    truncated(linked, "zz_beta")
    assert ensure(linked).problem == ""
    assert imports(linked, "zz_alpha", "zz_beta") == "1.0 1.0"


def test_a_damaged_copy_in_uvs_cache_is_not_installed(linked: EnvSpec, tmp_path: Path):
    """Altered through one environment, about to be linked into another."""
    truncated(linked, "zz_alpha")
    other = spec_for("other", lock_in(tmp_path / "other", "zz-alpha==1.0\n"))
    assert ensure(other).problem == ""
    assert imports(other, "zz_alpha") == "1.0"


def test_a_wheel_whose_own_record_is_wrong_can_be_installed(own_shelf: Any, home: Path, tmp_path: Path):
    """Such wheels exist; pip and uv install them."""
    own_shelf.wheel("zz_odd", "1.0", recorded_size=7)
    spec = spec_for("tiny", lock_in(tmp_path, "zz-odd==1.0\n"))
    assert ensure(spec).problem == ""
    assert imports(spec, "zz_odd") == "1.0"


# -- interruption, and two at once -----------------------------------------------------------------------


class Gate:
    """A uv that waits in the middle of an installation until it is let through.

    Args:
        directory: Where its files are.
    """

    def __init__(self, directory: Path) -> None:
        self.reached, self.go, self.over = (directory / n for n in ("reached", "go", "over"))
        self.program = directory / "uv"
        self.program.write_text(
            textwrap.dedent(f"""\
            #!/bin/sh
            case "$*" in *"pip install"*)
                touch '{self.reached}'
                tries=0
                while [ ! -e '{self.go}' ] && [ $tries -lt 2000 ]; do sleep 0.1; tries=$((tries + 1)); done
            esac
            '{uv_package.find_uv_bin()}' "$@"
            code=$?
            touch '{self.over}'
            exit $code
            """)
        )
        self.program.chmod(0o755)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    found = Gate(tmp_path)
    yield found
    found.go.touch()


@contextlib.contextmanager
def maker(lock: Path, program: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Another process that makes the environment and prints what it is told, then ``end: PROBLEM``."""
    code = f"""
    import sys, uv
    if {program is not None}:
        uv.find_uv_bin = lambda: {str(program)!r}
    from pathlib import Path
    from mlpzoo import envs
    tell = lambda text: print(text, flush=True)
    print("end:", envs.ensure(envs.spec_for("tiny", Path({str(lock)!r})), tell).problem)
    """
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def wait_for(file: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} never came"
        time.sleep(0.02)


def test_a_creation_that_is_killed_is_made_again_and_its_uv_does_not_interfere(
    stocked: Any, home: Path, tmp_path: Path, gate: Gate
):
    """Its uv outlives it: it must be waited for, or ended, before the directory is made anew."""
    lock = lock_in(tmp_path)
    spec = spec_for("tiny", lock)
    with maker(lock, gate.program) as process:
        wait_for(gate.reached)
        gate.over.unlink(missing_ok=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert spec.directory.exists()
    assert find(spec).problem == "was never finished"

    def told(text: str) -> None:
        if text.startswith("waiting"):
            gate.go.touch()

    assert ensure(spec, told).problem == ""
    assert installed(spec) == {"zz_alpha-1.0", "zz_beta-1.0"}
    assert imports(spec, "zz_alpha", "zz_beta") == "1.0 1.0"
    if not gate.over.exists():
        gate.go.touch()
        time.sleep(1.0)  # uv would end within this time, had it survived
        assert not gate.over.exists()


def test_two_processes_make_one_environment_once(stocked: Any, home: Path, tmp_path: Path, gate: Gate):
    lock = lock_in(tmp_path)
    with maker(lock, gate.program) as first:
        wait_for(gate.reached)
        with maker(lock) as second:
            assert second.stdout is not None
            assert "waiting for another process" in second.stdout.readline()
            gate.go.touch()
            said = [p.communicate(timeout=PATIENCE_S)[0] for p in (first, second)]
    assert "step 1 of 4" in said[0]
    assert "step" not in said[1]
    for text, process in zip(said, (first, second), strict=True):
        assert text.splitlines()[-1] == "end: "
        assert process.returncode == 0
    assert imports(spec_for("tiny", lock), "zz_alpha", "zz_beta") == "1.0 1.0"


def test_different_environments_do_not_wait_for_each_other(
    stocked: Any, home: Path, tmp_path: Path, gate: Gate
):
    with maker(lock_in(tmp_path / "a"), gate.program):
        wait_for(gate.reached)
        said: list[str] = []
        spec = spec_for("tiny", lock_in(tmp_path / "b", "zz-alpha==2.0\n"))
        assert ensure(spec, said.append).problem == ""
        assert not any(line.startswith("waiting") for line in said)
        gate.go.touch()


@pytest.mark.parametrize("step", ["step 1", "step 4"])
def test_an_interrupted_creation_leaves_nothing(stocked: Any, home: Path, tmp_path: Path, step: str):
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))

    def interrupt(text: str) -> None:
        if text.startswith(step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(spec, interrupt)
    assert not spec.directory.exists()
    assert envs.all_environments() == ()


def test_the_lock_is_free_after_a_failure(stocked: Any, home: Path, tmp_path: Path):
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(spec, interrupt)
    said: list[str] = []
    ensure(spec, said.append)
    assert not any(line.startswith("waiting") for line in said)


# -- failures of uv --------------------------------------------------------------------------------------


def test_a_package_that_does_not_exist_is_reported_in_uvs_words(stocked: Any, home: Path, tmp_path: Path):
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\nzz-nonexistent==1.0\n"))
    with pytest.raises(EnvError, match="zz-nonexistent was not found") as caught:
        ensure(spec)
    assert "uv pip failed with exit code 1" in caught.value.message
    assert "index" in caught.value.hint
    assert not spec.directory.exists()
    assert envs.all_environments() == ()


def test_a_wheel_with_another_hash_is_refused(stocked: Any, home: Path, tmp_path: Path):
    spec = spec_for("tiny", lock_in(tmp_path, f"zz-alpha==1.0 \\\n    --hash=sha256:{'0' * 64}\n"))
    with pytest.raises(EnvError, match=r"(?i)hash"):
        ensure(spec)
    assert not spec.directory.exists()


def test_a_python_that_does_not_exist_is_reported(
    stocked: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    spec = spec_for("tiny", lock_in(tmp_path), python=str(tmp_path / "nowhere" / "python"))
    with pytest.raises(EnvError, match="nowhere"):
        ensure(spec)
    assert not spec.directory.exists()


def test_a_missing_uv_says_how_to_get_it(home: Path, monkeypatch: pytest.MonkeyPatch):
    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(uv_package, "find_uv_bin", none)
    with pytest.raises(EnvError, match="uv is not installed") as caught:
        uv("--version")
    assert caught.value.hint == "pip install uv"


def test_uv_returns_what_it_printed(home: Path):
    assert uv("--version").startswith("uv ")


# -- torch: the build depends on the machine ---------------------------------------------------------------


@pytest.fixture
def torches(own_shelf: Any, home: Path) -> Any:
    """A shelf with something called torch, which needs one package of the lock."""
    own_shelf.wheel("zz_alpha", "1.0")
    own_shelf.wheel("zz_alpha", "2.0")
    own_shelf.wheel("torch", "9.0", requires=["zz-alpha"])
    return own_shelf


TORCH_LOCK = "# mlpzoo-variant: torch==9.0\nzz-alpha==1.0\n"


@pytest.mark.skipif(sys.platform != "linux", reason="builds are told apart on Linux only")
def test_the_cpu_build_is_preferred_when_cpu_is_asked_for(torches: Any, tmp_path: Path):
    torches.wheel("torch", "9.0+cpu", requires=["zz-alpha"])
    spec = spec_for("tiny", lock_in(tmp_path, TORCH_LOCK), torch="cpu")
    ensure(spec)
    assert installed(spec) == {"torch-9.0+cpu", "zz_alpha-1.0"}


def test_the_plain_build_is_taken_when_there_is_no_other(torches: Any, tmp_path: Path):
    """What torch itself needs is what the lock says, not the newest."""
    spec = spec_for("tiny", lock_in(tmp_path, TORCH_LOCK), torch="cpu")
    said: list[str] = []
    ensure(spec, said.append)
    assert installed(spec) == {"torch-9.0", "zz_alpha-1.0"}
    assert any(line.startswith("step 2 of 4: installing torch==9.0") for line in said)


def test_the_index_alone_decides_when_asked_to(torches: Any, tmp_path: Path):
    spec = spec_for("tiny", lock_in(tmp_path, TORCH_LOCK), torch="index")
    said: list[str] = []
    ensure(spec, said.append)
    assert sum(line.startswith("step 2") for line in said) == 1
    assert installed(spec) == {"torch-9.0", "zz_alpha-1.0"}


def test_a_torch_that_cannot_be_had_is_reported_with_every_try(torches: Any, tmp_path: Path):
    lock = lock_in(tmp_path, TORCH_LOCK.replace("9.0", "9.9"))
    spec = spec_for("tiny", lock, torch="cpu")
    with pytest.raises(EnvError, match=r"torch==9\.9 could not be installed for 'tiny'") as caught:
        ensure(spec)
    assert "default build" in caught.value.message
    assert "MLPZOO_TORCH" in caught.value.hint
    assert not spec.directory.exists()


# -- listing and removing ----------------------------------------------------------------------------------


def test_every_environment_is_listed_finished_or_not(stocked: Any, home: Path, tmp_path: Path):
    assert envs.all_environments() == ()
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))
    ensure(spec)
    unfinished = paths.below_home("envs") / "half-0123"
    unfinished.mkdir()
    found = {e.directory: e for e in envs.all_environments()}
    assert set(found) == {spec.directory, unfinished}
    assert found[spec.directory].problem == ""
    assert found[spec.directory].marker is not None
    assert found[unfinished].problem == "was never finished"


def test_a_removed_environment_is_gone_and_can_be_made_again(stocked: Any, home: Path, tmp_path: Path):
    spec = spec_for("tiny", lock_in(tmp_path, "zz-alpha==1.0\n"))
    envs.remove(ensure(spec))
    assert not spec.directory.exists()
    assert envs.all_environments() == ()
    assert find(spec).problem
    assert ensure(spec).problem == ""


@pytest.mark.parametrize(
    ("directory", "owner"),
    [
        ("plugins/mlpzoo-nequip", "nequip"),
        ("site-packages/mlpzoo_my_model", "my-model"),
    ],
)
def test_an_environment_is_named_after_the_plugin_whose_lock_it_is(
    one_home: Path, directory: str, owner: str
) -> None:
    """Whichever family asks: those with the same lock share it."""
    lock = lock_in(one_home / directory)
    families = [
        SimpleNamespace(family=name, lock_file=lock, requires=("x",)) for name in ("nequip", "allegro")
    ]
    first, second = (envs.spec_of(backend) for backend in families)
    assert first is not None
    assert first.name == owner
    assert first.directory == second.directory
    assert envs.spec_of(SimpleNamespace(lock_file=None)) is None


def test_elsewhere_it_is_named_after_the_family(one_home: Path) -> None:
    lock = lock_in(one_home / "site-packages")
    found = envs.spec_of(SimpleNamespace(family="single", lock_file=lock, requires=("x",)))
    assert found is not None
    assert found.name == "single"


def test_removing_one_leaves_the_others(stocked: Any, home: Path, tmp_path: Path):
    one = spec_for("one", lock_in(tmp_path / "1", "zz-alpha==1.0\n"))
    two = spec_for("two", lock_in(tmp_path / "2", "zz-alpha==1.0\n"))
    assert one.directory != two.directory
    first, second = ensure(one), ensure(two)
    envs.remove(first)
    assert [e.directory for e in envs.all_environments()] == [second.directory]
    assert imports(two, "zz_alpha") == "1.0"


def test_removing_twice_is_no_error(stocked: Any, home: Path, tmp_path: Path):
    gone = envs.inspect(spec_for("tiny", lock_in(tmp_path)).directory)
    envs.remove(gone)
    envs.remove(gone)


def test_an_unfinished_environment_can_be_removed(home: Path):
    half = paths.below_home("envs") / "half-0123"
    (half / "lib").mkdir(parents=True)
    envs.remove(envs.inspect(half))
    assert not half.exists()
