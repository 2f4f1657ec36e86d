"""Numba kernels over columns of folded text: 128-bit hashes, shingle sets, MinHash signatures, band keys.

No Python object per character or shingle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.kernels.jit import inlined, kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.compare import Folded

TILE: Final = 8
"""Shingles per pass over the permutations: the running minima are loaded and stored once per tile."""

SHORT: Final = 12
"""Texts of up to this many characters are compared by `SHORT_SHINGLE`-grams."""

SHORT_SHINGLE: Final = 3

_M1: Final = np.uint64(0xFF51AFD7ED558CCD)  # the finaliser of MurmurHash3
_M2: Final = np.uint64(0xC4CEB9FE1A85EC53)
_K1: Final = np.uint64(0x9E3779B185EBCA87)  # primes of xxHash
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_BASE: Final = np.uint64(0x9FB21C651E98DF25)  # odd base of the rolling hash
_ONE: Final = np.uint64(1)
_S33: Final = np.uint64(33)
_S32: Final = np.uint64(32)
_S29: Final = np.uint64(29)
_S35: Final = np.uint64(35)


@inlined
def _mix(value: np.uint64) -> np.uint64:
    value ^= value >> _S33
    value *= _M1
    value ^= value >> _S33
    value *= _M2
    return value ^ (value >> _S33)


@kernel
def _hash(codes, ends, seed, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Two codes at a time; an odd last one alone."""
    for row in range(len(ends) - 1):
        low, high = seed ^ _K1, seed ^ _M2
        i, end = np.uint64(ends[row]), np.uint64(ends[row + 1])  # unsigned, see cmtp.text.compare
        count = end - i
        while i < end:
            code = np.uint64(codes[i])
            i += _ONE
            if i < end:
                code |= np.uint64(codes[i]) << _S32
                i += _ONE
            low = (low ^ code) * _K1
            low ^= low >> _S32
            high = ((high << _S29) | (high >> _S35)) + code * _M1
            high *= _K2
        out[row, 0] = _mix(low ^ count)
        out[row, 1] = _mix(high + count)


@kernel
def _shingles(codes: np.ndarray, width: int, out: np.ndarray) -> int:
    """Write a 64-bit hash per n-gram of one text, in order; returns how many: 1 at least, 0 for no text.

    The n-gram is `width` characters; `SHORT_SHINGLE` for texts of up to `SHORT` characters; the whole text where it is
    shorter than that. The width is part of the hash, so that n-grams of unlike width never meet.
    """
    count = len(codes)
    if count == 0:
        return 0
    if count <= SHORT:
        width = min(width, SHORT_SHINGLE)
    width = min(width, count)
    lead = np.uint64(1)
    value = np.uint64(0)
    for i in range(width):
        lead *= _BASE
        value = value * _BASE + np.uint64(codes[i])
    seed = np.uint64(width) * _K2
    out[0] = _mix(value + seed)
    for i in range(width, count):
        value = value * _BASE + np.uint64(codes[i]) - np.uint64(codes[i - width]) * lead
        out[i - width + 1] = _mix(value + seed)
    return count - width + 1


@kernel
def _minima(hashes, count, multipliers, addends, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """out[p] = min over hashes of (multipliers[p] * hash + addends[p]) mod 2**32; `hashes` is padded to whole tiles."""
    for i in range(0, count, TILE):
        h0, h1, h2, h3 = hashes[i], hashes[i + 1], hashes[i + 2], hashes[i + 3]
        h4, h5, h6, h7 = hashes[i + 4], hashes[i + 5], hashes[i + 6], hashes[i + 7]
        for p in range(len(out)):
            a, b = multipliers[p], addends[p]
            low = min(np.uint32(a * h0 + b), np.uint32(a * h1 + b))
            low = min(low, min(np.uint32(a * h2 + b), np.uint32(a * h3 + b)))
            low = min(low, min(np.uint32(a * h4 + b), np.uint32(a * h5 + b)))
            low = min(low, min(np.uint32(a * h6 + b), np.uint32(a * h7 + b)))
            out[p] = min(out[p], low)


@kernel
def _signatures(codes, ends, width, multipliers, addends, wide, narrow, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(ends) - 1):
        count = _shingles(codes[ends[row] : ends[row + 1]], width, wide)
        if count == 0:
            continue
        for i in range(count):
            narrow[i] = np.uint32(wide[i] >> _S32)
        padded = (count + TILE - 1) // TILE * TILE
        for i in range(count, padded):
            narrow[i] = narrow[0]
        _minima(narrow, padded, multipliers, addends, out[row])


@kernel
def _sort_hashes(hashes, count, heads, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write `count` evenly spread hashes to `out` in ascending order: a bucket each, about, and the rest by insertion.

    A third of the time of a comparison sort. `heads` has 4 × count + 3 entries.
    """
    shift = np.uint64(63)
    while np.uint64(1) << (np.uint64(64) - shift) < count:
        shift -= _ONE
    buckets = _ONE << (np.uint64(64) - shift)
    heads[: buckets + _ONE] = 0
    for i in range(count):
        heads[(hashes[i] >> shift) + _ONE] += 1
    for bucket in range(_ONE, buckets):
        heads[bucket + _ONE] += heads[bucket]
    for i in range(count):
        bucket = hashes[i] >> shift
        out[heads[bucket]] = hashes[i]
        heads[bucket] += 1
    for i in range(1, count):
        value, j = out[i], i
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value


@kernel
def _sets(codes, ends, width, wide, heads, ordered, out, starts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0
    for row in range(len(ends) - 1):
        count = _shingles(codes[ends[row] : ends[row + 1]], width, wide)
        _sort_hashes(wide, count, heads, ordered)
        for i in range(count):
            if i == 0 or ordered[i] != ordered[i - 1]:
                out[total] = ordered[i]
                total += 1
        starts[row + 1] = total


@kernel
def _band_keys(signatures, rows, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(signatures)):
        for band in range(out.shape[1]):
            value = np.uint64(band) * _K2
            for slot in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(signatures[row, slot])) * _K1
                value ^= value >> _S32
            out[row, band] = _mix(value)


@kernel
def window_edges(
    row: np.ndarray, starts: np.ndarray, window: int, large: int, large_window: int, out: np.ndarray
) -> int:
    """Write the edges of all bands, better row in the upper half, or only count them where `out` is empty."""
    count = 0
    for band in range(len(starts) - 1):
        first, last = starts[band], starts[band + 1]
        reach = window if last - first < large else large_window
        for i in range(first + 1, last):
            nearest = max(first, i - reach)
            if len(out) == 0:
                count += i - nearest + (nearest > first)
                continue
            if nearest > first:
                out[count] = np.uint64(row[first]) << np.uint64(32) | np.uint64(row[i])
                count += 1
            for j in range(nearest, i):
                out[count] = np.uint64(row[j]) << np.uint64(32) | np.uint64(row[i])
                count += 1
    return count


def hash_folded(folded: Folded) -> np.ndarray:
    """128-bit hash of every comparison form: uint64[rows, 2]; all empty forms have the same."""
    out = np.empty((len(folded.ends) - 1, 2), np.uint64)
    _hash(folded.codes, folded.ends, np.uint64(0), out)
    return out


def hash_texts(texts: pa.Array | pa.ChunkedArray, folded: Folded) -> np.ndarray:
    """128-bit hash of the comparison form of every text: uint64[rows, 2].

    A text whose comparison form is empty (nothing but punctuation) is hashed by its raw bytes instead.
    """
    out = hash_folded(folded)
    empty = folded.lengths == 0
    if empty.any():
        data, offsets = string_buffers(texts.filter(pa.array(empty)))
        raw = np.empty((int(empty.sum()), 2), np.uint64)
        _hash(data, offsets, _BASE, raw)
        out[empty] = raw
    return out


def shingle_sets(folded: Folded, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The set of shingles of every text, as 64-bit hashes; n-grams as in `_shingles`.

    Returns:
        uint64[:], sorted and unique within each text, and int64[rows + 1], where each text's set starts.
    """
    longest = int(folded.lengths.max(initial=0))
    out = np.empty(len(folded.codes), np.uint64)
    starts = np.zeros(len(folded.ends), np.int64)
    wide, ordered = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    _sets(folded.codes, folded.ends, width, wide, np.empty(4 * longest + 3, np.uint32), ordered, out, starts)
    return out[: starts[-1]], starts


@lru_cache(maxsize=4)
def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd multipliers and addends, uint32[count] each: x → a·x + b mod 2**32 permutes the 32-bit numbers exactly.

    Multiply-shift hashing after Dietzfelbinger et al. 1997; the shingles' own hashes are mixed before.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    draw = random.integers(0, 1 << 32, size=(2, count), dtype=np.uint32)
    return draw[0] | np.uint32(1), draw[1]


def signatures(folded: Folded, count: int, width: int, seed: int) -> np.ndarray:
    """MinHash signatures: uint32[rows, count]; all ones where the comparison form is empty.

    Args:
        folded: the texts.
        count: permutations.
        width: characters per n-gram, see `_shingles`.
        seed: of the permutations.
    """
    longest = int(folded.lengths.max(initial=0))
    wide, narrow = np.empty(longest, np.uint64), np.empty(longest + TILE, np.uint32)
    out = np.full((len(folded.ends) - 1, count), np.uint32(0xFFFFFFFF))
    _signatures(folded.codes, folded.ends, width, *permutations(count, seed), wide, narrow, out)
    return out


def band_keys(signature: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """A 64-bit key per band of a signature matrix: uint64[texts, bands].

    Args:
        signature: uint32[texts, permutations].
        bands: number of bands.
        rows: slots per band; permutations left over are not used.
    """
    out = np.empty((len(signature), bands), np.uint64)
    _band_keys(signature, rows, out)
    return out
