"""The comparison form of a text. Two texts are copies if their forms are equal. The form is never written out.

1. Unfold compatibility characters (full width, ligatures, circled digits) and fold case: Ａ, ⓐ and A become a.
2. Replace traditional characters by simplified ones, and some variants by the usual form: 著 and 着 become 着.
3. Drop what carries no meaning: white space, controls, zero-width characters, variation selectors, punctuation,
   pictographs. Letters, ideographs, digits, combining marks, ``%``, mathematical and currency signs stay: article 12 is
   not article 13, C++ is not C, and < is not >.
4. Where punctuation or space stood between two digits, put a point: 1.5 is not 15, and 3–4 people are not 34.
5. A raised digit stays raised behind a digit: 10² is not 102. Behind anything else it is plain: m², ㎡ and m2 are one.

The form is decomposed (NFKD). Two strings have the same NFKC exactly if they have the same NFKD, and NFKD works on one
code point at a time, so a kernel can look the form up in a table. Runs of several combining marks are not reordered.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.kernels.jit import inlined, kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.script import simplified
from cmtp.text.utf8 import decode_point


class Folded(NamedTuple):
    """A column of texts in comparison form.

    Attributes:
        codes: int32 [:], code points of all rows one after the other.
        ends: int64 [rows + 1]; row i is ``codes[ends[i]:ends[i + 1]]``.
    """

    codes: np.ndarray
    ends: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """int64 [rows], characters of comparison form."""
        return np.diff(self.ends)

    def take(self, rows: np.ndarray) -> Folded:
        """Some of the rows, in the order given."""
        ends = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.lengths[rows], out=ends[1:])
        taken = Folded(np.empty(ends[-1], np.int32), ends)
        _take(self, rows, taken)
        return taken


def fold(texts: pa.Array | pa.ChunkedArray) -> Folded:
    """The comparison forms of a string column."""
    data, offsets = string_buffers(texts)
    size = int(offsets[-1] - offsets[0]) + int(_ROOM)  # enough unless the text is full of ligatures
    while True:
        folded = Folded(np.empty(size, np.int32), np.zeros(len(offsets), np.int64))
        if _fold(data, offsets, comparison_table(), folded):
            return folded._replace(codes=folded.codes[: folded.ends[-1]])
        size *= 2


def comparison_form(text: str) -> str:
    """The comparison form of one text, for evidence and tests; columns go through `fold`."""
    return "".join(map(chr, fold(pa.array([text])).codes))


class ComparisonTable(NamedTuple):
    """The map from code point to comparison form.

    Attributes:
        single: int32 [0x110000]. Positive: the code point that this one becomes. 0: dropped as if it were not there.
            Negative: -i, where ``expansion[i]`` code points follow in ``expansion[i + 1:]``; none for a separator
            (punctuation, space).
        expansion: int32 [:].
    """

    single: np.ndarray
    expansion: np.ndarray


_RAISED: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"

_KEPT_SIGNS: Final = frozenset("%‰+<=>")
"""Signs that carry meaning although Unicode counts some of them as punctuation (% is Po)."""

_VARIANTS: Final = dict(zip("著妳牠彷媿賸擕妬鬦竝廻", "着你它仿愧剩携妒斗并回", strict=True))
"""Forms of traditional script that OpenCC's table leaves as they are, because some are words of their own (著名)."""

_FRAME: Final = frozenset("|~")
"""ASCII characters that draw frames and lines. Unicode counts them among the mathematical signs."""

_DROPPED: Final = _FRAME | frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164"  # fillers and joiners that Unicode calls letters and marks
    + "".join(
        map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
    )  # variation selectors
)

_PLANES: Final = (range(0x3400), range(0xA000, 0xAC00), range(0xD7A4, 0xD800), range(0xE000, 0x20000))
_PLANES_END: Final = (range(0x2F800, 0x2FA20), range(0xE0000, 0xE0200))
"""Code points that may change. Two blocks are left out: unified ideographs, because OpenCC's table lists those that
change, and Hangul syllables, which stay composed."""


@lru_cache(maxsize=1)
def comparison_table() -> ComparisonTable:
    """The table, from Python's Unicode data and OpenCC's dictionary. It is made once per process, in about 0.1 s."""
    simple = {**simplified(), **_VARIANTS}
    single = np.arange(0x110000, dtype=np.int32)
    expansion: list[int] = [0, 0]  # -1 is a separator; 0 could not be negative
    for point in sorted({*_changing(), *map(ord, simple)}):
        if chr(point) in _RAISED:  # decided where it stands
            continue
        if unicodedata.category(chr(point)) in ("Cn", "Co"):  # the majority, which stay as they are
            continue
        form = [ord(simple.get(char, char)) for char in _unfold(chr(point)) if _stays(char)]
        if len(form) == 1:
            single[point] = form[0]
        elif not form:
            single[point] = 0 if _invisible(chr(point)) else -1
        else:
            single[point] = -len(expansion)
            expansion += [len(form), *form]
    return ComparisonTable(single, np.array(expansion, dtype=np.int32))


def _changing() -> Iterator[int]:
    for span in (*_PLANES, *_PLANES_END):
        yield from span


def _unfold(char: str) -> str:
    folded = unicodedata.normalize("NFKC", char).casefold()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", folded).casefold())


def _stays(char: str) -> bool:
    if char in _DROPPED:
        return False
    category = unicodedata.category(char)
    return char in _KEPT_SIGNS or category[0] in "LNM" or category in ("Sm", "Sc", "Co", "Cn")


def _invisible(char: str) -> bool:
    return char in _DROPPED - _FRAME or unicodedata.category(char) == "Cf"


_POINT: Final = ord(".")
_ROOM: Final = np.uint64(32)
"""More than the code points that one code point can become (at most 18, for U+FDFA)."""

_1: Final = np.uint64(1)  # positions in buffers are unsigned, see `cmtp.text.utf8`


@kernel
def _fold(data: np.ndarray, offsets: np.ndarray, table: ComparisonTable, folded: Folded) -> bool:
    """Decode, map and pack all rows; False where `folded` has too little room.

    `separated`: there was punctuation or space between the last character written and this one.
    """
    single, expansion, out = table.single, table.expansion, folded.codes
    count, room = np.uint64(0), np.uint64(len(out))
    for row in range(len(offsets) - 1):
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        first = count
        separated = False
        if count + (end - i) + _ROOM > room:  # unless it expands, a byte becomes one code point at most
            return False
        while i < end:
            point, i = decode_point(data, i)
            mapped = single[np.uint64(point)]
            if mapped == 0:
                continue
            length, start = _1, np.uint64(0)
            if mapped < 0:
                length, start = np.uint64(expansion[np.uint64(-mapped)]), np.uint64(1 - mapped)
                if length == 0:
                    separated = True
                    continue
                if count + length + (end - i) + _ROOM > room:
                    return False
                mapped = expansion[start]
            lowered = _lowered(mapped)
            if lowered and not (count > first and (_digit(out[count - _1]) or _lowered(out[count - _1]))):
                mapped = lowered
            if separated:
                separated = False
                if count > first and _between_digits(out[count - _1], mapped):
                    out[count] = _POINT
                    count += _1
            out[count] = mapped
            count += _1
            if length > _1:
                for k in range(_1, length):
                    out[count] = expansion[start + k]
                    count += _1
        folded.ends[row + 1] = count
    return True


@inlined
def _digit(code: int) -> bool:
    return 48 <= code <= 57


@inlined
def _between_digits(before: int, after: int) -> bool:
    return _digit(before) and _digit(after)


@inlined
def _lowered(code: int) -> int:
    """The digit that a raised one stands for, 0 for other characters. U+00B9, B2 and B3 come from Latin-1."""
    if code < 0xB2 or code > 0x2079:
        return 0
    if code >= 0x2070:
        return 48 + code - 0x2070 if code != 0x2071 and code != 0x2072 and code != 0x2073 else 0
    if code == 0xB9:
        return 49
    return 50 + code - 0xB2 if code <= 0xB3 else 0


@kernel
def _take(folded: Folded, rows: np.ndarray, taken: Folded) -> None:
    for i in range(len(rows)):
        row = folded.codes[folded.ends[rows[i]] : folded.ends[rows[i] + 1]]
        taken.codes[taken.ends[i] : taken.ends[i + 1]] = row
