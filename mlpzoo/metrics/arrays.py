"""Array types of this package, and the one check that every array from outside goes through."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
_T = TypeVar("_T", bound=np.generic)

# Squares and norms of larger numbers overflow: to us, such a force of an exploded model is inf.
LARGEST_MAGNITUDE = 1e100


def finite_array(values: npt.ArrayLike, name: str, shape: tuple[int | None, ...]) -> FloatArray:
    """Copy numbers into a read-only float64 array after checking shape and finiteness.

    Args:
        values: The numbers.
        name: What the error message calls them.
        shape: The shape they must have; None stands for any length.

    Returns:
        A read-only copy.

    Raises:
        ValueError: If the shape differs, or a value is NaN, infinite or beyond 1e100.
    """
    array = np.array(values, dtype=np.float64)
    _require_shape(array, name, shape)
    bad = ~(np.abs(array) < LARGEST_MAGNITUDE)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        msg = (
            f"{name}: {np.count_nonzero(bad)} of {array.size} values are not finite, "
            f"the first at index {first} is {array[first]}"
        )
        raise ValueError(msg)
    return _frozen(array)


def integer_array(values: npt.ArrayLike, name: str, length: int | None) -> IntArray:
    """Copy integers into a read-only int64 array, shape (length,).

    Raises:
        ValueError: If the shape or the kind of number differs.
    """
    return _frozen(_one_dimensional(values, name, length, kinds="iu").astype(np.int64))


def boolean_array(values: npt.ArrayLike, name: str, length: int | None) -> BoolArray:
    """Copy truth values into a read-only bool array, shape (length,).

    Integers are refused: a list of atom indices is not a mask.

    Raises:
        ValueError: If the shape or the kind of value differs.
    """
    return _frozen(_one_dimensional(values, name, length, kinds="b").astype(np.bool_))


def _one_dimensional(
    values: npt.ArrayLike, name: str, length: int | None, *, kinds: str
) -> npt.NDArray[np.generic]:
    array = np.array(values)
    _require_shape(array, name, (length,))
    if array.dtype.kind not in kinds:
        msg = f"{name}: dtype {array.dtype}, expected {'bool' if kinds == 'b' else 'integer'}"
        raise ValueError(msg)
    return array


def _require_shape(array: npt.NDArray[np.generic], name: str, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("n" if length is None else str(length) for length in shape)
        msg = f"{name}: shape {array.shape}, expected ({wanted}{',' * (len(shape) == 1)})"
        raise ValueError(msg)


def _frozen(array: npt.NDArray[_T]) -> npt.NDArray[_T]:
    array.setflags(write=False)
    return array
