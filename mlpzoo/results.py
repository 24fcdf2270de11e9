"""A result with everything that is needed to trust it, as JSON."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mlpzoo.benchmark import Array

if TYPE_CHECKING:
    import numpy as np

SCHEMA = "mlpzoo.result/1"
Status = Literal["ok", "unsupported", "failed"]
_WORTH_COMPRESSING = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a number comes from.  Empty strings stand for "does not apply"."""

    mlpzoo: str = ""
    plugin: str = ""
    plugin_version: str = ""
    frameworks: dict[str, str] = field(default_factory=dict)
    python: str = ""
    lock_sha256: str = ""
    weights_sha256: str = ""
    dataset_sha256: str = ""
    level_of_theory: str = ""
    device: str = ""
    device_name: str = ""
    dtype: str = ""
    threads: int = 0
    seed: int = 0
    isolated: bool = False
    host: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One model on one case of one benchmark.

    Attributes:
        status: ``ok``; ``unsupported``: the model cannot (elements, properties); ``failed``: it should have.
        values: Quantity name to value; empty unless ``ok``.
        interval: Quantity name to 95 % interval (low, high).
        message: Why it failed or is unsupported; a remark otherwise.
        absent: Quantity name to why it has no number, in a word or two.
        cpu_time_s: Of the worker process, over the task.
        calculator_time_s: Part of ``wall_time_s`` that was spent in the model.
        arrays: Data for curves and paired comparisons.
        is_floor: Whether the row is a reference's own noise instead of a model.
    """

    model: str
    benchmark: str
    version: int
    case: str
    profile: str
    status: Status
    values: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    message: str = ""
    n_evaluations: int = 0
    wall_time_s: float = 0.0
    cpu_time_s: float = 0.0
    calculator_time_s: float = 0.0
    absent: dict[str, str] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    arrays: dict[str, Array] = field(default_factory=dict)
    is_floor: bool = False
    schema: str = SCHEMA


def encode(result: Result) -> bytes:
    """JSON bytes of a result (arrays as base64).

    Raises:
        ValueError: A value or an end of an interval is not finite: JSON has no such number.
    """
    numbers = [*result.values.values(), *(end for ends in result.interval.values() for end in ends)]
    if not all(map(math.isfinite, [*numbers, result.wall_time_s])):
        raise ValueError(f"result of {result.model} on {result.case} holds a number that is not finite")
    return msgspec.json.encode(result)


def decode(data: bytes) -> Result:
    """The inverse of `encode`.

    Raises:
        msgspec.ValidationError: The data is of another schema.
        msgspec.DecodeError: The data is not JSON.
    """
    result = msgspec.json.decode(data, type=Result)
    if result.schema != SCHEMA:
        raise msgspec.ValidationError(f"schema {result.schema!r}, expected {SCHEMA!r}")
    return result


def pack(array: np.ndarray[Any, Any], *, compress: bool = False) -> Array:
    """A NumPy array as plain data.

    Args:
        array: Of any shape; numbers, booleans or strings.
        compress: Compress large arrays, if that makes them much smaller.

    Raises:
        TypeError: The array holds Python objects or records.
    """
    import numpy as np

    array = np.asarray(array, order="C")
    if array.dtype.hasobject or array.dtype.names:
        raise TypeError("an array of Python objects or records cannot be stored")
    data = array.tobytes()
    if compress and len(data) > _WORTH_COMPRESSING:
        smaller = zlib.compress(data, 1)
        if len(smaller) < 0.8 * len(data):
            return Array(dtype=array.dtype.str, shape=array.shape, data=smaller, codec="zlib")
    return Array(dtype=array.dtype.str, shape=array.shape, data=data)


def unpack(array: Array) -> np.ndarray[Any, Any]:
    """The inverse of `pack`; read-only."""
    import numpy as np

    data = zlib.decompress(array.data) if array.codec == "zlib" else array.data
    return np.frombuffer(data, dtype=np.dtype(array.dtype)).reshape(array.shape)
