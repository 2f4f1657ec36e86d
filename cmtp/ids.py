"""Ids as numbers: 128 bits, 32 hex digits as text, a pair of uint64 in arrays."""

from __future__ import annotations

import binascii
from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.text.buffers import string_buffers

ID_CHARS: Final = 32
"""Hex digits of an id."""


def id_halves(ids: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower 64 bits of each id: uint64 [n] each.

    Raises:
        ValueError: an id is not 32 hex digits.
    """
    data, offsets = string_buffers(ids)
    if (np.diff(offsets) != ID_CHARS).any():
        raise ValueError(f"an id is not {ID_CHARS} hex digits")
    try:
        digits = binascii.unhexlify(data[offsets[0] : offsets[-1]].tobytes())
    except binascii.Error as error:
        raise ValueError(f"an id is not {ID_CHARS} hex digits") from error
    halves = np.frombuffer(digits, ">u8").reshape(-1, 2).astype(np.uint64)
    return halves[:, 0].copy(), halves[:, 1].copy()


def id_texts(high: np.ndarray, low: np.ndarray) -> list[str]:
    """The inverse of `id_halves`."""
    text = np.stack([high, low], axis=1).astype(">u8").tobytes().hex()
    return [text[i : i + ID_CHARS] for i in range(0, len(text), ID_CHARS)]
