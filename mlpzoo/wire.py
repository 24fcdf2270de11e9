"""What parent and worker say to each other, and the channel they say it over.

The channel is a socket pair that only the two processes hold; frames are a kind, a length and a
MessagePack document with a fixed schema.  Nothing is ever unpickled.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Any, Final

import msgspec

from mlpzoo.benchmark import Array, Case, RunSettings
from mlpzoo.labelled import LabelledSet
from mlpzoo.models import ModelCard, ModelSpec
from mlpzoo.results import Status

_HEADER: Final = struct.Struct("<cQ")
MESSAGE: Final = b"M"
TRACEBACK: Final = b"T"
_LIMIT_BYTES: Final = 1 << 32


class Closed(Exception):  # noqa: N818
    """The other side is gone.  ``text`` holds its traceback if it could still send one."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text


class TimedOut(Exception):  # noqa: N818
    """Nothing came before the deadline."""


# -- parent to worker ----------------------------------------------------------------------------------


class Open(msgspec.Struct, tag="open"):
    """Build a calculator and keep it."""

    plugin_module: str
    family: str
    model: ModelSpec


class Calculate(msgspec.Struct, tag="calculate"):
    """One force call on the calculator opened last."""

    numbers: Array
    positions: Array
    cell: Array
    pbc: tuple[bool, bool, bool]
    extras: dict[str, Array]
    properties: list[str]


class RunTask(msgspec.Struct, tag="task"):
    """A whole benchmark task."""

    plugin_module: str
    family: str
    model: ModelSpec | None
    benchmark_module: str
    benchmark: str
    case: Case
    settings: RunSettings
    floor: str = ""
    directory: str = ""


class RunChecks(msgspec.Struct, tag="checks"):
    """The conformance kit on one model.

    Attributes:
        random: Kind of a model with random weights to make and test; of ``model`` only device and precision
            count then.
    """

    plugin_module: str
    family: str
    model: ModelSpec
    names: list[str]
    random: str = ""


class Train(msgspec.Struct, tag="train", kw_only=True):
    """Train a model, and evaluate it as any other model.

    Attributes:
        name: Of the model, for messages.
        directory: Private to this training; ``train.log`` in it gets what the framework prints.
        tests: Name to structures, for errors only.
    """

    plugin_module: str
    family: str
    name: str
    directory: str
    train: LabelledSet
    validation: LabelledSet
    tests: dict[str, LabelledSet]
    settings: dict[str, bool | int | float | str]
    seed: int
    device: str
    threads: int


# -- worker to parent ----------------------------------------------------------------------------------


class Opened(msgspec.Struct, tag="opened"):
    """The calculator is ready; this is what it declares."""

    card: ModelCard
    frameworks: dict[str, str]


class Calculated(msgspec.Struct, tag="calculated"):
    """Results of one force call, and how long it took there."""

    results: dict[str, Array]
    seconds: float = 0.0


class Progress(msgspec.Struct, tag="progress"):
    """How far a task is."""

    done: int
    total: int
    what: str


class Report(msgspec.Struct, tag="report", kw_only=True):
    """How a task ended, and where it ran."""

    status: Status
    values: dict[str, float] = msgspec.field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)
    arrays: dict[str, Array] = msgspec.field(default_factory=dict)
    message: str = ""
    remote_traceback: str = ""
    n_evaluations: int = 0
    wall_time_s: float = 0.0
    cpu_time_s: float = 0.0
    calculator_time_s: float = 0.0
    absent: dict[str, str] = msgspec.field(default_factory=dict)
    frameworks: dict[str, str] = msgspec.field(default_factory=dict)
    python: str = ""
    device_name: str = ""
    threads: int = 0


class TrainingDone(msgspec.Struct, tag="trained", kw_only=True):
    """A trained model, and what is known of it.

    Attributes:
        path: Its file, in the directory of the training.
        errors: ``training``, ``validation`` or name of a test set to errors by name.
        training_time_s: Wall time of all its pieces together, if it was interrupted.
    """

    path: str
    elements: tuple[str, ...]
    properties: tuple[str, ...]
    cutoff_ang: float
    n_parameters: int
    title: str
    citation: str
    notes: str
    errors: dict[str, dict[str, float]]
    training_time_s: float
    frameworks: dict[str, str]
    python: str
    device_name: str
    threads: int


class Checked(msgspec.Struct, tag="checked"):
    """One promise of the conformance kit."""

    name: str
    promise: str
    status: str
    message: str
    seconds: float


class ChecksDone(msgspec.Struct, tag="checks-done"):
    """All promises were tried."""


class Failure(msgspec.Struct, tag="failure"):
    """A request ended with an exception."""

    kind: str
    message: str
    hint: str
    remote_traceback: str


Request = Open | Calculate | RunTask | RunChecks | Train
Reply = Opened | Calculated | Progress | Report | TrainingDone | Checked | ChecksDone | Failure

_encoder = msgspec.msgpack.Encoder()


class Channel:
    """One end of the private line.

    Args:
        end: A connected stream socket.
        incoming: The union of message types that may arrive.
    """

    def __init__(self, end: socket.socket, incoming: Any) -> None:
        self._socket = end
        self._decoder = msgspec.msgpack.Decoder(incoming)

    def fileno(self) -> int:
        """File descriptor of the socket."""
        return self._socket.fileno()

    def send(self, message: Request | Reply) -> None:
        """Send one message.

        Raises:
            Closed: The other side is gone.
        """
        body = _encoder.encode(message)
        try:
            self._socket.sendall(_HEADER.pack(MESSAGE, len(body)) + body)
        except OSError as error:
            raise Closed from error

    def receive(self, timeout_s: float | None = None) -> Any:
        """The next message.

        Raises:
            Closed: The other side is gone.
            TimedOut: Nothing complete came within ``timeout_s`` seconds.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        kind, length = _HEADER.unpack(self._read(_HEADER.size, deadline))
        if length > _LIMIT_BYTES:
            raise Closed("the channel carried an impossible message")
        body = self._read(length, deadline)
        if kind == TRACEBACK:
            raise Closed(bytes(body).decode(errors="replace"))
        return self._decoder.decode(body)

    def _read(self, n_bytes: int, deadline: float | None) -> bytearray:
        data = bytearray(n_bytes)
        view = memoryview(data)
        got = 0
        while got < n_bytes:
            if deadline is not None:
                left = max(0.0, deadline - time.monotonic())
                if not select.select([self._socket], [], [], left)[0]:
                    raise TimedOut
            try:
                count = self._socket.recv_into(view[got:])
            except OSError as error:
                raise Closed from error
            if count == 0:
                raise Closed
            got += count
        return data

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
