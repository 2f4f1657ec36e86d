"""Arrow columns as numpy arrays and back: vectors, bytes of one width, values as codes. Nothing here knows a stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Vectors [n, dim] as a column of n lists; the type of the numbers stays."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def vectors_of(column: pa.Array | pa.ChunkedArray, dtype: type[np.floating[Any]] | None = None) -> np.ndarray:
    """The inverse of `vector_column`; the numbers are converted to `dtype` where it is given."""
    array = _one_array(column)
    vectors = array.flatten().to_numpy().reshape(len(array), array.type.list_size)
    return vectors if dtype is None else vectors.astype(dtype)  # type: ignore[no-any-return]


def byte_column(rows: np.ndarray) -> pa.FixedSizeBinaryArray:
    """Bytes uint8 [n, width] as a column of n binary values of one width."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, pa.py_buffer(rows)])


def bytes_of(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The inverse of `byte_column`."""
    array, width = _one_array(column), column.type.byte_width
    if len(array) == 0:  # may come without a buffer
        return np.empty((0, width), np.uint8)
    return np.frombuffer(array.buffers()[1], np.uint8, len(array) * width, array.offset * width).reshape(-1, width)


def codes_in(values: pa.Array | pa.ChunkedArray, dictionary: pa.Array) -> np.ndarray:
    """The code of each value, its position in a dictionary of distinct values: [n] int64, -1 where it is not in it.

    ``codes_in(["b", "x", "a"], ["a", "b"])`` is ``[1, -1, 0]``.
    """
    found = pc.index_in(values.cast(dictionary.type), dictionary)
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def distinct(values: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """A dictionary of the values, in order of first occurrence.

    ``distinct(["b", "a", "b"])`` is ``["b", "a"], [0, 1, 0], [0, 1]``.

    Returns:
        The distinct values; the code of each value, [n] int64; the row in which each code occurs first, int64.
    """
    coded = pc.dictionary_encode(_one_array(values))
    codes = coded.indices.to_numpy().astype(np.int64)
    return coded.dictionary, codes, np.unique(codes, return_index=True)[1]


def rank_in_group(group: np.ndarray) -> np.ndarray:
    """The position of each row in its group, from 0: [n] int64. The rows of a group lie together.

    ``rank_in_group([7, 7, 3, 3, 3])`` is ``[0, 1, 0, 1, 2]``.
    """
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays([pa.array([], column.type), *column.chunks])
