"""A row as units: what a threshold counts where one text is Chinese and the next is full of Latin identifiers.

A unit is a letter of a script that writes no spaces (西湖 has two), or a run of Latin letters and digits with what
joins them: `mysql_0.tb_emp1`, `2022-10-13` and `don't` are one unit each. Signs and blanks are none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cmtp.filters import chars
from cmtp.filters.counts import Count, Counts, Text
from cmtp.kernels.jit import kernel

_BASE: Final = 1_000_003
"""Base of the hash of a run, a polynomial over its code points."""
_RUN: Final = 1 << 61
"""Mark of a run's token; the token of a letter is its code point."""


@kernel
def find_units(text: Text, n: int, tokens: npt.NDArray[np.int64], lines: npt.NDArray[np.int64], counts: Counts) -> None:
    """Fill the counts UNITS, NUMBERS and LINES of a row.

    Args:
        text: the decoded row without its code.
        n: how many characters it has.
        tokens: where to put the first units, as many as it has room for.
        lines: where to put the number of the line of each of them.
        counts: where to put the counts.
    """
    points, entries, _ = text
    units, numbers, filled, any_in_line = 0, 0, 0, False
    run, inside, has_letter = np.uint64(0), False, False
    for i in range(n + 1):
        kind = entries[i] & chars.CLASS if i < n else chars.NEWLINE
        if _is_alnum(kind) or (inside and i + 1 < n and _joins(points[i]) and _is_alnum(entries[i + 1] & chars.CLASS)):
            run = (run * np.uint64(_BASE) + np.uint64(points[i])) & np.uint64(_RUN - 1)
            inside = True
            has_letter |= kind == chars.LATIN
            any_in_line = True
            continue
        if inside:
            if units < len(tokens):
                tokens[units], lines[units] = np.int64(run | np.uint64(_RUN)), filled
            units += 1
            numbers += not has_letter
            run, inside, has_letter = np.uint64(0), False, False
        if kind == chars.NEWLINE:
            filled += any_in_line
            any_in_line = False
        elif kind != chars.SPACE and kind != chars.INVISIBLE:
            any_in_line = True
            if _is_letter(kind):
                if units < len(tokens):
                    tokens[units], lines[units] = points[i], filled
                units += 1
    counts[Count.UNITS], counts[Count.NUMBERS], counts[Count.LINES] = units, numbers, filled


@kernel
def _is_alnum(kind: int) -> bool:
    return kind == chars.LATIN or kind == chars.DIGIT


@kernel
def _is_letter(kind: int) -> bool:
    return kind == chars.HAN or kind == chars.KANA or kind == chars.HANGUL or kind == chars.LETTER


@kernel
def _joins(point: int) -> bool:
    """Whether a character between two letters or digits makes one unit of them: apostrophe , - . / : @ backslash _."""
    return point == 39 or 44 <= point <= 47 or point == 58 or point == 64 or point == 92 or point == 95
