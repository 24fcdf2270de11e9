"""``python worker_boot.py``: serves force calls and runs whole tasks next to a framework.

Lives in a process of its own, in the family's environment or in this Python, and ends when the parent
does.  Its standard output goes to standard error: frameworks print.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpzoo import wire
from mlpzoo.errors import ZooError
from mlpzoo.results import pack, unpack
from mlpzoo.task_run import calculator, reason, registry, run_task
from mlpzoo.versions import framework_versions

if TYPE_CHECKING:
    from mlpzoo.calculator import ZooCalculator

_F_SETSIG = 10
"""Linux; in Python's ``fcntl`` from 3.11 only."""


def serve(fd: int, lifeline: int, *, memory_limit_bytes: int = 0) -> None:
    """Answer requests until the parent hangs up."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    channel = wire.Channel(socket.socket(fileno=fd), wire.Request)
    _end_with(lifeline)
    _expect_to_be_killed_first()
    if memory_limit_bytes:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
    session = Session(channel)
    with contextlib.suppress(wire.Closed):
        while True:
            session.answer(channel.receive())


class Session:
    """The state of one worker: the calculators that it has built.

    Args:
        channel: The line to the parent.
    """

    def __init__(self, channel: wire.Channel) -> None:
        self.channel = channel
        self.current: ZooCalculator | None = None

    def answer(self, request: wire.Request) -> None:
        """Do what is asked and send the answer, or the exception."""
        try:
            if isinstance(request, wire.Calculate):
                self.channel.send(self._calculate(request))
            elif isinstance(request, wire.RunTask):
                self.channel.send(run_task(request, self._progress()))
            elif isinstance(request, wire.RunChecks):
                self._check(request)
            elif isinstance(request, wire.Train):
                from mlpzoo.training_run import run_training

                backend = registry(request.plugin_module).backend(request.family).item
                self.channel.send(run_training(request, backend, self._progress()))
            else:
                known = registry(request.plugin_module)
                self.current = calculator(known, request.family, request.model)
                requires = known.backend(request.family).item.requires
                self.channel.send(
                    wire.Opened(card=self.current.card, frameworks=framework_versions(tuple(requires)))
                )
        except wire.Closed:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  (carried to the parent)
            self.channel.send(
                wire.Failure(
                    kind=type(error).__name__,
                    message=reason(error),
                    hint=error.hint if isinstance(error, ZooError) else "",
                    remote_traceback=traceback.format_exc(),
                )
            )

    def _progress(self) -> Any:
        last = [0.0]

        def progress(done: int, total: int, what: str) -> None:
            now = time.monotonic()
            if now - last[0] > 0.1 or done == total:  # noqa: PLR2004
                last[0] = now
                self.channel.send(wire.Progress(done=done, total=total, what=what))

        return progress

    def _calculate(self, request: wire.Calculate) -> wire.Calculated:
        from ase import Atoms

        assert self.current is not None  # noqa: S101  (the parent opens first)
        atoms = Atoms(
            numbers=unpack(request.numbers),
            positions=unpack(request.positions),
            cell=unpack(request.cell),
            pbc=request.pbc,
        )
        for name, array in request.extras.items():
            atoms.set_array(name, unpack(array))
        self.current.reset()
        start = time.perf_counter()
        self.current.calculate(atoms, request.properties)
        seconds = time.perf_counter() - start
        import numpy as np

        return wire.Calculated(
            results={k: pack(np.asarray(v)) for k, v in self.current.results.items()}, seconds=seconds
        )

    def _check(self, request: wire.RunChecks) -> None:
        from mlpzoo.testing import Subject, random_subject, run_checks

        backend = registry(request.plugin_module).backend(request.family).item
        spec = request.model
        with (
            random_subject(backend, request.random, device=spec.device, dtype=spec.dtype)
            if request.random
            else contextlib.nullcontext(Subject(backend=backend, spec=spec)) as subject
        ):
            for found in run_checks(subject, request.names or None):
                self.channel.send(
                    wire.Checked(
                        name=found.name,
                        promise=found.promise,
                        status=found.status,
                        message=found.message,
                        seconds=found.seconds,
                    )
                )
        self.channel.send(wire.ChecksDone())


def _end_with(lifeline: int) -> None:
    """End this process and its children when the parent's end of ``lifeline`` closes, whatever it is doing.

    On Linux the kernel itself sends the signal, so that code which never gives the interpreter a chance (a
    long call into C) ends too; a thread does it elsewhere.
    """
    if os.getpgrp() != os.getpid():  # the parent starts us as a group of our own
        return
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    hung_up = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL

    def watch() -> None:
        poll = select.poll()
        poll.register(lifeline, hung_up)
        while True:
            if any(event & hung_up for _, event in poll.poll()):
                os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="mlpzoo-watch").start()


def _expect_to_be_killed_first() -> None:
    """Ask Linux to choose this process, not the parent, when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
