"""The comparison form: what two texts are compared by, and never what is written out.

Compatibility characters are unfolded (full width, ligatures, circled digits), case is folded, traditional characters
become simplified, and what is not substance goes: white space, controls, zero-width characters, variation selectors,
punctuation, pictographs. Letters, ideographs, digits, combining marks, ``%`` and mathematical and currency signs stay:
article 12 is not article 13, C++ is not C, and < is not >. What goes between two digits leaves a point behind, because
1.5 is not 15, nor 3–4 people 34.

The form is the decomposed one: two strings have the same NFKC exactly if they have the same NFKD, and decomposing works
on one code point at a time, so that the whole form is a table look-up that a kernel can do. Runs of several combining
marks are not reordered.
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
from cmtp.text.utf8 import decode

_KEPT_SIGNS: Final = frozenset("%‰+<=>")
"""Signs that carry substance although some of them are punctuation to Unicode (% is Po)."""

_FRAME: Final = frozenset("|~")
"""ASCII characters of frames and rules that Unicode counts among the mathematical signs."""

_DROPPED: Final = _FRAME | frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164"  # fillers and joiners that Unicode calls letters and marks
    + "".join(
        map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
    )  # variation selectors
)

_PLANES: Final = (range(0x3400), range(0xA000, 0xAC00), range(0xD7A4, 0xD800), range(0xE000, 0x20000))
_PLANES_END: Final = (range(0x2F800, 0x2FA20), range(0xE0000, 0xE0200))
"""Where characters may change: all assigned code points but unified ideographs and Hangul syllables, which stand for
themselves (the traditional ones are mapped by OpenCC's table; syllables are left composed)."""


class Table(NamedTuple):
    """The map from code point to comparison form.

    Attributes:
        single: int32[0x110000]; positive: the code point; 0: dropped as if it were not there; negative: -i, where
            `expansion[i]` is the number of code points that follow it there, none for what separates (punctuation,
            space).
        expansion: int32[:], see above.
    """

    single: np.ndarray
    expansion: np.ndarray


class Folded(NamedTuple):
    """A column of texts in comparison form.

    Attributes:
        codes: int32[:], code points of all rows one after the other.
        ends: int64[rows + 1], where each row starts; the last entry is the end.
    """

    codes: np.ndarray
    ends: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """int64[rows], characters of comparison form."""
        return np.diff(self.ends)

    def take(self, rows: np.ndarray) -> Folded:
        """Some of the rows, in the order given."""
        ends = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.lengths[rows], out=ends[1:])
        codes = np.empty(ends[-1], np.int32)
        _take(self.codes, self.ends, rows, ends, codes)
        return Folded(codes, ends)


@kernel
def _take(codes, ends, rows, new_ends, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(len(rows)):
        out[new_ends[i] : new_ends[i + 1]] = codes[ends[rows[i]] : ends[rows[i] + 1]]


def _unfold(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).casefold()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", folded).casefold())


def _stays(character: str) -> bool:
    if character in _DROPPED:
        return False
    category = unicodedata.category(character)
    return character in _KEPT_SIGNS or category[0] in "LNM" or category in ("Sm", "Sc", "Co", "Cn")


def _invisible(character: str) -> bool:
    return character in _DROPPED - _FRAME or unicodedata.category(character) == "Cf"


def _changing() -> Iterator[int]:
    for span in (*_PLANES, *_PLANES_END):
        yield from span


@lru_cache(maxsize=1)
def table() -> Table:
    """The comparison table, built once per process (about 0.1 s) from Python's Unicode data and OpenCC's dictionary."""
    simple = simplified()
    single = np.arange(0x110000, dtype=np.int32)
    expansion: list[int] = [0, 0]  # -1: a separator; -0 would be no negative number
    for point in sorted({*_changing(), *map(ord, simple)}):
        if unicodedata.category(chr(point)) in ("Cn", "Co"):  # stand for themselves, and are most of them
            continue
        form = [ord(simple.get(char, char)) for char in _unfold(chr(point)) if _stays(char)]
        if len(form) == 1:
            single[point] = form[0]
        elif not form:
            single[point] = 0 if _invisible(chr(point)) else -1
        else:
            single[point] = -len(expansion)
            expansion += [len(form), *form]
    return Table(single, np.array(expansion, dtype=np.int32))


_POINT: Final = ord(".")
_ROOM: Final = np.uint64(32)
"""More than one code point can become (at most 18, U+FDFA)."""

_1: Final = np.uint64(1)  # places in buffers are unsigned, see `cmtp.text.utf8`


@inlined
def _between_digits(before: int, after: int) -> bool:
    return 48 <= before <= 57 and 48 <= after <= 57


@kernel
def _fold(data, offsets, single, expansion, out, ends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Decode, map and pack all rows; False when `out` is too small."""
    count, room = np.uint64(0), np.uint64(len(out))
    for row in range(len(offsets) - 1):
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        first = count
        gap = False
        if count + (end - i) + _ROOM > room:  # a byte becomes at most one code point, but for those that expand
            return False
        while i < end:
            point, i = decode(data, i)
            mapped = single[np.uint64(point)]
            if mapped == 0:
                continue
            many, place = _1, np.uint64(0)
            if mapped < 0:
                many, place = np.uint64(expansion[np.uint64(-mapped)]), np.uint64(1 - mapped)
                if many == 0:
                    gap = True
                    continue
                if count + many + (end - i) + _ROOM > room:
                    return False
                mapped = expansion[place]
            if gap:
                gap = False
                if count > first and _between_digits(out[count - _1], mapped):
                    out[count] = _POINT
                    count += _1
            out[count] = mapped
            count += _1
            if many > _1:
                for k in range(_1, many):
                    out[count] = expansion[place + k]
                    count += _1
        ends[row + 1] = count
    return True


def fold(texts: pa.Array | pa.ChunkedArray) -> Folded:
    """The comparison forms of a string column; the texts must be valid UTF-8, which Arrow strings are."""
    data, offsets = string_buffers(texts)
    ends = np.zeros(len(offsets), np.int64)
    single, expansion = table()
    size = int(offsets[-1] - offsets[0]) + int(_ROOM)  # enough unless the text is full of ligatures
    while True:
        codes = np.empty(size, np.int32)
        if _fold(data, offsets, single, expansion, codes, ends):
            return Folded(codes[: ends[-1]], ends)
        size *= 2


def comparison_form(text: str) -> str:
    """The comparison form of one text, for tests, evidence and reference implementations; columns go through `fold`."""
    return "".join(map(chr, fold(pa.array([text])).codes))
