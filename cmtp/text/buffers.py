"""A column of strings as the arrays that kernels read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def string_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The UTF-8 bytes and the offsets of a string column; nulls are empty strings.

    No text is copied, unless the column has several chunks or nulls, or is dictionary-encoded or a string view. Convert
    a polars column with its `to_arrow` first.

    Returns:
        Bytes uint8, read-only, and offsets int64 [rows + 1]: text i is `data[offsets[i]:offsets[i + 1]]`.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
        if isinstance(texts, pa.ChunkedArray):  # more than 2 GiB
            texts = pa.concat_arrays(texts.cast(pa.large_string()).chunks)
    if pa.types.is_dictionary(texts.type):
        texts = texts.cast(texts.type.value_type)
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    if offsets is None or len(texts) == 0:  # an empty array may have no buffers
        return _read_only(np.zeros(0, np.uint8)), np.zeros(1, np.int64)
    spans = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return _read_only(np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)), spans


def _read_only(data: np.ndarray) -> np.ndarray:
    """The array made read-only: numba compiles kernels for one type, whichever kind of buffer Arrow has."""
    data.flags.writeable = False
    return data
