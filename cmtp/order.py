"""The order of rows in the final tables: by a seeded hash of the id, so that any prefix is a fair sample."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cmtp.ids import id_halves
from cmtp.kernels.hashing import GOLDEN, split_mix_all


def order_keys(ids: pa.Array | pa.ChunkedArray, seed: int) -> np.ndarray:
    """Keys by which rows are ordered.

    Args:
        ids: [n] ids of 32 hex digits. They are hashes already, so it is enough to mix in the seed.
        seed: the recipe's seed.

    Returns:
        [n] uint64, splitmix64 of the id's first 64 bits and the seed (Steele et al., OOPSLA 2014). Ids with equal first
        16 digits have equal keys.

    Raises:
        ValueError: an id has another form.
    """
    return seeded_keys(id_halves(ids)[0], seed)


def seeded_keys(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Keys of rows that have a hash already: [n] uint64, splitmix64 of each hash and the seed."""
    shift = (seed + 1) * int(GOLDEN) % 2**64
    return split_mix_all(hashes + np.uint64(shift))


def is_held_out(doc_ids: pa.Array | pa.ChunkedArray, share: float, seed: int) -> np.ndarray:
    """Which documents are held out: [n] bool. It depends on id, share and seed alone, so all builds agree.

    A larger share holds out all documents of a smaller one.

    Args:
        doc_ids: [n] ids of 32 hex digits.
        share: of all documents, from 0 to 1.
        seed: another one holds out other documents.

    Raises:
        ValueError: an id has another form.
    """
    return order_keys(doc_ids, seed) < np.uint64(min(share, 1 - 2**-53) * 2.0**64)


def range_of(keys: np.ndarray, ranges: int) -> np.ndarray:
    """Which of `ranges` equal parts of the key space each uint64 key lies in: [n] int64, from 0."""
    if ranges == 1:
        return np.zeros(len(keys), np.int64)
    width = -(-(2**64) // ranges)
    return (keys // np.uint64(width)).astype(np.int64)
