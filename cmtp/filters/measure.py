"""Counts per row of a string column: character classes, repetition, leftovers of markup, hints of private data.

Algorithm, for each row:

1. Decode the UTF-8 bytes into characters; a ``` fence becomes one character, `FENCE`.
2. Count what may be private data (digit runs, @, plates, …); it is looked for in code, too.
3. Drop code: what stands between fences, and in `backticks` on one line.
4. Count the classes of the remaining characters, words, UTF-8 read as Latin-1, and HTML tags.
5. Count units (`units`) and repetition (`repetition`): lines, 12-grams and pairs of Han characters seen before in this
   row, and runs of one letter.

Each step is a kernel of its own over the arrays that step 1 filled.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cmtp.filters import chars
from cmtp.filters.counts import COUNT_COLUMNS, FENCE, Count, Counts, Text
from cmtp.filters.repetition import repetition, seen_table
from cmtp.kernels.jit import kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.utf8 import decode_point

TAG_BYTES: Final = 300
"""Bytes of a tag at most: a longer one is text with a < in it."""
ENTITY_BYTES: Final = 9
"""Bytes of an entity at most: &thetasym; and a few others are longer and rare."""


def count_texts(column: pl.Series, prefix: str) -> pl.DataFrame:
    """Counts per row of a string column without nulls, one Int64 column per `Count`, named prefix + name."""
    data, offsets = string_buffers(column.to_arrow())
    counts = np.zeros((len(COUNT_COLUMNS), len(column)), np.int64)
    _count(offsets, data, chars.class_table(), function_words(), counts)
    return pl.DataFrame({prefix + name: counts[i] for i, name in enumerate(COUNT_COLUMNS)})


@cache
def function_words() -> npt.NDArray[np.uint64]:
    """Packed function words (up to eight lower-case ASCII letters, big-endian), sorted."""
    text = (files("cmtp.filters") / "lexicons" / "function_words.txt").read_text("utf-8")
    words = {word for line in text.splitlines() if not line.startswith("#") for word in line.split()}
    return np.array(sorted(int.from_bytes(word.encode(), "big") for word in words), np.uint64)


@kernel
def _count(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8],
           words: npt.NDArray[np.uint64], out: npt.NDArray[np.int64]) -> None:  # fmt: skip
    room = 1
    for row in range(len(offsets) - 1):
        room = max(room, offsets[row + 1] - offsets[row])
    text = Text(np.zeros(room, np.int32), np.zeros(room, np.uint8), np.zeros(room, np.int64))
    seen = seen_table()
    counts = np.zeros(len(out), np.int64)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        counts[:] = 0
        n, classes, has_code = _decode_row(data, begin, end, table, text)
        _private_hints(text, n, counts)
        counts[Count.CHARS] = n
        if has_code:
            n = _drop_code(text, n, _starts_in_code(data, begin, end), counts)
        _classes(text, n, counts)
        if classes >> chars.LATIN & 1:  # ä to é and ï, with which a Latin-1 triple begins, are Latin letters
            _words(text, n, words, counts)
            _latin1(text, n, counts)
        if classes >> chars.SYMBOL & 1:  # < and & are symbols
            _tags(data, end, text, n, counts)
        repetition(text, n, end - begin, seen, row, counts)
        out[:, row] = counts


@kernel
def _class_of(code: int, table: npt.NDArray[np.uint8]) -> int:
    if code < 0x10000:
        return int(table[code])
    if 0x20000 <= code < 0x40000:
        return chars.HAN  # extensions B and beyond
    return chars.SYMBOL if 0x1F000 <= code < 0x1FC00 else chars.LETTER  # emoji and pictographs; other scripts


@kernel
def _decode_row(data: npt.NDArray[np.uint8], begin: int, end: int, table: npt.NDArray[np.uint8],
                text: Text) -> tuple[int, int, bool]:  # fmt: skip
    """Decode the bytes of a row.

    Returns:
        The number of characters, a fence being one; the classes that occur, as bits; whether there is a backtick.
    """
    points, entries, starts = text
    n, classes, has_code = 0, 0, False
    at, stop = np.uint64(begin), np.uint64(end)
    while at < stop:
        start = np.int64(at)
        point, at = decode_point(data, at)
        entry = _class_of(point, table)
        classes |= 1 << (entry & chars.CLASS)
        if point == 96:
            has_code = True
            if start + 2 < end and data[start + 1] == 96 and data[start + 2] == 96:
                point, at = FENCE, np.uint64(start + 3)
        starts[n] = start
        entries[n] = entry
        points[n] = point
        n += 1
    return n, classes, has_code


@kernel
def _private_hints(text: Text, n: int, counts: Counts) -> None:
    """DIGIT_RUN, AT_SIGNS, DOTTED_DIGITS, HEX_COLONS, PLATES.

    `gap` counts the separators since the last digit, `hexes` the hexadecimal digits since the last colon or, after
    any other character, 9: more than a group of IPv6 may have.
    """
    points, entries, _ = text
    digits, gap, hexes, longest, after_province = 0, 0, 0, 0, False
    dots, at_signs, colons, plates = 0, 0, 0, 0
    for i in range(n):
        point, kind = points[i], entries[i] & chars.CLASS
        if kind == chars.DIGIT:
            digits += 1
            gap = 0
            longest = max(longest, digits)
        elif digits:
            dots += point == 46
            gap += 1
            if gap > 3 or not (kind == chars.SPACE or _separates_digits(point)):
                digits = 0
        at_signs += point == 64 or point == 0xFF20
        colons += point == 58 and hexes < 5
        if kind == chars.DIGIT or 97 <= (point | 0x20) <= 102:
            hexes += 1
        else:
            hexes = 0 if point == 58 else 9
        plates += after_province and (65 <= point <= 90 or 0xFF21 <= point <= 0xFF3A)
        after_province = entries[i] & chars.PLATE != 0
    counts[Count.DIGIT_RUN], counts[Count.DOTTED_DIGITS] = longest, dots
    counts[Count.AT_SIGNS], counts[Count.HEX_COLONS], counts[Count.PLATES] = at_signs, colons, plates


@kernel
def _separates_digits(point: int) -> bool:
    """Hyphens and dashes, full and middle dots."""
    dash = point == 45 or point == 0xFF0D or point == 0x2212 or 0x2012 <= point <= 0x2014
    return dash or point == 46 or point == 0xFF0E or point == 0xB7 or point == 0x2022


@kernel
def _starts_in_code(data: npt.NDArray[np.uint8], begin: int, end: int) -> bool:
    """Whether a row was cut inside a code block: an odd number of fences, and little Chinese before the first."""
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
def _drop_code(text: Text, n: int, fenced: bool, counts: Counts) -> int:
    """Count CHARS and CODE_CHARS, and close the gaps that code leaves; the number of characters that stay."""
    points, entries, starts = text
    stay, fences, code = 0, 0, fenced
    for i in range(n):
        point = points[i]
        if point == FENCE:
            fences += 1
            fenced = not fenced
            code = fenced
        elif point == 96:
            code = fenced or not code
        else:
            if entries[i] & chars.CLASS == chars.NEWLINE:
                code = fenced  # inline code ends with its line
            if not code:
                points[stay], entries[stay], starts[stay] = point, entries[i], starts[i]
                stay += 1
    counts[Count.CHARS] = n + 2 * fences
    counts[Count.CODE_CHARS] = n + 2 * fences - stay
    return stay


@kernel
def _classes(text: Text, n: int, counts: Counts) -> None:
    """Characters by class, PROSE, SIGNS, and STOPS, GBK_LEADS and SPACED of Han characters."""
    points, entries, _ = text
    stops, leads, signs, spaced = 0, 0, 0, 0
    before, second, point_before = chars.NEWLINE, chars.NEWLINE, 0  # classes of the last two characters
    for i in range(n):
        entry = entries[i]
        kind = entry & chars.CLASS
        counts[kind] += 1
        if kind == chars.HAN:
            stops += entry & chars.STOP != 0
            leads += entry & chars.GBK_LEAD != 0
            spaced += before == chars.SPACE and second == chars.HAN
        elif kind == chars.SYMBOL or kind == chars.PUNCTUATION or kind == chars.SENTENCE_END:
            signs += points[i] != point_before
        before, second, point_before = kind, before, points[i]
    counts[Count.PROSE] = n - counts[Count.SPACES] - counts[Count.NEWLINES] - counts[Count.INVISIBLE]
    counts[Count.STOPS], counts[Count.GBK_LEADS] = stops, leads
    counts[Count.SIGNS], counts[Count.SPACED] = signs, spaced


@kernel
def _words(text: Text, n: int, words: npt.NDArray[np.uint64], counts: Counts) -> None:
    """WORDS and FUNCTION_WORDS. A word is packed eight ASCII letters at a time; another letter fits no listed word."""
    points, entries, _ = text
    letters, packed = 0, np.uint64(0)
    for i in range(n + 1):
        if i < n and entries[i] & chars.CLASS == chars.LATIN:
            letters += 1
            point = points[i]
            folded = np.uint64(point | 0x20) if point < 0x80 else np.uint64(0xFF)
            packed = packed << np.uint64(8) | folded if letters <= 8 else np.uint64(0xFF)
        elif letters:
            counts[Count.WORDS] += 1
            at = np.searchsorted(words, packed) if letters <= 8 else len(words)
            counts[Count.FUNCTION_WORDS] += at < len(words) and words[at] == packed
            letters, packed = 0, np.uint64(0)


@kernel
def _latin1(text: Text, n: int, counts: Counts) -> None:
    """LATIN1_TRIPLES: a lead byte ä to é, or ï, and two continuation bytes."""
    points, entries, _ = text
    length = 0
    for i in range(n):
        point = points[i]
        if length > 0 and entries[i] & chars.LATIN1_TAIL:
            length += 1
            if length == 3:
                counts[Count.LATIN1_TRIPLES] += 1
                length = 0
        else:
            length = 1 if 0xE3 <= point <= 0xE9 or point == 0xEF else 0


@kernel
def _tags(data: npt.NDArray[np.uint8], end: int, text: Text, n: int, counts: Counts) -> None:
    """TAG_CHARS."""
    points, _, starts = text
    tag_end = np.int64(0)
    for i in range(n):
        point, at = points[i], starts[i]
        if (point == 60 or point == 38) and at >= tag_end:
            tag_end = at + _tag_length(data, at, end)
        counts[Count.TAG_CHARS] += at < tag_end


@kernel
def _tag_length(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Bytes of the HTML tag, comment or entity that begins at a < or &; 0 where none does."""
    first = data[at]
    if at + 2 >= end:
        return 0
    follows = data[at + 1]
    letter = 97 <= (follows | 0x20) <= 122
    if first == 60 and (letter or follows == 47 or follows == 33):  # < and a letter, / or !
        for i in range(at + 2, min(end, at + TAG_BYTES)):
            if data[i] == 62:
                return i + 1 - at
            if data[i] == 60:
                return 0
    elif first == 38 and (letter or follows == 35):  # & and a letter or #
        for i in range(at + 2, min(end, at + ENTITY_BYTES)):
            if data[i] == 59:
                return i + 1 - at
            if not (48 <= data[i] <= 57 or 97 <= (data[i] | 0x20) <= 122):
                return 0
    return 0
