"""Text folded for matching: what is left when every trick that hides a word from a filter is undone.

For each character:

1. Full width, case, traditional script, compatibility forms and look-alikes become plain characters: Ｖ, 𝐕, √ → v.
2. Zero-width characters, emoji, symbols and white space disappear: 赌🎲博 → 赌博.
3. Sentence punctuation and line ends become one separator, so that no word is found across two sentences.
4. White space, dots and low lines stay between two ASCII letters or digits, one for several of them: v_x.
5. A plus sign is read as 加 (+V, ➕微); after an ASCII letter or digit it is a separator (Ctrl+V).

Steps 1 to 3 are a table (`matching_table`); steps 4 and 5 look at the characters around.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cmtp.filters import chars
from cmtp.kernels.jit import kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.script import simplified
from cmtp.text.utf8 import decode_point, encode_point

_MATHEMATICAL: Final = (0x1D400, 0x1D800)
"""Letters and digits in bold, script and so on: 𝐕𝐗."""
_PICTURES: Final = (0x1F100, 0x1FA00)
"""Letters in circles, squares and flags (🅥, 🇻), and emoji, of which `_WORDS` stand for a word."""
_WORDS: Final = {
    "🐶": "狗", "🐕": "狗", "🔫": "枪", "💊": "药", "🍵": "茶", "🧊": "冰", "🐎": "马", "🐔": "鸡",
    "🐓": "鸡", "🔪": "刀", "🗡": "刀", "💣": "弹", "🎫": "票", "🧾": "票", "💳": "卡", "🚗": "车",
    "👗": "裙", "🐧": "q", "🛩": "飞", "🔞": "黄",
}  # fmt: skip
_CIRCLED: Final = (0x1F150, 0x1F170, 0x1F1E6)
"""Where letters A to Z begin that have no compatibility form."""
_SEPARATES: Final = "，。！？；：、,!?;:…\n\r\u2028\u2029"
"""Sentence punctuation and line ends."""
_ORDINARY: Final = "/+&%#@\\_`*°→←↑↓|─━│□○◯·®™©"
"""Symbols that have their uses between two characters: Markdown's emphasis, lacunae, names."""
_STAMPS: Final = "㊙㊗㊣"
"""Ideographs in a circle that serve as ornaments: they disappear."""
_LOOK_ALIKES: Final = {
    "➕": "+", "✚": "+", "ν": "v", "ѵ": "v", "√": "v", "∨": "v", "х": "x", "Х": "x", "✘": "x", "о": "o",
    "О": "o", "а": "a", "е": "e", "с": "c", "р": "p", "у": "y", "і": "i", "ԛ": "q",
    "ⅴ": "v", "〇": "0", "零": "0", "○": "0", "◯": "0",
}  # fmt: skip
"""Characters that are written for others because they look like them."""

_SPACE: Final = 0x20
_PLUS: Final = 0x2B
_COMMA: Final = 0x2C
"""The separator."""
_DOT: Final = 0x2E
_LOW_LINE: Final = 0x5F
_ADD: Final = 0x52A0
"""加."""
_OUTSIDE: Final = 0
_AFTER_HAN: Final = 1
_AFTER_SYMBOL: Final = 2
"""Where a text is read: anywhere; behind a Chinese character; behind symbols that follow one."""


class FoldedColumn(NamedTuple):
    """A string column that is being folded.

    Attributes:
        offsets: where each row begins, shape [rows + 1].
        data: UTF-8 bytes.
        breaks: per row, how often symbols stand between two Chinese characters.
    """

    offsets: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]
    breaks: npt.NDArray[np.int64]


def matching_forms(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """A string column, folded; and how often per row symbols stand between two Chinese characters (快❤排)."""
    data, offsets = string_buffers(column.to_arrow())
    room = 3 * (int(offsets[-1]) - int(offsets[0])) + 4  # an ASCII character may become a Chinese one
    out = FoldedColumn(np.zeros(len(offsets), np.int64), np.zeros(room, np.uint8), np.zeros(len(column), np.int64))
    size = _fold(offsets, data, matching_table(), breaking(), out)
    array = pa.LargeStringArray.from_buffers(len(column), pa.py_buffer(out.offsets), pa.py_buffer(out.data[:size]))
    return pl.Series(column.name, array), pl.Series("breaks", out.breaks)


def breaks_in(text: str) -> int:
    """How often symbols stand between two Chinese characters, as `matching_forms` counts them."""
    return int(matching_forms(pl.Series([text]))[1][0])


def matching_form(text: str) -> tuple[str, list[int]]:
    """One text folded as `matching_forms` does, and for each of its characters the position it came from."""
    plane = matching_table()
    out: list[str] = []
    places: list[int] = []
    pending = 0
    for place, char in enumerate(text):
        code = int(_folded(ord(char), plane))
        after_alnum = bool(out) and _is_alnum(ord(out[-1]))
        if code in (_SPACE, _DOT, _LOW_LINE):
            pending = max(pending, code) if after_alnum else pending
            continue
        if code == _PLUS:
            code = _COMMA if after_alnum else _ADD
        if code == 0:
            continue
        if pending and _is_alnum(code):
            out.append(chr(pending))
            places.append(place - 1)
        pending = 0
        out.append(chr(code))
        places.append(place)
    return "".join(out), places


@cache
def matching_table() -> npt.NDArray[np.uint32]:
    """FoldedColumn code point of the basic plane, then of letters and pictures beyond it; 0: it disappears.

    Shape [65536 + 1024 + 2304].
    """
    beyond = [*range(*_MATHEMATICAL), *range(*_PICTURES)]
    return np.array([*map(_fold_basic, range(0x10000)), *map(_fold_beyond, beyond)], np.uint32)


def _fold_basic(code: int) -> int:
    """The folded form of a code point of the basic plane."""
    char = chr(code)
    if 0xD800 <= code <= 0xDFFF or char in _STAMPS:
        return 0
    if char in _LOOK_ALIKES:
        return ord(_LOOK_ALIKES[char])
    plain = unicodedata.normalize("NFKC", char)
    core = plain.strip("().") if len(plain) > 1 else plain  # ⒈ and ㈠ are digits in a frame: drop the frame
    if (digit := unicodedata.digit(char, None)) is not None:  # so are ❶ and ➀, which have no compatibility form
        core = str(digit)
    plain = (core if len(core) == 1 else char).lower()
    plain = simplified().get(plain, plain)
    if char in _SEPARATES or plain in _SEPARATES:
        return _COMMA
    if char.isspace():
        return _SPACE
    stays = plain in "._+" or plain.isalnum() or chars.class_table()[code] & chars.CLASS not in _GONE
    return ord(plain) if len(plain) == 1 and stays else 0


def _fold_beyond(code: int) -> int:
    """The folded form of a letter or picture beyond it: 🄰 is a letter, 🈲 a character in a square; 🆗 and 🎲 go."""
    char = chr(code)
    letters = [chr(ord("a") + code - first) for first in _CIRCLED if 0 <= code - first < 26]
    plain = letters[0] if letters else _WORDS.get(char) or unicodedata.normalize("NFKC", char).strip("().,")
    return ord(plain.lower()) if len(plain) == 1 and plain != char and plain.isalnum() else 0


_GONE: Final = (chars.SPACE, chars.PUNCTUATION, chars.SYMBOL, chars.INVISIBLE, chars.REPLACEMENT, chars.OTHER)
"""Classes whose characters disappear unless they are letters or digits to Python."""


@cache
def breaking() -> npt.NDArray[np.bool_]:
    """Which code points of the basic plane break up a word that they stand in: ornaments, zero-width characters."""
    classes = chars.class_table() & chars.CLASS
    breaks: npt.NDArray[np.bool_] = (classes == chars.SYMBOL) | (classes == chars.INVISIBLE)
    for code in np.flatnonzero(breaks).tolist():
        char = chr(code)
        breaks[code] = unicodedata.category(char) not in ("Nl", "No", "Sm", "Sc", "Cc") and char not in _ORDINARY
    return breaks


@kernel
def _is_alnum(code: int) -> bool:
    """An ASCII digit or lower-case letter."""
    return 48 <= code <= 57 or 97 <= code <= 122


@kernel
def _folded(point: int, plane: npt.NDArray[np.uint32]) -> int:
    if point < 0x10000:
        return int(plane[point])
    if 0x20000 <= point < 0x40000:
        return point  # Han, extensions B and beyond
    if _MATHEMATICAL[0] <= point < _MATHEMATICAL[1]:
        return int(plane[0x10000 + point - _MATHEMATICAL[0]])
    if _PICTURES[0] <= point < _PICTURES[1]:
        return int(plane[0x10000 + _MATHEMATICAL[1] - _MATHEMATICAL[0] + point - _PICTURES[0]])
    return 0


@kernel
def _fold(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], plane: npt.NDArray[np.uint32],
          breaking: npt.NDArray[np.bool_], out: FoldedColumn) -> int:  # fmt: skip
    """Fold all rows; the number of bytes written. `last` is the character written last in the row, `pending` the
    white space, dot or low line since then.
    """
    out_offsets, out_data, breaks = out
    size = 0
    for row in range(len(offsets) - 1):
        at, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        last, pending = 0, 0
        state = _OUTSIDE
        while at < end:
            point, at = decode_point(data, at)
            if 0x3400 <= point < 0xA000:
                breaks[row] += state == _AFTER_SYMBOL
                state = _AFTER_HAN
            elif state and ((0x1F000 <= point < 0x1FC00) if point > 0xFFFF else breaking[point]):
                state = _AFTER_SYMBOL
            else:
                state = _OUTSIDE
            code = _folded(point, plane)
            if code in (_SPACE, _DOT, _LOW_LINE):
                if _is_alnum(last):
                    pending = max(pending, code)
                continue
            if code == _PLUS:
                code = _COMMA if _is_alnum(last) else _ADD
            if code == 0:
                continue
            if pending and _is_alnum(code):
                size = encode_point(pending, out_data, size)
            pending = 0
            size = encode_point(code, out_data, size)
            last = code
        out_offsets[row + 1] = size
    return size
