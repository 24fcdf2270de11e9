"""Results as JSON, arrays as plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from mlpzoo.benchmark import Array
from mlpzoo.results import SCHEMA, Provenance, Result, decode, encode, pack, unpack

FULL = Result(
    model="mace/si-small", benchmark="re-forces", version=3, case="si-vacancy", profile="smoke", status="ok",
    values={"force_rmse_re": 0.1 + 0.2, "tiny": 5e-324, "huge": 1.7976931348623157e308},
    interval={"force_rmse_re": (0.25, 1 / 3)},
    message="Å, ×, θ\nand a second line",
    n_evaluations=100, wall_time_s=3.25,
    provenance=Provenance(
        mlpzoo="0.1", plugin="mace", plugin_version="0.2", frameworks={"mace-torch": "0.3.16"}, python="3.11",
        lock_sha256="a", weights_sha256="b", dataset_sha256="c", level_of_theory="PBE", device="cpu",
        device_name="x", dtype="float64", threads=2, seed=7, isolated=True, host="h",
        date="2026-11-23T00:00:00Z",
    ),
    arrays={"errors": pack(np.linspace(0, 1, 7).reshape(7, 1)), "symbols": pack(np.array(["Si", "O"]))},
    is_floor=True,
)  # fmt: skip
MINIMAL = Result(
    model="m", benchmark="b", version=1, case="c", profile="smoke", status="failed", message="why"
)


@pytest.mark.parametrize(
    "result", [FULL, MINIMAL, replace(MINIMAL, status="unsupported")], ids=lambda r: r.status
)
def test_a_result_survives_json_to_the_last_bit(result: Result):
    assert decode(encode(result)) == result


def test_results_stored_before_a_field_was_there_are_still_read():
    old = json.loads(encode(FULL))
    for name in ("absent", "cpu_time_s", "calculator_time_s"):
        del old[name]
    for array in old["arrays"].values():
        del array["codec"]
    found = decode(json.dumps(old).encode())
    assert found == FULL
    assert (found.absent, found.cpu_time_s, found.calculator_time_s) == ({}, 0.0, 0.0)


def test_why_a_quantity_is_absent_survives_json():
    one = replace(MINIMAL, absent={"barrier": "→ split ⟨110⟩"})
    assert decode(encode(one)).absent == {"barrier": "→ split ⟨110⟩"}


def test_arrays_of_a_result_survive_json():
    found = decode(encode(FULL))
    assert np.array_equal(unpack(found.arrays["errors"]), np.linspace(0, 1, 7).reshape(7, 1))
    assert unpack(found.arrays["symbols"]).tolist() == ["Si", "O"]


def test_the_file_says_its_schema():
    assert json.loads(encode(MINIMAL))["schema"] == SCHEMA == "mlpzoo.result/1"


@pytest.mark.parametrize("schema", ["mlpzoo.result/2", "", "other"])
def test_another_schema_is_refused(schema: str):
    with pytest.raises(msgspec.ValidationError, match="schema"):
        decode(encode(replace(MINIMAL, schema=schema)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"status":"failed"', b'"status":"missing"'),
        (b'"version":1', b'"version":"one"'),
        (b'"values":{}', b'"values":{"e":null}'),
        (b'"model":"m",', b""),
        (b'"arrays":{}', b'"arrays":{"a":[1,2]}'),
    ],
)
def test_data_that_is_no_result_is_refused(old: bytes, new: bytes):
    data = encode(MINIMAL)
    assert old in data
    with pytest.raises(msgspec.ValidationError):
        decode(data.replace(old, new))


@pytest.mark.parametrize("data", [b"", b"{", b"not json"])
def test_what_is_no_json_is_refused(data: bytes):
    with pytest.raises(msgspec.DecodeError):
        decode(data)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["values", "interval"])
def test_a_result_that_could_not_be_read_back_is_not_written(where: str, bad: float):
    """JSON has no NaN: it would be written as null, refused at reading, and computed again for ever."""
    value: Any = bad if where == "values" else (0.0, bad)
    with pytest.raises(ValueError, match="e"):
        encode(replace(MINIMAL, status="ok", **{where: {"e": value}}))


# -- arrays --------------------------------------------------------------------------------------------

ARRAYS = {
    "float64": np.array([[1.0, -0.0], [np.nan, np.inf]]),
    "float32": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
    "big-endian": np.array([1.5, 2.5], dtype=">f8"),
    "integers": np.array([-1, 2**62]),
    "small integers": np.array([0, 255], dtype=np.uint8),
    "booleans": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "text": np.array(["Si", "Å"]),
    "empty": np.zeros((0, 3)),
    "zero-dimensional": np.array(2.5),
    "Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a view": np.arange(24.0).reshape(4, 6)[::2, 1::3],
    "reversed": np.arange(5.0)[::-1],
    "read-only": np.broadcast_to(np.arange(3.0), (2, 3)),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_survive(case: str):
    array = ARRAYS[case]
    data = msgspec.json.encode(pack(array))
    found = unpack(msgspec.json.decode(data, type=Array))
    assert found.shape == array.shape
    assert found.dtype == array.dtype
    assert np.array_equal(found, array, equal_nan=array.dtype.kind in "fc")
    assert found.tobytes() == array.tobytes()


def test_packing_copies():
    array = np.zeros(3)
    packed = pack(array)
    array[:] = 1
    assert not unpack(packed).any()


def test_an_unpacked_array_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        unpack(pack(np.zeros(3)))[0] = 1.0


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array(["a", 1, None], dtype=object),
        np.array([(1, object())], dtype=[("a", int), ("b", object)]),
        np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    ],
    ids=["objects", "mixed", "objects in a field", "fields"],
)
def test_arrays_that_cannot_be_stored_are_refused(array: np.ndarray):
    with pytest.raises(TypeError, match="cannot be stored"):
        pack(array)


def test_stored_bytes_are_never_taken_for_objects():
    with pytest.raises((TypeError, ValueError)):
        unpack(Array(dtype="|O", shape=(1,), data=b"\x00" * 8))


def test_an_array_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"reshape|size"):
        unpack(Array(dtype="<f8", shape=(3,), data=b"\x00" * 16))
