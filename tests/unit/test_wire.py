"""What goes in at one end of the channel comes out at the other, or the fault is named."""

from __future__ import annotations

import socket
import struct
import threading
import time
import typing
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mlpzoo import wire
from mlpzoo.benchmark import Case, Reference, RunSettings
from mlpzoo.labelled import packed
from mlpzoo.models import Checkpoint, ModelCard, ModelSpec
from mlpzoo.results import pack, unpack

Ends = tuple[wire.Channel, wire.Channel]
CARD = ModelCard(
    name="x/a", family="x", elements=("Si",), properties=("energy",), test_errors={"rmse_ev": 0.1 + 0.2},
    checkpoint=Checkpoint(sha256="ab", size_bytes=12, file="w"),
)  # fmt: skip
SPEC = ModelSpec(name="x/a", card=CARD, path="/w", device="cuda:1", dtype="float32")
CASE = Case(
    name="si-vac", system="si", elements=("Si",), title="Å",
    params={"repeats": [1, 2], "deep": {"x": 0.5}, "no": None}, fingerprint="cd",
    level_of_theory="PBE", floors={"noise": "Noise"},
    references=(Reference(quantity="e", value=1.5, level_of_theory="PBE", source="10.1/x"),),
)  # fmt: skip
FORCES = np.random.default_rng(0).normal(size=(4, 3))
LABELLED = Atoms("Si2", positions=FORCES[:2], cell=np.eye(3), pbc=(True, False, True))
LABELLED.calc = SinglePointCalculator(LABELLED, energy=-1.5, forces=FORCES[2:])

MESSAGES = [
    wire.Open(plugin_module="p", family="x", model=SPEC),
    wire.Calculate(
        numbers=pack(np.array([14, 14])),
        positions=pack(FORCES),
        cell=pack(np.eye(3)),
        pbc=(True, False, True),
        extras={"initial_charges": pack(np.zeros(2))},
        properties=["energy", "forces"],
    ),
    wire.RunTask(
        plugin_module="p", family="x", model=SPEC, benchmark_module="b", benchmark="re-forces", case=CASE,
        settings=RunSettings(profile="smoke", seed=3),
    ),
    wire.RunTask(
        plugin_module="", family="", model=None, benchmark_module="b", benchmark="re-forces", case=CASE,
        settings=RunSettings(), floor="noise",
    ),
    wire.RunChecks(plugin_module="p", family="x", model=SPEC, names=["gradient"]),
    wire.RunChecks(plugin_module="p", family="x", model=SPEC, names=[], random="1-layer"),
    wire.Train(
        plugin_module="p", family="x", name="mine", directory="/w", train=packed([LABELLED]), validation=packed([]),
        tests={"set:test": packed([LABELLED, LABELLED])}, settings={"steps": 3, "rate": 1e-3, "ema": True, "kind": "a"},
        seed=1, device="cpu", threads=2,
    ),
    wire.Opened(card=CARD, frameworks={"torch": "2.13.0"}),
    wire.Calculated(results={"energy": pack(np.array([-1.5])), "forces": pack(FORCES)}),
    wire.Progress(done=3, total=7, what="frames"),
    wire.Report(
        status="ok", values={"e": 1 / 3}, interval={"e": (0.0, 1.0)}, arrays={"f": pack(FORCES)}, threads=2,
    ),
    wire.Report(status="failed", message="why", remote_traceback="Traceback ...", wall_time_s=0.5),
    wire.Checked(name="gradient", promise="F = -dE/dr", status="passed", message="", seconds=0.1),
    wire.ChecksDone(),
    wire.TrainingDone(
        path="/w/model", elements=("Si",), properties=("energy",), cutoff_ang=5.0, n_parameters=7, title="T",
        citation="C", notes="N", errors={"training": {"rmse": 0.1 + 0.2}}, training_time_s=1.5,
        frameworks={"torch": "2.13.0"}, python="3.11", device_name="CPU", threads=2,
    ),
    wire.Failure(kind="ValueError", message="bad", hint="try", remote_traceback="...\nValueError: bad"),
]  # fmt: skip
REQUESTS, REPLIES = typing.get_args(wire.Request), typing.get_args(wire.Reply)


@pytest.fixture
def raw() -> Iterator[tuple[socket.socket, wire.Channel]]:
    """A bare socket and the channel at its other end, which takes any message."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, wire.Channel(theirs, wire.Request | wire.Reply)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Parent's and worker's channel."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield wire.Channel(ours, wire.Reply), wire.Channel(theirs, wire.Request)


def test_every_kind_of_message_is_tried_below():
    assert {type(m) for m in MESSAGES} == {*REQUESTS, *REPLIES}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_arrives_as_it_was_sent(ends: Ends, message: msgspec.Struct):
    sender, receiver = ends if isinstance(message, REQUESTS) else ends[::-1]
    sender.send(message)
    found = receiver.receive(5.0)
    assert type(found) is type(message)
    assert found == message


def test_messages_arrive_in_order(ends: Ends):
    parent, worker = ends
    for i in range(50):
        worker.send(wire.Progress(done=i, total=50, what="x"))
    assert [parent.receive(5.0).done for _ in range(50)] == list(range(50))


def test_a_number_survives_to_the_last_bit(ends: Ends):
    numbers = np.array([0.1 + 0.2, 5e-324, -0.0, np.nan, np.inf, 1.7976931348623157e308])
    ends[1].send(wire.Calculated(results={"forces": pack(numbers)}))
    assert unpack(ends[0].receive(5.0).results["forces"]).tobytes() == numbers.tobytes()


def test_an_array_that_fits_no_buffer_arrives_whole(ends: Ends):
    """32 MB: sent in many pieces, received while they come."""
    big = np.random.default_rng(1).normal(size=(4_000_000,))
    sender = threading.Thread(target=ends[1].send, args=(wire.Calculated(results={"forces": pack(big)}),))
    sender.start()
    found = unpack(ends[0].receive(30.0).results["forces"])
    sender.join()
    assert np.array_equal(found, big)


def test_pieces_of_a_message_are_put_together(raw: tuple[socket.socket, wire.Channel]):
    end, channel = raw
    body = msgspec.msgpack.encode(MESSAGES[7])
    frame = struct.pack("<cQ", b"M", len(body)) + body

    def drip() -> None:
        for byte in frame:
            end.sendall(bytes([byte]))

    sender = threading.Thread(target=drip)
    sender.start()
    assert channel.receive(5.0) == MESSAGES[7]
    sender.join()


# -- faults --------------------------------------------------------------------------------------------


def test_silence_ends_with_the_time_limit(ends: Ends):
    start = time.monotonic()
    with pytest.raises(wire.TimedOut):
        ends[0].receive(0.05)
    assert 0.04 < time.monotonic() - start < 5.0


def test_half_a_message_ends_with_the_time_limit(raw: tuple[socket.socket, wire.Channel]):
    end, channel = raw
    end.sendall(struct.pack("<cQ", b"M", 100) + b"x" * 50)
    with pytest.raises(wire.TimedOut):
        channel.receive(0.05)


def test_a_drip_does_not_extend_the_time_limit(raw: tuple[socket.socket, wire.Channel]):
    end, channel = raw
    end.sendall(struct.pack("<cQ", b"M", 1 << 20))
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.01):
            end.sendall(b"x")

    sender = threading.Thread(target=drip)
    sender.start()
    start = time.monotonic()
    with pytest.raises(wire.TimedOut):
        channel.receive(0.1)
    stop.set()
    sender.join()
    assert time.monotonic() - start < 5.0


def test_a_time_limit_that_is_over_still_takes_what_is_there(ends: Ends):
    ends[1].send(wire.ChecksDone())
    assert ends[0].receive(0.0) == wire.ChecksDone()


def test_a_peer_that_hangs_up_is_noticed_when_receiving(ends: Ends):
    ends[1].close()
    with pytest.raises(wire.Closed) as caught:
        ends[0].receive(5.0)
    assert caught.value.text == ""


def test_a_peer_that_hangs_up_in_the_middle_of_a_message_is_noticed(raw: tuple[socket.socket, wire.Channel]):
    end, channel = raw
    end.sendall(struct.pack("<cQ", b"M", 100) + b"x" * 50)
    end.close()
    with pytest.raises(wire.Closed):
        channel.receive()


def test_what_was_sent_before_hanging_up_still_arrives(ends: Ends):
    ends[1].send(wire.ChecksDone())
    ends[1].close()
    assert ends[0].receive(5.0) == wire.ChecksDone()
    with pytest.raises(wire.Closed):
        ends[0].receive(5.0)


def test_a_peer_that_hangs_up_is_noticed_when_sending(ends: Ends):
    ends[1].close()
    with pytest.raises(wire.Closed):
        ends[0].send(MESSAGES[0])


def test_a_channel_closed_on_this_side_is_closed(ends: Ends):
    ends[0].close()
    with pytest.raises(wire.Closed):
        ends[0].send(MESSAGES[0])
    with pytest.raises((wire.Closed, ValueError)):
        ends[0].receive(0.1)


def test_the_last_traceback_of_a_peer_is_kept(raw: tuple[socket.socket, wire.Channel]):
    end, channel = raw
    text = "Traceback (most recent call last):\nImportError: keine Bibliothek für Å\n".encode()
    end.sendall(struct.pack("<cQ", b"T", len(text)) + text)
    with pytest.raises(wire.Closed) as caught:
        channel.receive(5.0)
    assert caught.value.text == text.decode()


def test_a_traceback_that_is_no_text_is_kept_as_well_as_possible(raw: tuple[socket.socket, wire.Channel]):
    end, channel = raw
    end.sendall(struct.pack("<cQ", b"T", 4) + b"a\xff\xfeb")
    with pytest.raises(wire.Closed) as caught:
        channel.receive(5.0)
    assert caught.value.text.startswith("a")


@pytest.mark.parametrize("length", [(1 << 32) + 1, 1 << 40, (1 << 64) - 1])
def test_an_absurd_length_is_refused_before_memory_is_taken(
    raw: tuple[socket.socket, wire.Channel], length: int
):
    end, channel = raw
    end.sendall(struct.pack("<cQ", b"M", length))
    with pytest.raises(wire.Closed, match="impossible"):
        channel.receive(5.0)


def test_a_message_of_the_other_direction_is_refused(ends: Ends):
    """A worker never takes a reply for a request."""
    ends[0].send(wire.ChecksDone())
    with pytest.raises((msgspec.ValidationError, wire.Closed)):
        ends[1].receive(5.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"type": "pickle", "data": b"x"}),
        msgspec.msgpack.encode({"type": "progress", "done": "three", "total": 1, "what": ""}),
    ],
    ids=["nothing", "garbage", "an unknown kind", "a wrong type"],
)
def test_what_is_no_message_is_refused(raw: tuple[socket.socket, wire.Channel], body: bytes):
    end, channel = raw
    end.sendall(struct.pack("<cQ", b"M", len(body)) + body)
    with pytest.raises((msgspec.DecodeError, wire.Closed)):
        channel.receive(5.0)


def test_a_channel_can_be_waited_on_with_others(ends: Ends):
    import select

    assert select.select([ends[0]], [], [], 0)[0] == []
    ends[1].send(wire.ChecksDone())
    assert select.select([ends[0]], [], [], 5.0)[0] == [ends[0]]
