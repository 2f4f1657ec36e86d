"""Hashes of texts, by which equal ones are found: of their comparison forms, or of their very bytes."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.kernels.hashing import murmur_mix
from cmtp.kernels.jit import kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.compare import Folded

_K1: Final = np.uint64(0x9E3779B185EBCA87)  # primes of xxHash
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_M1: Final = np.uint64(0xFF51AFD7ED558CCD)  # multipliers of MurmurHash3
_M2: Final = np.uint64(0xC4CEB9FE1A85EC53)
_RAW_SEED: Final = np.uint64(0x9FB21C651E98DF25)
_1: Final = np.uint64(1)
_S32: Final = np.uint64(32)
_S29: Final = np.uint64(29)
_S35: Final = np.uint64(35)


@kernel
def _hash(codes: np.ndarray, ends: np.ndarray, seed: np.uint64, out: np.ndarray) -> None:
    """Mix in two codes at a time. If their number is odd, the last one is mixed in alone."""
    for row in range(len(ends) - 1):
        low, high = seed ^ _K1, seed ^ _M2
        i, end = np.uint64(ends[row]), np.uint64(ends[row + 1])  # unsigned, see cmtp.text.utf8
        count = end - i
        while i < end:
            code = np.uint64(codes[i])
            i += _1
            if i < end:
                code |= np.uint64(codes[i]) << _S32
                i += _1
            low = (low ^ code) * _K1
            low ^= low >> _S32
            high = ((high << _S29) | (high >> _S35)) + code * _M1
            high *= _K2
        out[row, 0] = murmur_mix(low ^ count)
        out[row, 1] = murmur_mix(high + count)


def hash_folded(folded: Folded) -> np.ndarray:
    """128-bit hash of every comparison form: uint64 [rows, 2]. All empty forms have the same hash."""
    out = np.empty((len(folded.ends) - 1, 2), np.uint64)
    _hash(folded.codes, folded.ends, np.uint64(0), out)
    return out


def hash_texts(texts: pa.Array | pa.ChunkedArray, folded: Folded) -> np.ndarray:
    """128-bit hash of the comparison form of every text: uint64 [rows, 2].

    A text whose comparison form is empty, like 「……」, is hashed by its bytes instead.
    """
    out = hash_folded(folded)
    empty = folded.lengths == 0
    if empty.any():
        data, offsets = string_buffers(texts.filter(pa.array(empty)))
        raw = np.empty((int(empty.sum()), 2), np.uint64)
        _hash(data, offsets, _RAW_SEED, raw)
        out[empty] = raw
    return out


def hash_bytes(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """128-bit hash of every text as it is: uint64 [rows, 2]."""
    data, offsets = string_buffers(texts)
    out = np.empty((len(offsets) - 1, 2), np.uint64)
    _hash(data, offsets, _RAW_SEED, out)
    return out


def pair_keys(query: pa.Array | pa.ChunkedArray, passage: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A 64-bit hash of both texts of every pair as they are: uint64 [rows]. It depends on nothing but the texts."""
    first, second = hash_bytes(query), hash_bytes(passage)
    return np.asarray((first[:, 0] * _K1 ^ first[:, 1]) * _M1 + (second[:, 0] ^ second[:, 1] * _K2))
