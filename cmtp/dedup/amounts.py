"""Where small differences are differences of substance: numbers, negations and Latin letters."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from cmtp.kernels.jit import kernel
from cmtp.kernels.sets import sort_unique
from cmtp.text.compare import Folded

NUMERALS: Final = np.zeros(1 << 16, np.bool_)
NUMERALS[list(map(ord, "0123456789〇零二两三四五六七八九十百千万亿"))] = True
"""Which characters are part of numbers. 一 is left out, because it is mostly an article (一个, 一般). Where 一 became
二, the 二 makes the difference."""

_SIGNS: Final = np.zeros(1 << 16, np.bool_)
_SIGNS[list(map(ord, "不没无未非否勿莫毋abcdefghijklmnopqrstuvwxyz"))] = True
"""Further characters on which short copies agree: 可以吃 and 不可以吃 say different things, and so do transitive and
intransitive."""

_ORDINAL: Final = ord("第")
_NUMBER_START: Final = np.uint64(0x110000)
_NUMBER_BASE: Final = np.uint64(0x9FB21C651E98DF25)
_SEQUENCE_BASE: Final = np.uint64(0xC2B2AE3D27D4EB4F)


class Numbers(NamedTuple):
    """The numbers of a column of texts.

    Attributes:
        sequences: uint64[rows], hash of the numbers, negations and Latin letters of each text, in order.
        amounts: uint64[:], hashes of the numbers that are not ordinals (第三十条), sorted and unique within each text.
        amount_starts: int64[rows + 1], where the amounts of each text start.
    """

    sequences: np.ndarray
    amounts: np.ndarray
    amount_starts: np.ndarray


def numbers_of(folded: Folded) -> Numbers:
    """The numbers of a column of texts."""
    rows = len(folded.ends) - 1
    amounts = np.empty(len(folded.codes), np.uint64)  # pages never written take no memory
    found = Numbers(np.empty(rows, np.uint64), amounts, np.zeros(rows + 1, np.int64))
    _find_numbers(folded, found)
    return found._replace(amounts=amounts[: found.amount_starts[-1]].copy())


@kernel
def has_flag(flags: np.ndarray, code: int) -> bool:
    """Whether a character is flagged; those beyond the table are not."""
    return code < len(flags) and flags[code]


@kernel
def _find_numbers(folded: Folded, found: Numbers) -> None:
    """Fill in the numbers of all texts; `found.amounts` has room for one per character."""
    codes, ends, amounts = folded.codes, folded.ends, found.amounts
    total = 0
    for row in range(len(ends) - 1):
        sequence = np.uint64(0)
        number = np.uint64(0)
        inside, ordinal = False, False
        first = total
        for i in range(ends[row], ends[row + 1] + 1):
            last = i == ends[row + 1]
            if not last and has_flag(NUMERALS, codes[i]):
                if not inside:
                    number = _NUMBER_START
                    ordinal = i > ends[row] and codes[i - 1] == _ORDINAL
                number = number * _NUMBER_BASE + np.uint64(codes[i])
                inside = True
                continue
            if inside:
                sequence = sequence * _SEQUENCE_BASE + number
                if not ordinal:
                    amounts[total] = number
                    total += 1
            inside = False
            if not last and has_flag(_SIGNS, codes[i]):
                sequence = sequence * _SEQUENCE_BASE + np.uint64(codes[i])
        found.sequences[row] = sequence
        total = first + sort_unique(amounts[first:total])
        found.amount_starts[row + 1] = total
