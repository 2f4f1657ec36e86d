"""The order of rows in the final tables: by a seeded hash of the id, so that any prefix is a fair sample."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cmtp.ids import id_halves

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def order_keys(ids: pa.Array | pa.ChunkedArray, seed: int) -> np.ndarray:
    """Keys by which rows are ordered.

    Args:
        ids: [n] ids of 32 hex digits. They are hashes already, so it is enough to mix in the seed.
        seed: the recipe's seed.

    Returns:
        [n] uint64, splitmix64 of the id's first 64 bits and the seed (Steele et al., OOPSLA 2014). Ids whose first 16
        digits are equal have one key.

    Raises:
        ValueError: an id has another form.
    """
    x = id_halves(ids)[0]
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the point
        x = x + np.uint64(seed % 2**64) * _GOLDEN + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def is_held_out(doc_ids: pa.Array | pa.ChunkedArray, share: float, seed: int) -> np.ndarray:
    """[n] bool: documents of the held-out share. The hash is of id and seed alone, so builds agree."""
    return order_keys(doc_ids, seed) < np.uint64(min(share, 1 - 2**-53) * 2.0**64)  # type: ignore[no-any-return]


def range_of(keys: np.ndarray, ranges: int) -> np.ndarray:
    """[n] int64, from 0: which of `ranges` equal parts of the key space each key lies in."""
    if ranges == 1:
        return np.zeros(len(keys), np.int64)
    width = -(-(2**64) // ranges)
    return (keys // np.uint64(width)).astype(np.int64)
