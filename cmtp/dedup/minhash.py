"""MinHash signatures of texts, and the keys of their LSH bands: numba kernels, no Python object per shingle."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from cmtp.kernels.hashing import murmur_mix
from cmtp.kernels.jit import kernel
from cmtp.text.compare import Folded
from cmtp.text.ngrams import shingle_hashes

TILE: Final = 8
"""Shingles per pass over the permutations: the running minima are loaded and stored once per tile."""

_K1: Final = np.uint64(0x9E3779B185EBCA87)  # primes of xxHash
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_S32: Final = np.uint64(32)


class Permutations(NamedTuple):
    """x → a·x + b modulo 2^32 with an odd a, which permutes the 32-bit numbers.

    Multiply-shift hashing after Dietzfelbinger et al. 1997; the shingles' own hashes are mixed before.

    Attributes:
        multipliers: uint32 [permutations], odd: a.
        addends: uint32 [permutations]: b.
    """

    multipliers: np.ndarray
    addends: np.ndarray


@lru_cache(maxsize=4)
def permutations(count: int, seed: int) -> Permutations:
    """Random permutations; the same for the same seed."""
    random = np.random.Generator(np.random.PCG64(seed))
    draw = random.integers(0, 1 << 32, size=(2, count), dtype=np.uint32)
    return Permutations(draw[0] | np.uint32(1), draw[1])


def signatures(folded: Folded, count: int, width: int, seed: int) -> np.ndarray:
    """MinHash signatures: uint32[rows, count]; all ones where the comparison form is empty.

    Args:
        folded: the texts.
        count: permutations.
        width: characters per n-gram, see `shingle_hashes`.
        seed: of the permutations.
    """
    out = np.full((len(folded.ends) - 1, count), np.uint32(0xFFFFFFFF))
    _signatures(folded, width, permutations(count, seed), int(folded.lengths.max(initial=0)), out)
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


@kernel
def _signatures(folded: Folded, width: int, chosen: Permutations, longest: int, out: np.ndarray) -> None:
    """Fill the signatures; `longest` is the length of the longest text."""
    hashes, upper = np.empty(longest, np.uint64), np.empty(longest + TILE, np.uint32)
    codes, ends = folded.codes, folded.ends
    for row in range(len(ends) - 1):
        count = shingle_hashes(codes[ends[row] : ends[row + 1]], width, hashes)
        if count == 0:
            continue
        for i in range(count):
            upper[i] = np.uint32(hashes[i] >> _S32)
        padded = (count + TILE - 1) // TILE * TILE
        for i in range(count, padded):
            upper[i] = upper[0]
        _minima(upper[:padded], chosen, out[row])


@kernel
def _minima(hashes: np.ndarray, chosen: Permutations, out: np.ndarray) -> None:
    """The lowest permuted hash by each permutation, or what `out` has, if that is lower. Hashes come in whole tiles."""
    for i in range(0, len(hashes), TILE):
        h0, h1, h2, h3 = hashes[i], hashes[i + 1], hashes[i + 2], hashes[i + 3]
        h4, h5, h6, h7 = hashes[i + 4], hashes[i + 5], hashes[i + 6], hashes[i + 7]
        for p in range(len(out)):
            a, b = chosen.multipliers[p], chosen.addends[p]
            low = min(np.uint32(a * h0 + b), np.uint32(a * h1 + b))
            low = min(low, min(np.uint32(a * h2 + b), np.uint32(a * h3 + b)))
            low = min(low, min(np.uint32(a * h4 + b), np.uint32(a * h5 + b)))
            low = min(low, min(np.uint32(a * h6 + b), np.uint32(a * h7 + b)))
            out[p] = min(out[p], low)


@kernel
def _band_keys(signatures: np.ndarray, rows: int, out: np.ndarray) -> None:
    for row in range(len(signatures)):
        for band in range(out.shape[1]):
            value = np.uint64(band) * _K2
            for slot in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(signatures[row, slot])) * _K1
                value ^= value >> _S32
            out[row, band] = murmur_mix(value)
