"""Whether two passages that are nearly alike speak of two things: names of any script, releases, numbers.

What a passage is about stands in its query, too. Two kinds of subject are looked for:

- Two ideographs side by side, numerals left out: 法官 in 法官法, 检察官 in 检察官法.
- A *name*: a word of Latin letters, an identifier, a release or a number, as it was written: Kafka, `cluster`, 5.1.3.
  Years, dates and ordinals (2018, 2018-10-26, 第30条) are none: they say which version of a text this is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.dedup.amounts import NUMERALS, has_flag
from cmtp.kernels.hashing import murmur_mix
from cmtp.kernels.jit import kernel
from cmtp.kernels.sets import sort_unique
from cmtp.text.buffers import string_buffers
from cmtp.text.compare import Folded

WORD: Final = 0
"""Kind of a name: it has a letter, and is no release: Kafka, tb_emp1, GPT-4."""
FIGURE: Final = 1
"""Kind of a name: digits: 3080."""
RELEASE: Final = 2
"""Kind of a name: digits with two dots or more, or after a v: 5.1.3, v8."""
DECIMAL: Final = 3
"""Kind of a name: digits with one dot: 5.3, which is a release where the other text names one."""
_KIND: Final = 3
"""Mask of the bits of a name's hash that give its kind."""
_BASE: Final = np.uint64(0x9FB21C651E98DF25)


class Subjects(NamedTuple):
    """What is held of the rows that are compared, to tell their subjects apart. Empty where subjects do not matter.

    Attributes:
        texts: int32[:], the texts in comparison form.
        text_starts: int64[rows + 1], where each text starts.
        queries: int32[:], their queries in comparison form.
        query_starts: int64[rows + 1], where each query starts.
        text_names: uint64[:], hashes of the names in the texts, sorted and unique within each text.
        text_name_starts: int64[rows + 1], where the names of each text start.
        query_names: as text_names, of the queries.
        query_name_starts: int64[rows + 1].
    """

    texts: np.ndarray
    text_starts: np.ndarray
    queries: np.ndarray
    query_starts: np.ndarray
    text_names: np.ndarray
    text_name_starts: np.ndarray
    query_names: np.ndarray
    query_name_starts: np.ndarray


def subjects_of(texts: pa.ChunkedArray, queries: pa.ChunkedArray, text: Folded, query: Folded) -> Subjects:
    """What is held to tell subjects apart; `text` and `query` are the comparison forms of the columns."""
    return Subjects(text.codes, text.ends, query.codes, query.ends, *names_of(texts), *names_of(queries))


def names_of(texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The names in each text of a column of strings.

    Returns:
        uint64 [names], their hashes, sorted and unique within each text; int64 [rows + 1], where those of each start.
    """
    data, offsets = string_buffers(texts)
    names = np.empty((int(offsets[-1]) - int(offsets[0])) // 2 + len(offsets), np.uint64)
    starts = np.zeros(len(offsets), np.int64)
    _find_names(data, offsets, names, starts)
    return names[: starts[-1]].copy(), starts


@kernel
def _find_names(data: np.ndarray, offsets: np.ndarray, names: np.ndarray, starts: np.ndarray) -> None:
    total = 0
    for row in range(len(offsets) - 1):
        first, end = total, offsets[row + 1]
        at = offsets[row]
        while at < end:
            if not _is_alnum(data[at]):
                at += 1
                continue
            stop = at + 1
            while stop < end and (_is_alnum(data[stop]) or _is_joined(data, stop, end)):
                stop += 1
            kind = _kind_of(data, at, stop, offsets[row])
            if kind >= 0:
                names[total] = _hash_name(data, at, stop) & ~np.uint64(_KIND) | np.uint64(kind)
                total += 1
            at = stop
        total = first + sort_unique(names[first:total])
        starts[row + 1] = total


@kernel
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@kernel
def _is_alnum(byte: int) -> bool:
    return 48 <= byte <= 57 or 97 <= byte | 32 <= 122


@kernel
def _is_joined(data: np.ndarray, at: int, end: int) -> bool:
    """Whether . - or _ stands between two letters or digits, or + or # behind one (C++, C#)."""
    byte = data[at]
    if byte == ord("+") or byte == ord("#"):
        return True
    joins = byte == ord(".") or byte == ord("-") or byte == ord("_")
    return joins and at + 1 < end and _is_alnum(data[at + 1])


@kernel
def _kind_of(data: np.ndarray, begin: int, end: int, first: int) -> int:
    """The kind of the name at these bytes; -1 for a year, a date or an ordinal. The text starts at `first`."""
    letters, dots = 0, 0
    for i in range(begin, end):
        letters += not _is_digit(data[i]) and _is_alnum(data[i])
        dots += data[i] == ord(".")
    leads_v = data[begin] | 32 == ord("v") and end > begin + 1 and _is_digit(data[begin + 1])
    if letters - leads_v > 0:
        return WORD
    if leads_v:
        return RELEASE
    year = data[begin] == ord("1") and data[begin + 1 : end][:1].sum() == ord("9")
    year |= data[begin] == ord("2") and data[begin + 1 : end][:1].sum() == ord("0")
    if year and end - begin >= 4 and (end - begin == 4 or not _is_digit(data[begin + 4])):
        return -1
    ordinal = begin - first >= 3 and data[begin - 3] == 0xE7 and data[begin - 2] == 0xAC and data[begin - 1] == 0xAC
    if ordinal:  # 第 stands before it
        return -1
    if dots:
        return RELEASE if dots >= 2 else DECIMAL
    return FIGURE


@kernel
def _hash_name(data: np.ndarray, begin: int, end: int) -> np.uint64:
    value = np.uint64(0)
    for i in range(begin, end):
        byte = data[i]
        value = value * _BASE + np.uint64(byte | 32 if 65 <= byte <= 90 else byte)
    return np.uint64(murmur_mix(value))


@kernel
def _ideograph(code: int) -> bool:
    return 0x3400 <= code <= 0x9FFF or 0x20000 <= code < 0x32000


@kernel
def _contains(texts: np.ndarray, starts: np.ndarray, row: int, first: int, second: int) -> bool:
    """Whether the text of a row has these two characters side by side."""
    i, last = starts[row], starts[row + 1] - 1
    while i < last and not (texts[i] == first and texts[i + 1] == second):
        i += 1
    return bool(i < last)


@kernel
def _has(values: np.ndarray, starts: np.ndarray, row: int, value: np.uint64) -> bool:
    """Whether a name is among those of a row."""
    span = values[starts[row] : starts[row + 1]]
    at = np.searchsorted(span, value)
    return bool(at < len(span) and span[at] == value)


@kernel
def _has_own_ideographs(of: Subjects, a: int, b: int) -> bool:
    """Whether two ideographs other than numerals stand together in the query and the text of a, and in neither of b."""
    for i in range(of.query_starts[a], of.query_starts[a + 1] - 1):
        first, second = of.queries[i], of.queries[i + 1]
        if not (_ideograph(first) and _ideograph(second)) or has_flag(NUMERALS, first) or has_flag(NUMERALS, second):
            continue
        if (
            _contains(of.texts, of.text_starts, a, first, second)
            and not _contains(of.texts, of.text_starts, b, first, second)
            and not _contains(of.queries, of.query_starts, b, first, second)
        ):
            return True
    return False


@kernel
def _own_names(of: Subjects, a: int, b: int) -> tuple[int, bool, bool]:
    """Of the names that the query of a has and the query of b has not:

    Returns:
        2 if one is a release, 1 if one is a decimal; whether one is a word; whether the text of a has one that the text
        of b has not.
    """
    release, word, told = 0, False, False
    for i in range(of.query_name_starts[a], of.query_name_starts[a + 1]):
        name = of.query_names[i]
        if _has(of.query_names, of.query_name_starts, b, name):
            continue
        kind = np.int64(name & np.uint64(_KIND))
        release = max(release, 2 * (kind == RELEASE), 1 * (kind == DECIMAL))
        word |= kind == WORD
        told |= _has(of.text_names, of.text_name_starts, a, name) and not _has(
            of.text_names, of.text_name_starts, b, name
        )
    return release, word, told


@kernel
def other_subjects(of: Subjects, a: int, b: int) -> bool:
    """Whether two rows are about two things. It is enough that

    - each has a subject that stands in its query and its text, and in neither of the other;
    - their queries name two releases, or a release and a decimal number;
    - their queries name two words, and one of the texts has its own and not the other's.
    """
    release_a, word_a, told_a = _own_names(of, a, b)
    release_b, word_b, told_b = _own_names(of, b, a)
    if (release_a and release_b and release_a + release_b > 2) or (word_a and word_b and (told_a or told_b)):
        return True
    return (told_a or _has_own_ideographs(of, a, b)) and (told_b or _has_own_ideographs(of, b, a))
