"""Mixing of 64-bit numbers: bijections with outputs that look random, so that any of their bits can be used."""

from __future__ import annotations

from typing import Final

import numpy as np

from cmtp.kernels.jit import inlined, kernel

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio, odd. The upper bits of key × this are spread evenly for keys that lie close together (Knuth's
multiplicative hashing)."""

_S27: Final = np.uint64(27)
_S30: Final = np.uint64(30)
_S31: Final = np.uint64(31)
_S33: Final = np.uint64(33)


@inlined
def murmur_mix(value: np.uint64) -> np.uint64:
    """Finaliser of MurmurHash3 (Appleby 2011)."""
    value ^= value >> _S33
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> _S33
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> _S33)


@inlined
def split_mix(value: np.uint64) -> np.uint64:
    """Finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    value = (value ^ (value >> _S30)) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> _S27)) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> _S31)


@kernel
def split_mix_all(values: np.ndarray) -> np.ndarray:
    """`split_mix` of each number: uint64 [n]."""
    out = np.empty(len(values), np.uint64)
    for i in range(len(values)):
        out[i] = split_mix(values[i])
    return out
