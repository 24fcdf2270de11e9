"""One environment per lock file, made by uv and never half-made.

An environment's identity is the hash of its lock file, the Python version and the torch variant asked for.
It counts only when its marker file, written last, is there and every installed file still has the size that
the marker recorded; anything else is removed and made again.  A file lock makes two processes wait for each
other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from mlpzoo import paths
from mlpzoo.installing import install_variants, replace_damaged
from mlpzoo.lockfile import LockFile, read_lock
from mlpzoo.uvtool import ProgressFn, uv

if TYPE_CHECKING:
    from mlpzoo.models import Backend

MARKER: Final = "mlpzoo-env.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSpec:
    """What an environment is made of.

    Attributes:
        name: For people: the plugin that its lock file belongs to.
        lock: The lock file.
        python: Interpreter request for uv: a version or a path.
        torch: ``auto``, ``cpu``, ``cu128``, ...: which build of torch.
    """

    name: str
    lock: LockFile
    python: str = ""
    torch: str = "auto"

    @property
    def identity(self) -> str:
        """First 16 hex digits of the hash of lock, Python and torch variant."""
        text = f"{self.lock.sha256}\n{self.python or platform.python_version()}\n{self.torch}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def directory(self) -> Path:
        """Where it is, or would be."""
        return paths.below_home("envs") / f"{self.name}-{self.identity}"


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a finished environment.

    Attributes:
        files: Path below the environment to size in bytes, of every file that was installed.
    """

    name: str
    identity: str
    lock_sha256: str
    python: str
    torch: str
    created: str
    seconds: float
    size_bytes: int
    files: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment on disk.

    Attributes:
        directory: Where it is.
        marker: Its record; None if it was never finished.
        problem: What is wrong with it; empty if nothing is.
    """

    directory: Path
    marker: Marker | None = None
    problem: str = ""

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"


def spec_for(name: str, lock_file: Path, *, python: str = "", torch: str = "") -> EnvSpec:
    """The environment of a family on this machine.

    ``MLPZOO_PYTHON`` and ``MLPZOO_TORCH`` replace the defaults: this Python, and the torch build that fits.

    Raises:
        EnvError: The lock file is missing or no lock file.
    """
    return EnvSpec(
        name=name,
        lock=read_lock(lock_file),
        python=python or os.environ.get("MLPZOO_PYTHON", ""),
        torch=torch or os.environ.get("MLPZOO_TORCH", "auto"),
    )


def spec_of(backend: Backend, *, python: str = "", torch: str = "") -> EnvSpec | None:
    """The environment of a backend's family; None if it needs none.

    It is named after the plugin that the lock file belongs to, if that can be told: families with one lock
    share one environment.

    Raises:
        EnvError: As for `spec_for`.
    """
    if backend.lock_file is None:
        return None
    name = owner_of(backend.lock_file) or backend.family
    return spec_for(name, backend.lock_file, python=python, torch=torch)


def owner_of(lock_file: Path) -> str:
    """The plugin whose lock it is, by its directory (``mlpzoo-NAME`` or ``mlpzoo_NAME``); or nothing."""
    found = re.fullmatch(r"mlpzoo[-_](.+)", lock_file.resolve().parent.name)
    return found[1].replace("_", "-") if found else ""


def inspect(directory: Path) -> Environment:
    """What state an environment is in; cheap enough to ask before every use (a stat per file)."""
    try:
        marker = msgspec.json.decode((directory / MARKER).read_bytes(), type=Marker)
    except (OSError, msgspec.MsgspecError):
        return Environment(directory=directory, problem="was never finished")
    if not os.access(directory / "bin" / "python", os.X_OK):
        return Environment(directory=directory, marker=marker, problem="its Python is gone")
    try:
        for name, size in marker.files.items():
            if os.stat(f"{directory}/{name}").st_size != size:  # noqa: PTH116  (30,000 files: speed)
                return Environment(directory=directory, marker=marker, problem=f"{name} was altered")
    except OSError as error:
        missing = os.path.relpath(error.filename, directory)
        return Environment(directory=directory, marker=marker, problem=f"{missing} is missing")
    return Environment(directory=directory, marker=marker)


def find(spec: EnvSpec) -> Environment:
    """The environment as it is now; see `Environment.problem`."""
    return inspect(spec.directory)


def to_be_made(backend: Backend) -> bool:
    """Whether a family's environment is missing or broken; False if it needs none."""
    spec = spec_of(backend)
    return spec is not None and bool(find(spec).problem)


def ensure(spec: EnvSpec, progress: ProgressFn = lambda _: None) -> Environment:
    """The environment, made if it is missing or broken.

    Args:
        spec: What it is made of.
        progress: Told, in a few words, what is being done.

    Raises:
        EnvError: uv could not make it; the message ends with uv's own.
    """
    with _alone(spec.directory, progress) as held:
        found = find(spec)
        if not found.problem:
            return found
        if spec.directory.exists():
            progress(f"remaking: {found.problem}")
            shutil.rmtree(spec.directory)
        try:
            _create(spec, progress, partial(uv, keep_open=held))
        except BaseException:
            shutil.rmtree(spec.directory, ignore_errors=True)
            raise
        return find(spec)


def all_environments() -> tuple[Environment, ...]:
    """Every environment below the home directory, finished or not."""
    root = paths.below_home("envs")
    return tuple(inspect(d) for d in sorted(root.iterdir()) if d.is_dir())


def remove(environment: Environment) -> None:
    """Delete an environment; waits for a process that is making it."""
    with _alone(environment.directory, lambda _: None):
        with contextlib.suppress(FileNotFoundError):
            (environment.directory / MARKER).unlink()  # first, so that a half-removed one does not count
        shutil.rmtree(environment.directory, ignore_errors=True)


@contextlib.contextmanager
def _alone(directory: Path, progress: ProgressFn) -> Iterator[int]:
    """Hold the lock of one environment; yields its file descriptor.

    The lock goes with this process, however that ends, and with those that inherit the descriptor: a uv
    that outlives its killed parent still holds it.
    """
    with directory.with_suffix(".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress("waiting for another process that is making it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def _create(spec: EnvSpec, progress: ProgressFn, run: Callable[..., str]) -> None:
    start = time.monotonic()
    target = spec.directory
    python = spec.python or sys.executable
    progress(f"step 1 of 4: creating it with Python {spec.python or platform.python_version()}")
    run("venv", "--no-project", "--python", python, str(target))
    installer = ("pip", "install", "--python", str(target / "bin" / "python"))
    install_variants(spec.name, spec.lock.variants, spec.torch, spec.lock.path, installer, progress, run)
    progress(f"step 3 of 4: installing the {len(spec.lock.packages)} packages of the lock")
    run(*installer, "--no-deps", "-r", str(spec.lock.path), on_line=progress)
    progress("step 4 of 4: checking and recording what was installed")
    replace_damaged(target, installer, progress, run)
    files = {
        os.path.relpath(os.path.join(folder, name), target): os.path.getsize(os.path.join(folder, name))  # noqa: PTH118,PTH202
        for folder, _, names in os.walk(target)
        for name in names
        if not name.endswith((".pyc", ".lock"))
    }
    marker = Marker(
        name=spec.name,
        identity=spec.identity,
        lock_sha256=spec.lock.sha256,
        python=_python_version(target),
        torch=spec.torch,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        seconds=time.monotonic() - start,
        size_bytes=sum(files.values()),
        files=files,
    )
    temporary = target / f"{MARKER}.part"
    temporary.write_bytes(msgspec.json.encode(marker))
    temporary.rename(target / MARKER)


def _python_version(directory: Path) -> str:
    text = (directory / "pyvenv.cfg").read_text()
    match = re.search(r"^version_info\s*=\s*(\S+)", text, re.MULTILINE)
    return match.group(1) if match else ""
