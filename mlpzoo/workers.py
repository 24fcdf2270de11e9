"""The parent's side of a worker process."""

from __future__ import annotations

import atexit
import collections
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from mlpzoo import wire
from mlpzoo.errors import WorkerError

_TAIL_LINES: Final = 60
"""A crashed interpreter's report of where it was is about this long."""
START_TIMEOUT_S: Final = 600.0
"""A framework's first import on a cold, slow disk takes a minute."""

_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a worker.

    Attributes:
        python: The interpreter.
        places: Top-level modules that the worker takes from here: name to the directory that holds it.
        path: More of the import path: this process's own, if the worker runs this Python.
        threads: Threads per worker; 0 leaves the choice to the frameworks.
        memory_limit_bytes: Data memory that the worker may hold; 0 for no limit.
    """

    python: str
    places: dict[str, str]
    path: tuple[str, ...] = ()
    threads: int = 0
    memory_limit_bytes: int = 0


def launch_here(modules: Mapping[str, Any], **options: Any) -> Launch:
    """A worker of this Python, with this process's import path."""
    return Launch(
        python=sys.executable,
        places=places(modules),
        path=tuple(p for p in sys.path if p),
        **options,
    )


def launch_in(python: Path, modules: Mapping[str, Any], **options: Any) -> Launch:
    """A worker of an environment: it borrows mlpzoo and the named plugin modules, and nothing else."""
    return Launch(python=str(python), places=places(modules), **options)


def places(modules: Mapping[str, Any]) -> dict[str, str]:
    """Top-level name to containing directory, for mlpzoo and each of these modules.

    Args:
        modules: Module name to module.
    """
    found = {"mlpzoo": str(Path(__file__).resolve().parent.parent)}
    for name, module in modules.items():
        top = name.partition(".")[0]
        file = getattr(sys.modules.get(top, module), "__file__", None)
        if top != "mlpzoo" and file:
            path = Path(file).resolve()
            found[top] = str(path.parent.parent if path.name == "__init__.py" else path.parent)
    return found


class Worker:
    """A running worker process.  Use as a context manager, or call `close`.

    Args:
        launch: How to start it.
        name: For messages: usually the family.
    """

    _living: ClassVar[weakref.WeakSet[Worker]] = weakref.WeakSet()

    def __init__(self, launch: Launch, name: str) -> None:
        self.name = name
        self._asked = False
        self._stderr: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        ours, theirs = socket.socketpair()
        self._lifeline, held = socket.socketpair()  # nothing is ever sent on it: it closes with us
        setup = {
            "fd": theirs.fileno(),
            "lifeline": held.fileno(),
            "places": launch.places,
            "path": list(launch.path),
            "memory_limit_bytes": launch.memory_limit_bytes,
        }
        boot = Path(__file__).with_name("worker_boot.py")
        try:
            with theirs, held:
                self._process = subprocess.Popen(  # noqa: S603
                    [launch.python, "-u", str(boot), json.dumps(setup)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(), held.fileno()),
                    start_new_session=True,
                    env=_environment(launch),
                )
        except OSError as error:
            ours.close()
            self._lifeline.close()
            raise WorkerError(
                f"{launch.python} cannot be started: {error.strerror}", hint="see 'mlpzoo env list'"
            ) from error
        self._channel = wire.Channel(ours, wire.Reply)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        Worker._living.add(self)

    @property
    def pid(self) -> int:
        """Process id, which is also its group's."""
        return self._process.pid

    def ask(
        self,
        request: wire.Request,
        *,
        timeout_s: float | None = None,
        on_message: Callable[[Any], None] = lambda _: None,
    ) -> Any:
        """Send a request and wait for its last reply.

        Args:
            request: What to do.
            timeout_s: The worker is killed if the last reply has not come by then.
            on_message: Told each `wire.Progress` and `wire.Checked` on the way.

        Raises:
            WorkerError: The worker died, was too slow, or answered with an exception.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        if self._asked:
            self._stderr.clear()  # what an earlier request made it say
        self._asked = True
        try:
            self._channel.send(request)
            while True:
                left = None if deadline is None else deadline - time.monotonic()
                reply = self._channel.receive(left)
                if isinstance(reply, (wire.Progress, wire.Checked)):
                    on_message(reply)
                elif isinstance(reply, wire.Failure):
                    raise WorkerError(
                        reply.message,
                        hint=reply.hint,
                        remote_traceback=reply.remote_traceback,
                        stderr_tail=self.stderr_tail(),
                        kind=reply.kind,
                    )
                else:
                    return reply
        except wire.TimedOut:
            self.kill()
            raise WorkerError(
                f"no answer within the time limit of {timeout_s:g} s; the worker was stopped",
                hint="raise it with --timeout",
                stderr_tail=self.stderr_tail(),
            ) from None
        except wire.Closed as error:
            raise self._post_mortem(error.text) from None
        except WorkerError:
            raise
        except BaseException:
            self.kill()  # interrupted in the middle of a conversation: it cannot be continued
            raise

    def stderr_tail(self) -> str:
        """The last lines that the worker wrote to stderr (or to stdout, which goes there too)."""
        return "\n".join(self._stderr)

    def close(self) -> None:
        """Hang up; the worker ends by itself, or is made to."""
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        self.kill()

    def kill(self) -> None:
        """End the worker and everything it started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._channel.close()
        self._lifeline.close()
        self._reader.join(1.0)
        if self._process.stderr is not None and not self._reader.is_alive():
            self._process.stderr.close()
        Worker._living.discard(self)

    @property
    def alive(self) -> bool:
        """Whether the process runs and can be asked."""
        return self._process.poll() is None and self in Worker._living

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drain(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stderr:
                if not line.startswith(b"Extension modules:"):
                    self._stderr.append(line.decode(errors="replace").rstrip()[:500])

    def _post_mortem(self, remote_traceback: str) -> WorkerError:
        """Why the other end is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        code = self._process.poll()
        self.kill()
        if remote_traceback:
            last = remote_traceback.strip().splitlines()[-1]
            message = f"the worker could not start: {last}"
        elif code is None:
            message = "the worker closed its channel and had to be stopped"
        elif code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            memory = ", perhaps out of memory" if -code == signal.SIGKILL else ""
            message = f"the worker was killed by {name}{memory}"
        else:
            message = f"the worker ended by itself with exit code {code}"
        return WorkerError(message, remote_traceback=remote_traceback, stderr_tail=self.stderr_tail())


def _environment(launch: Launch) -> dict[str, str]:
    """Variables of the worker: this process's, less what would mix the two Pythons."""
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    environ["PYTHONUNBUFFERED"] = "1"
    environ["PYTHONNOUSERSITE"] = "1"
    environ["PYTHONFAULTHANDLER"] = "1"
    if launch.threads:
        for name in _THREAD_VARIABLES:
            environ.setdefault(name, str(launch.threads))
    return environ


@atexit.register
def _end_all() -> None:
    for worker in list(Worker._living):  # noqa: SLF001
        worker.kill()
