"""Repetition within a row: lines, 12-grams and pairs of Han characters that occurred before, and runs of one letter.

Blanks and invisible characters do not count. One small hash table serves all three; the rolling hashes are polynomials
over code points modulo 2^64.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cmtp.filters import chars
from cmtp.filters.counts import Count, Counts, Text
from cmtp.kernels.jit import kernel

NGRAM: Final = 12
"""Characters per n-gram of DUP_NGRAM_CHARS: about seven Chinese words, the middle of FineWeb-2's 5 to 10."""
LOOK: Final = 8192
"""Characters of a row, at most, that repetition looks at (longer rows are judged by their beginning)."""
LINE: Final = 4
"""Characters of a line, at least, that counts as repeated."""

_BASE: Final = 1_000_003
"""Base of the rolling hashes."""
_LINE_KEY: Final = 1 << 62
_PAIR_KEY: Final = 1 << 61
"""Marks of a line's and a pair's key in the hash table; an n-gram's key has neither."""


class Seen(NamedTuple):
    """A hash table that counts keys, with open addressing; emptied for the next row by a new stamp.

    Attributes:
        keys: the key in each slot.
        stamps: the row that wrote the slot.
        tally: how often that row met the key.
    """

    keys: npt.NDArray[np.uint64]
    stamps: npt.NDArray[np.int64]
    tally: npt.NDArray[np.int32]


@kernel
def repetition(text: Text, n: int, size: int, seen: Seen, row: int, counts: Counts) -> None:
    """Fill the counts LINES, DUP_LINE_CHARS, DUP_NGRAM_CHARS, BIGRAM_CHARS, TOP_BIGRAM and LONGEST_RUN of a row.

    Args:
        text: the decoded row without its code.
        n: how many characters it has.
        size: bytes of the row; the hash table uses as many slots as they may fill.
        seen: a table for all rows (`seen_table`).
        row: its number, which no other row has.
        counts: where to put them.
    """
    mask = 63
    while mask + 1 < 4 * min(size, LOOK):
        mask = mask * 2 + 1
    _repeated_lines(text, n, seen, mask, row, counts)
    _repeated_ngrams(text, n, seen, mask, row, counts)
    _pairs_and_runs(text, n, seen, mask, row, counts)


@kernel
def seen_table() -> Seen:
    """A hash table for `repetition`: never more than three quarters full."""
    slots = 4 * LOOK
    return Seen(np.zeros(slots, np.uint64), np.full(slots, -1, np.int64), np.zeros(slots, np.int32))


@kernel
def _seen_before(key: np.uint64, seen: Seen, mask: int, row: int) -> int:
    """How often the row met the key before; counts it."""
    at = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & mask
    while seen.stamps[at] == row:
        if seen.keys[at] == key:
            seen.tally[at] += 1
            return int(seen.tally[at]) - 1
        at = (at + 1) & mask
    seen.stamps[at] = row
    seen.keys[at] = key
    seen.tally[at] = 1
    return 0


@kernel
def _is_blank(kind: int) -> bool:
    """Skipped by repetition, line ends excepted."""
    return kind == chars.SPACE or kind == chars.INVISIBLE


@kernel
def _repeated_lines(text: Text, n: int, seen: Seen, mask: int, row: int, counts: Counts) -> None:
    """LINES and DUP_LINE_CHARS."""
    line, length, prose = np.uint64(0), 0, 0
    for i in range(n + 1):
        kind = text.entries[i] & chars.CLASS if i < n else chars.NEWLINE
        if kind == chars.NEWLINE:
            counts[Count.LINES] += length > 0
            if length >= LINE and prose <= LOOK and _seen_before(line | np.uint64(_LINE_KEY), seen, mask, row):
                counts[Count.DUP_LINE_CHARS] += length
            line, length = np.uint64(0), 0
        elif not _is_blank(kind):
            line = (line * np.uint64(_BASE) + np.uint64(text.points[i])) & np.uint64(_PAIR_KEY - 1)
            length += 1
            prose += 1


@kernel
def _repeated_ngrams(text: Text, n: int, seen: Seen, mask: int, row: int, counts: Counts) -> None:
    """DUP_NGRAM_CHARS, by a rolling hash over the characters that are not blank; line ends count as blanks."""
    base, drop = np.uint64(_BASE), np.uint64(1)
    for _ in range(NGRAM):
        drop *= base
    gram, prose, covered = np.uint64(0), 0, 0
    for i in range(n):
        kind = text.entries[i] & chars.CLASS
        if kind == chars.NEWLINE or _is_blank(kind):
            continue
        if prose == LOOK:
            return
        text.prose[prose] = text.points[i]
        gram = gram * base + np.uint64(text.points[i])
        if prose >= NGRAM:
            gram -= np.uint64(text.prose[prose - NGRAM]) * drop
        prose += 1
        if prose >= NGRAM and _seen_before(gram & np.uint64(_PAIR_KEY - 1), seen, mask, row):
            counts[Count.DUP_NGRAM_CHARS] += min(NGRAM, prose - covered)
            covered = prose


@kernel
def _pairs_and_runs(text: Text, n: int, seen: Seen, mask: int, row: int, counts: Counts) -> None:
    """BIGRAM_CHARS, TOP_BIGRAM, LONGEST_RUN. `letter` is the Han, kana or Latin letter before, else -1."""
    letter, run, longest, prose = -1, 0, 0, 0
    top, most = 0, 1
    for i in range(n):
        point, kind = text.points[i], text.entries[i] & chars.CLASS
        if kind == chars.NEWLINE:
            letter = -1
        if kind == chars.NEWLINE or _is_blank(kind):
            continue
        prose += 1
        if kind == chars.HAN and letter >= 0x3005 and prose <= LOOK:
            pair = np.int64(letter) << 21 | np.int64(point)
            times = _seen_before(np.uint64(pair) | np.uint64(_PAIR_KEY), seen, mask, row) + 1
            if times > most:
                most, top = times, int(pair)
        is_letter = kind == chars.HAN or kind == chars.LATIN or kind == chars.KANA
        run = run + 1 if point == letter else 1
        longest = max(longest, run if is_letter else 0)
        letter = point if is_letter else -1
    counts[Count.LONGEST_RUN] = longest
    counts[Count.BIGRAM_CHARS] = min(2 * most, prose) if most > 1 else 0
    counts[Count.TOP_BIGRAM] = top
