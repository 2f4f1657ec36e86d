"""What small differences of substance are made of: numbers, Chinese numerals included, negations, Latin letters."""

from __future__ import annotations

from typing import Final

import numpy as np

from cmtp.kernels.jit import kernel
from cmtp.text.compare import Folded

NUMERALS: Final = np.zeros(1 << 16, np.bool_)
NUMERALS[list(map(ord, "0123456789〇零二两三四五六七八九十百千万亿"))] = True
"""Which characters are of numbers; not 一, rather an article (一个, 一般): where 一 became 二, the 二 tells."""

_SIGNS: Final = np.zeros(1 << 16, np.bool_)
_SIGNS[list(map(ord, "不没无未非否勿莫毋abcdefghijklmnopqrstuvwxyz"))] = True
"""Further characters of a short text that two copies share: of 可以吃 and 不可以吃 one is wrong, transitive is not
intransitive."""

_ORDINAL: Final = ord("第")


@kernel
def _numbers(codes, ends, numerals, signs, sequences, amounts, amount_starts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0
    for row in range(len(ends) - 1):
        sequence = np.uint64(0)
        number = np.uint64(0)
        inside, ordinal = False, False
        first = total
        for i in range(ends[row], ends[row + 1] + 1):
            if i < ends[row + 1] and codes[i] < len(numerals) and numerals[codes[i]]:
                if not inside:
                    number = np.uint64(0x110000)
                    ordinal = i > ends[row] and codes[i - 1] == _ORDINAL
                number = number * np.uint64(0x9FB21C651E98DF25) + np.uint64(codes[i])
                inside = True
                continue
            if inside:
                sequence = sequence * np.uint64(0xC2B2AE3D27D4EB4F) + number
                if not ordinal:
                    amounts[total] = number
                    total += 1
            inside = False
            if i < ends[row + 1] and codes[i] < len(signs) and signs[codes[i]]:
                sequence = sequence * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(codes[i])
        sequences[row] = sequence
        amounts[first:total].sort()
        unique = first
        for i in range(first, total):
            if i == first or amounts[i] != amounts[unique - 1]:
                amounts[unique] = amounts[i]
                unique += 1
        total = unique
        amount_starts[row + 1] = total


def numbers_of(folded: Folded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hash of the numbers, negations and Latin letters of every text; its amounts, where those of each text start."""
    rows = len(folded.ends) - 1
    sequences, starts = np.empty(rows, np.uint64), np.zeros(rows + 1, np.int64)
    amounts = np.empty(len(folded.codes), np.uint64)  # pages never written take no memory
    _numbers(folded.codes, folded.ends, NUMERALS, _SIGNS, sequences, amounts, starts)
    return sequences, amounts[: starts[-1]].copy(), starts
