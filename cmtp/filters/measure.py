"""One pass over an Arrow string column: counts of character classes, repetition and debris per row."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cmtp.filters import chars
from cmtp.filters.columns import buffers
from cmtp.kernels.jit import kernel

COLUMNS: Final = (
    "chars", "han", "kana", "hangul", "latin", "words", "function_words", "letters", "digits", "spaces", "ends",
    "punctuation", "symbols", "invisible", "replaced", "stops", "gbk_leads", "latin1_triples", "lines", "longest_run",
    "tag_chars", "code_chars", "dup_line_chars", "dup_ngram_chars", "bigram_chars", "prose", "digit_run", "at_signs",
    "dotted_digits", "hex_colons", "plates", "top_bigram",
)  # fmt: skip
"""What is counted. Code (between ``` fences or in `backticks`) counts only for chars, code_chars and the hints of
private data (digit_run to plates).

words: runs of Latin letters; function_words: those that are an English, French, German or Spanish function word;
letters: of other scripts; ends: sentence-ending marks; stops: Chinese function characters; longest_run: of one
letter; dup_line_chars and dup_ngram_chars: characters in lines and in 12-grams that were seen before in the row;
bigram_chars: characters in the most frequent pair of Han characters, top_bigram being that pair (two code points,
packed); prose: characters outside code that are no white space; digit_run: most digits in a row, separators between
them allowed; dotted_digits: dots between digits; hex_colons: colons in a row of hexadecimal groups; plates: a
province's character before a capital letter."""

_N: Final = len(COLUMNS)
NGRAM: Final = 12
"""Characters per n-gram of `dup_ngram_chars`: about seven Chinese words, the middle of FineWeb-2's 5 to 10."""
_LOOK: Final = 8192
"""Characters of a row, at most, that repetition looks at (longer rows are judged by their beginning)."""
_SLOTS: Final = 4 * _LOOK
"""Hash slots for the n-grams, pairs and lines of one row: never more than three quarters full."""


@cache
def function_words() -> npt.NDArray[np.uint64]:
    """Packed function words (up to eight lower-case ASCII letters, big-endian), sorted."""
    text = (files("cmtp.filters") / "lexicons" / "function_words.txt").read_text("utf-8")
    words = {word for line in text.splitlines() if not line.startswith("#") for word in line.split()}
    return np.array(sorted(int.from_bytes(word.encode(), "big") for word in words), np.uint64)


def measure(column: pl.Series, prefix: str) -> pl.DataFrame:
    """Counts per row of a string column, one column per name in `COLUMNS`, each named prefix + name."""
    offsets, data = buffers(column)
    counts = np.zeros((_N, len(column)), np.int64)
    _count(offsets, data, chars.table(), function_words(), counts)
    return pl.DataFrame({prefix + name: counts[i] for i, name in enumerate(COLUMNS)})


@kernel
def decode(data: npt.NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Code point that begins at a byte, and its length in bytes. The text is valid UTF-8."""
    first = int(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | int(data[at + 1]) & 0x3F, 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (int(data[at + 1]) & 0x3F) << 6 | int(data[at + 2]) & 0x3F, 3
    tail = (int(data[at + 1]) & 0x3F) << 12 | (int(data[at + 2]) & 0x3F) << 6 | int(data[at + 3]) & 0x3F
    return (first & 0x07) << 18 | tail, 4


@kernel
def _class_of(code: int, table: npt.NDArray[np.uint8]) -> int:
    if code < 0x10000:
        return int(table[code])
    if 0x20000 <= code < 0x40000:
        return 1  # Han, extensions B and beyond
    return 10 if 0x1F000 <= code < 0x1FC00 else 11  # emoji and pictographs, else other letters


@kernel
def _starts_in_code(data: npt.NDArray[np.uint8], begin: int, end: int) -> bool:
    """Whether a row cut inside a code block: an odd number of fences, and little Chinese before the first."""
    fences, wide, first = 0, 0, 0
    at = begin
    while at < end:
        if data[at] == 96 and at + 2 < end and data[at + 1] == 96 and data[at + 2] == 96:
            fences += 1
            if fences == 1:
                first = at - begin
            at += 3
            continue
        if fences == 0 and data[at] >= 0xE3:
            wide += 1
        at += 1
    return fences % 2 == 1 and first > 0 and wide * 3 * 10 < first


@kernel
def _tag_length(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Bytes of an HTML tag, comment or entity that begins here; 0 where none does. ASCII up to 300 bytes."""
    first = data[at]
    if at + 2 >= end:
        return 0
    follows = data[at + 1]
    letter = 97 <= (follows | 0x20) <= 122
    if first == 60 and (letter or follows == 47 or follows == 33):  # < and a letter, / or !
        for i in range(at + 2, min(end, at + 300)):
            if data[i] == 62:
                return i + 1 - at
            if data[i] == 60:
                return 0
    elif first == 38 and (letter or follows == 35):  # & and a letter or #
        for i in range(at + 2, min(end, at + 9)):
            if data[i] == 59:
                return i + 1 - at
            if not (48 <= data[i] <= 57 or 97 <= (data[i] | 0x20) <= 122):
                return 0
    return 0


@kernel
def _seen(key: np.uint64, mask: int, slots: npt.NDArray[np.uint64], stamps: npt.NDArray[np.int64],
          tally: npt.NDArray[np.int32], stamp: int) -> int:  # fmt: skip
    """How often the key was met before in this row; remembers it."""
    at = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & mask
    while stamps[at] == stamp:
        if slots[at] == key:
            tally[at] += 1
            return int(tally[at]) - 1
        at = (at + 1) & mask
    stamps[at] = stamp
    slots[at] = key
    tally[at] = 1
    return 0


@kernel
def _is_function_word(word: np.uint64, words: npt.NDArray[np.uint64]) -> bool:
    at = np.searchsorted(words, word)
    return bool(at < len(words) and words[at] == word)


@kernel
def _count(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8],
           words: npt.NDArray[np.uint64], out: npt.NDArray[np.int64]) -> None:  # fmt: skip
    base = np.uint64(1_000_003)
    drop = np.uint64(1)
    for _ in range(NGRAM):
        drop *= base
    slots, stamps = np.zeros(_SLOTS, np.uint64), np.full(_SLOTS, -1, np.int64)
    tally = np.zeros(_SLOTS, np.int32)
    ring = np.zeros(NGRAM, np.uint64)
    tag_line, tag_pair = np.uint64(1) << np.uint64(62), np.uint64(1) << np.uint64(61)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        mask = 63
        while mask + 1 < 4 * min(end - begin, _LOOK):
            mask = mask * 2 + 1
        code = fence = _starts_in_code(data, begin, end)
        gram, line, word = np.uint64(0), np.uint64(0), np.uint64(0)
        prose, covered, line_chars, run, run_of = 0, 0, 0, 0, -1
        previous, triple, digit_run, gap, hexes, letters = -1, 0, 0, 0, 0, 0
        best, top, tag_end = 0, 0, begin
        at = begin
        while at < end:
            point, length = decode(data, at)
            entry = _class_of(point, table)
            kind = entry & 0x0F
            out[0, row] += 1
            # Private data is looked for in code too.
            if kind == 5:
                digit_run += 1
                gap = 0
                if digit_run > out[26, row]:
                    out[26, row] = digit_run
            elif digit_run:
                if point == 46:
                    out[28, row] += 1
                gap += 1
                dash = point == 45 or point == 0xFF0D or point == 0x2212 or 0x2012 <= point <= 0x2014
                if gap > 3 or not (
                    kind == 6 or dash or point == 46 or point == 0xFF0E or point == 0xB7 or point == 0x2022
                ):
                    digit_run = 0
            if point == 64 or point == 0xFF20:
                out[27, row] += 1
            if point == 58 and hexes < 5:
                out[29, row] += 1
            hexes = hexes + 1 if kind == 5 or 97 <= (point | 0x20) <= 102 else (0 if point == 58 else 9)
            if previous >= 0 and (65 <= point <= 90 or 0xFF21 <= point <= 0xFF3A):
                out[30, row] += 1
            previous = point if entry & 0x80 and point < 0x10000 else -1
            if point == 96:
                if at + 2 < end and data[at + 1] == 96 and data[at + 2] == 96:
                    fence = not fence
                    code = fence
                    out[0, row] += 2
                    out[21, row] += 3
                    at += 3
                    continue
                if not fence:
                    code = not code
            if kind == 7:
                code = fence
            if code or point == 96:
                out[21, row] += 1
                at += length
                continue
            # Letters, words, digits: what the text is made of.
            if kind == 4:
                out[4, row] += 1
                letters += 1
                if letters == 1:
                    out[5, row] += 1
                folded = np.uint64(point | 0x20) if point < 0x80 else np.uint64(0xFF)
                word = word << np.uint64(8) | folded if letters <= 8 else np.uint64(0xFF)
            elif letters:
                if letters <= 8 and _is_function_word(word, words):
                    out[6, row] += 1
                letters, word = 0, np.uint64(0)
            if kind == 1:
                out[1, row] += 1
                if entry & 0x10 and point < 0x10000:
                    out[16, row] += 1
                if entry & 0x40 and point < 0x10000:
                    out[15, row] += 1
            elif kind == 2:
                out[2, row] += 1
            elif kind == 3:
                out[3, row] += 1
            elif kind == 5:
                out[8, row] += 1
            elif kind == 6:
                out[9, row] += 1
            elif kind == 8:
                out[10, row] += 1
            elif kind == 9:
                out[11, row] += 1
            elif kind == 10:
                out[12, row] += 1
            elif kind == 11:
                out[7, row] += 1
            elif kind == 12:
                out[13, row] += 1
            elif kind == 13:
                out[14, row] += 1
            # UTF-8 read as Latin-1: a lead byte ä to é, or ï, and two continuation bytes.
            if triple > 0 and point < 0x10000 and entry & 0x20:
                triple += 1
                if triple == 3:
                    out[17, row] += 1
                    triple = 0
            else:
                triple = 1 if 0xE3 <= point <= 0xE9 or point == 0xEF else 0
            if (point == 60 or point == 38) and at >= tag_end:
                tag_end = at + _tag_length(data, at, end)
            if at < tag_end:
                out[20, row] += 1
            if kind == 7:
                if line_chars:
                    out[18, row] += 1
                    if line_chars >= 4 and prose <= _LOOK and _seen(line | tag_line, mask, slots, stamps, tally, row):
                        out[22, row] += line_chars
                line, line_chars = np.uint64(0), 0
                run_of = -1
            elif kind != 6 and kind != 12:
                line = (line * base + np.uint64(point)) & (tag_pair - np.uint64(1))
                line_chars += 1
                prose += 1
                if prose <= _LOOK:
                    slot = prose % NGRAM
                    gram = (
                        gram * base + np.uint64(point) - ring[slot] * drop
                        if prose > NGRAM
                        else gram * base + np.uint64(point)
                    )
                    ring[slot] = np.uint64(point)
                    if prose >= NGRAM and _seen(gram & (tag_pair - np.uint64(1)), mask, slots, stamps, tally, row):
                        out[23, row] += min(NGRAM, prose - covered)
                        covered = prose
                    if kind == 1 and run_of >= 0x3005:
                        pair = run_of << 21 | point
                        n = _seen(np.uint64(pair) | tag_pair, mask, slots, stamps, tally, row) + 1
                        if n > best:
                            best, top = n, pair
                run = run + 1 if point == run_of else 1
                if run > out[19, row] and (kind == 1 or kind == 4 or kind == 2):
                    out[19, row] = run
                run_of = point if kind == 1 or kind == 4 or kind == 2 else -1
            at += length
        if letters and letters <= 8 and _is_function_word(word, words):
            out[6, row] += 1
        if line_chars:
            out[18, row] += 1
            if line_chars >= 4 and prose <= _LOOK and _seen(line | tag_line, mask, slots, stamps, tally, row):
                out[22, row] += line_chars
        out[24, row] = min(2 * best, prose) if best > 1 else 0
        out[25, row] = prose
        out[31, row] = top if best > 1 else 0
