"""Repetition within a row: lines, 12-grams and pairs of Han characters that occurred before, and runs of one letter.

Lines and 12-grams are of units (`units`), so that an identifier counts as one Chinese character does. Blanks, invisible
characters and signs do not count. One small hash table serves all three.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cmtp.filters import chars
from cmtp.filters.counts import Count, Counts, Text
from cmtp.filters.units import find_units
from cmtp.kernels.jit import kernel
from cmtp.kernels.tables import KeyCounts, count_key, key_counts, table_shift
from cmtp.text.ngrams import ngram_hashes

NGRAM: Final = 12
"""Units per n-gram of DUP_NGRAM_UNITS: about seven Chinese words, the middle of FineWeb-2's 5 to 10."""
LOOK: Final = 8192
"""Units of a row, at most, that repetition looks at (longer rows are judged by their beginning)."""
LINE: Final = 4
"""Units of a line, at least, that counts as repeated."""

_BASE: Final = 1_000_003
"""Base of the hash of a line, a polynomial over its units."""
_LACUNA: Final = ord("囗")
"""Stands for a lost character in editions of old texts: many in a row are no repetition."""
_LINE_KEY: Final = 1 << 62
_PAIR_KEY: Final = 1 << 61
"""Marks of a line's and a pair's key in the hash table; an n-gram's key has neither."""


class Seen(NamedTuple):
    """What of a row was seen before, and room for the work.

    Attributes:
        keys: lines, n-grams and pairs, counted; never more than three quarters full.
        tokens: int64 [LOOK], the row's first units.
        lines: int64 [LOOK], in which line each of them stands.
        hashes: uint64 [LOOK], the n-grams of `tokens`.
    """

    keys: KeyCounts
    tokens: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]


@kernel
def repetition(text: Text, n: int, size: int, seen: Seen, row: int, counts: Counts) -> None:
    """Fill the counts UNITS, NUMBERS, LINES, DUP_LINE_UNITS, DUP_NGRAM_UNITS, BIGRAM_CHARS, TOP_BIGRAM, LONGEST_RUN.

    Args:
        text: the decoded row without its code.
        n: how many characters it has.
        size: bytes of the row; the hash table uses as many slots as they may fill.
        seen: a table for all rows (`seen_table`).
        row: its number, which no other row has.
        counts: where to put them.
    """
    slots = 64
    while slots < 4 * min(size, LOOK):
        slots *= 2
    shift = table_shift(slots)
    find_units(text, n, seen.tokens, seen.lines, counts)
    units = min(counts[Count.UNITS], LOOK)
    _repeated_lines(units, seen, shift, row, counts)
    _repeated_ngrams(units, seen, shift, row, counts)
    _pairs_and_runs(text, n, seen, shift, row, counts)


@kernel
def seen_table() -> Seen:
    """What `repetition` needs, for all rows."""
    return Seen(key_counts(4 * LOOK), np.empty(LOOK, np.int64), np.empty(LOOK, np.int64), np.empty(LOOK, np.uint64))


@kernel
def _is_blank(kind: int) -> bool:
    """Skipped by repetition, line ends excepted."""
    return kind == chars.SPACE or kind == chars.INVISIBLE


@kernel
def _repeated_lines(units: int, seen: Seen, shift: np.uint64, row: int, counts: Counts) -> None:
    """DUP_LINE_UNITS."""
    keys, tokens, lines, _ = seen
    line, begin = np.uint64(0), 0
    for i in range(units):
        line = (line * np.uint64(_BASE) + np.uint64(tokens[i])) & np.uint64(_PAIR_KEY - 1)
        if i + 1 == units or lines[i + 1] != lines[i]:
            length = i + 1 - begin
            if length >= LINE and count_key(keys, shift, row, line | np.uint64(_LINE_KEY)):
                counts[Count.DUP_LINE_UNITS] += length
            line, begin = np.uint64(0), i + 1


@kernel
def _repeated_ngrams(units: int, seen: Seen, shift: np.uint64, row: int, counts: Counts) -> None:
    """DUP_NGRAM_UNITS. Line ends do not part n-grams."""
    keys, tokens, _, hashes = seen
    covered = 0
    for i in range(ngram_hashes(tokens[:units], NGRAM, hashes)):
        if count_key(keys, shift, row, hashes[i] & np.uint64(_PAIR_KEY - 1)):
            counts[Count.DUP_NGRAM_UNITS] += min(NGRAM, i + NGRAM - covered)
            covered = i + NGRAM


@kernel
def _pairs_and_runs(text: Text, n: int, seen: Seen, shift: np.uint64, row: int, counts: Counts) -> None:
    """BIGRAM_CHARS, TOP_BIGRAM, LONGEST_RUN. `letter` is the Han, kana or Latin letter before, else -1."""
    points, entries, _ = text
    keys = seen.keys
    letter, run, longest, prose = -1, 0, 0, 0
    top, most = 0, 1
    for i in range(n):
        point, kind = points[i], entries[i] & chars.CLASS
        if kind == chars.NEWLINE:
            letter = -1
        if kind == chars.NEWLINE or _is_blank(kind):
            continue
        prose += 1
        if kind == chars.HAN and letter >= 0x3005 and prose <= LOOK and not (point == _LACUNA == letter):
            pair = np.int64(letter) << 21 | np.int64(point)
            times = count_key(keys, shift, row, np.uint64(pair) | np.uint64(_PAIR_KEY)) + 1
            if times > most:
                most, top = times, int(pair)
        is_letter = kind == chars.HAN or kind == chars.LATIN or kind == chars.KANA
        run = run + 1 if point == letter else 1
        longest = max(longest, run if is_letter else 0)
        letter = point if is_letter else -1
    counts[Count.LONGEST_RUN] = longest
    counts[Count.BIGRAM_CHARS] = min(2 * most, prose) if most > 1 else 0
    counts[Count.TOP_BIGRAM] = top
