"""UTF-8 in kernels: code points out of bytes, and bytes out of code points.

The bytes must be valid UTF-8, as those of Arrow strings are; nothing is checked.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cmtp.kernels.jit import inlined, kernel

# Positions in buffers are unsigned, because for a signed one every access would check for a negative index. All
# arithmetic on them is unsigned too, because in numba the sum of a signed and an unsigned integer is a float.
_1: Final = np.uint64(1)
_2: Final = np.uint64(2)
_3: Final = np.uint64(3)
_4: Final = np.uint64(4)


@inlined
def decode_point(data: np.ndarray, at: np.uint64) -> tuple[int, np.uint64]:
    """The code point that begins at byte `at`, and the position at which the next one begins."""
    first = np.int32(data[at])
    if first >> 4 == 0xE:  # most of Chinese
        point = (first & 0x0F) << 12 | (np.int32(data[at + _1]) & 0x3F) << 6 | (np.int32(data[at + _2]) & 0x3F)
        after = at + _3
    elif first < 0x80:
        point = first
        after = at + _1
    elif first < 0xE0:
        point = (first & 0x1F) << 6 | (np.int32(data[at + _1]) & 0x3F)
        after = at + _2
    else:
        upper = (first & 0x07) << 18 | (np.int32(data[at + _1]) & 0x3F) << 12
        point = upper | (np.int32(data[at + _2]) & 0x3F) << 6 | (np.int32(data[at + _3]) & 0x3F)
        after = at + _4
    return int(point), after


@kernel
def encode_point(point: int, out: np.ndarray, at: int) -> int:
    """Write a code point at byte `at` of `out`. Returns the position of the next one."""
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at], out[at + 1] = 0xC0 | point >> 6, 0x80 | point & 0x3F
        return at + 2
    if point < 0x10000:
        out[at], out[at + 1], out[at + 2] = 0xE0 | point >> 12, 0x80 | point >> 6 & 0x3F, 0x80 | point & 0x3F
        return at + 3
    out[at], out[at + 1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 0x3F
    out[at + 2], out[at + 3] = 0x80 | point >> 6 & 0x3F, 0x80 | point & 0x3F
    return at + 4
