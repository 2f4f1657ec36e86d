"""Character n-grams as 64-bit hashes, and texts as sets of them.

The hash of the n-gram c₁…cₙ is mixed from c₁bⁿ⁻¹ + … + cₙ modulo 2^64 and its width n (Rabin and Karp's rolling hash):
the sum for the next n-gram takes two multiplications. N-grams of different widths have different hashes.

The learned filter needs the n-grams of all widths that begin at a character. It hashes each from the one that is a
character shorter (`longer_ngram`).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cmtp.kernels.hashing import GOLDEN, murmur_mix
from cmtp.kernels.jit import inlined, kernel
from cmtp.text.compare import Folded

NO_NGRAM: Final = np.uint64(0xCBF29CE484222325)
"""The hash of the empty n-gram, from which that of the first character is made: the offset basis of FNV-1a."""

SHORT: Final = 12
"""Texts of up to this many characters are compared by `SHORT_SHINGLE`-grams."""

SHORT_SHINGLE: Final = 3

_BASE: Final = np.uint64(0x9FB21C651E98DF25)  # odd, random
_WIDTH: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_1: Final = np.uint64(1)


@kernel
def ngram_hashes(codes: np.ndarray, width: int, out: np.ndarray) -> int:
    """Write the hash of every n-gram of a text, in order. Returns their number, 0 for a text shorter than `width`.

    Args:
        codes: integers [n], the text's code points.
        width: characters per n-gram, at least 1.
        out: uint64, room for n - width + 1.
    """
    count = len(codes) - width + 1
    if count <= 0:
        return 0
    lead, value = _1, np.uint64(0)
    for i in range(width):
        lead *= _BASE
        value = value * _BASE + np.uint64(codes[i])
    seed = np.uint64(width) * _WIDTH
    out[0] = murmur_mix(value + seed)
    for i in range(width, len(codes)):
        value = value * _BASE + np.uint64(codes[i]) - np.uint64(codes[i - width]) * lead
        out[i - width + 1] = murmur_mix(value + seed)
    return count


@inlined
def longer_ngram(shorter: np.uint64, code: int) -> np.uint64:
    """The hash of an n-gram from that of its first n - 1 characters and its last one.

    FNV-1a with another multiplier and a shift. The features of saved models are numbered by it.
    """
    key = (shorter ^ np.uint64(code)) * GOLDEN
    return key ^ (key >> np.uint64(29))


@kernel
def shingle_hashes(codes: np.ndarray, width: int, out: np.ndarray) -> int:
    """Write the hash of every shingle of a text, in order. Returns their number: at least 1 unless the text is empty.

    A shingle is an n-gram of `width` characters. In a text of up to `SHORT` characters it has at most `SHORT_SHINGLE`.
    A text shorter than a shingle is one shingle.
    """
    if len(codes) == 0:
        return 0
    if len(codes) <= SHORT:
        width = min(width, SHORT_SHINGLE)
    return ngram_hashes(codes, min(width, len(codes)), out)


def shingle_sets(folded: Folded, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The set of shingles of every text, as 64-bit hashes; shingles as in `shingle_hashes`.

    Returns:
        uint64 [:], sorted and unique within each text, and int64 [rows + 1], where each text's set starts: the form of
        `cmtp.kernels.sets`.
    """
    longest = int(folded.lengths.max(initial=0))
    out = np.empty(len(folded.codes), np.uint64)
    starts = np.zeros(len(folded.ends), np.int64)
    _sets(folded, width, longest, out, starts)
    return out[: starts[-1]], starts


@kernel
def _sets(folded: Folded, width: int, longest: int, out: np.ndarray, starts: np.ndarray) -> None:
    hashes, ordered = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    heads = np.empty(4 * longest + 3, np.uint32)
    codes, ends = folded.codes, folded.ends
    total = 0
    for row in range(len(ends) - 1):
        count = shingle_hashes(codes[ends[row] : ends[row + 1]], width, hashes)
        _sort_hashes(hashes, count, heads, ordered)
        for i in range(count):
            if i == 0 or ordered[i] != ordered[i - 1]:
                out[total] = ordered[i]
                total += 1
        starts[row + 1] = total


@kernel
def _sort_hashes(hashes: np.ndarray, count: int, heads: np.ndarray, out: np.ndarray) -> None:
    """Write `count` evenly spread hashes to `out` in ascending order, in a third of the time of a comparison sort.

    1. Cut the range of the hashes into buckets, about as many as there are hashes.
    2. Put each hash into its bucket.
    3. Sort by insertion: a hash moves only within its bucket.

    Args:
        hashes: uint64, the first `count` are sorted.
        count: their number.
        heads: uint32 [4 × count + 3], working memory: where each bucket's next hash goes.
        out: uint64 [count].
    """
    shift = np.uint64(63)
    while _1 << (np.uint64(64) - shift) < count:
        shift -= _1
    buckets = _1 << (np.uint64(64) - shift)
    heads[: buckets + _1] = 0
    for i in range(count):
        heads[(hashes[i] >> shift) + _1] += 1
    for bucket in range(_1, buckets):
        heads[bucket + _1] += heads[bucket]
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
