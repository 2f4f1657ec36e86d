"""Text folded for matching: what is left when every trick that hides a word from a filter is undone.

Full width, case, traditional script and compatibility forms are folded character by character; zero-width characters,
emoji, symbols and white space disappear; sentence punctuation and line ends become one separator, so that no word is
found across two sentences. White space, dots and low lines stay between two ASCII letters or digits; a plus sign is
read as 加 (+V, ➕微) except after one of those (Ctrl+V).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cmtp.filters import chars
from cmtp.kernels.jit import kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.script import simplified
from cmtp.text.utf8 import decode_point, encode_point

SEPARATOR: Final = ","
"""What sentence punctuation and line ends become."""
_MATHEMATICAL: Final = (0x1D400, 0x1D800)
"""Letters and digits in bold, script and so on: 𝐕𝐗."""
_PICTURES: Final = (0x1F100, 0x1FA00)
"""Letters in circles, squares and flags (🅥, 🇻), and emoji, of which `_WORDS` stand for a word."""
_WORDS: Final = {
    "🐶": "狗", "🐕": "狗", "🔫": "枪", "💊": "药", "🍵": "茶", "🧊": "冰", "🐎": "马", "🐔": "鸡",
    "🐓": "鸡", "🔪": "刀", "🗡": "刀", "💣": "弹", "🎫": "票", "🧾": "票", "💳": "卡", "🚗": "车",
    "👗": "裙", "🐧": "q", "🛩": "飞", "🔞": "黄",
}  # fmt: skip
_CIRCLED: Final = ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))
"""Runs of letters A to Z that have no compatibility form."""
_BREAKS: Final = "，。！？；：、,!?;:…\n\r\u2028\u2029"
_ORDINARY: Final = "/+&%#@\\_`*°→←↑↓|─━│□○◯·®™©"
"""Symbols that have their uses between two characters: Markdown's emphasis, lacunae, names."""
_STAMPS: Final = "㊙㊗㊣"
"""Ideographs in a circle that serve as ornaments."""
_LOOK_ALIKES: Final = {
    "➕": "+", "✚": "+", "ν": "v", "ѵ": "v", "√": "v", "∨": "v", "х": "x", "Х": "x", "✘": "x", "о": "o",
    "О": "o", "а": "a", "е": "e", "с": "c", "р": "p", "у": "y", "і": "i", "ԛ": "q",
    "ⅴ": "v", "〇": "0", "零": "0", "○": "0", "◯": "0",
}  # fmt: skip


@cache
def matching_table() -> npt.NDArray[np.uint32]:
    """Folded code point of the basic plane, then of letters and pictures beyond it; 0: gone.

    Shape [65536 + 1024 + 2304].
    """
    classes, simple = chars.class_table() & chars.CLASS, simplified()
    beyond = [*range(*_MATHEMATICAL), *range(*_PICTURES)]
    circled = {first + n: chr(97 + n) for first, length in _CIRCLED for n in range(length)}
    folded = np.zeros(0x10000 + len(beyond), np.uint32)
    for place, code in enumerate(beyond, 0x10000):
        plain = circled.get(code) or _WORDS.get(chr(code)) or unicodedata.normalize("NFKC", chr(code)).strip("().,")
        # 🄰 is a letter, 🈲 a character in a square; 🆗 and 🎲 are neither
        folded[place] = ord(plain[0].lower()) if len(plain) == 1 and (plain != chr(code) and plain.isalnum()) else 0
    gone = {chars.SPACE, chars.PUNCTUATION, chars.SYMBOL, chars.INVISIBLE, chars.REPLACEMENT, chars.OTHER}
    for code in range(0x10000):
        char = chr(code)
        if 0xD800 <= code <= 0xDFFF or char in _STAMPS:
            continue
        if char in _LOOK_ALIKES:
            folded[code] = ord(_LOOK_ALIKES[char])
            continue
        plain = unicodedata.normalize("NFKC", char)
        # ①, ⒈ and ㈠ are digits in disguise: keep the digit, drop the frame.
        core = plain.strip("().") if len(plain) > 1 else plain
        if (digit := unicodedata.digit(char, None)) is not None:  # ❶ and ➀ have no compatibility form
            core = str(digit)
        plain = (core if len(core) == 1 else char).lower()
        plain = simple.get(plain, plain)
        if char in _BREAKS or plain in _BREAKS:
            folded[code] = ord(SEPARATOR)
        elif char.isspace() or plain in "._+":
            folded[code] = ord(" " if char.isspace() else plain)
        elif len(plain) == 1 and (plain.isalnum() or classes[code] not in gone):
            folded[code] = ord(plain)
    return folded


def matching_forms(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """A string column, folded; and how often per row symbols stand between two Chinese characters (快❤排)."""
    data, offsets = string_buffers(column.to_arrow())
    out_offsets, out = (
        np.zeros(len(offsets), np.int64),
        np.zeros(3 * (int(offsets[-1]) - int(offsets[0])) + 4, np.uint8),
    )
    breaks = np.zeros(len(column), np.int64)
    used = _fold(offsets, data, matching_table(), breaking(), out_offsets, out, breaks)
    array = pa.LargeStringArray.from_buffers(len(column), pa.py_buffer(out_offsets), pa.py_buffer(out[:used]))
    return pl.Series(column.name, array), pl.Series("breaks", breaks)


@cache
def breaking() -> npt.NDArray[np.bool_]:
    """Which code points of the basic plane break a word up that they stand in: ornaments, zero width."""
    classes = chars.class_table() & chars.CLASS
    marks: npt.NDArray[np.bool_] = (classes == chars.SYMBOL) | (classes == chars.INVISIBLE)
    for code in range(0x10000):
        if marks[code] and (
            unicodedata.category(chr(code)) in ("Nl", "No", "Sm", "Sc", "Cc") or chr(code) in _ORDINARY
        ):
            marks[code] = False
    return marks


def breaks_in(text: str) -> int:
    """How often symbols stand between two Chinese characters, as `matching_forms` counts them."""
    return int(matching_forms(pl.Series([text]))[1][0])


def matching_form(text: str) -> tuple[str, list[int]]:
    """One text folded as `matching_forms` does, and for each of its characters the position it came from."""
    plane = matching_table()
    codes = [int(_folded(ord(char), plane)) for char in text]
    out: list[str] = []
    places: list[int] = []
    pending = 0
    for place, code in enumerate(codes):
        if code in (32, 46, 95):
            if out and _ascii_alnum(ord(out[-1])):
                pending = max(pending, code)
            continue
        if code == 43:
            code = ord(SEPARATOR) if out and _ascii_alnum(ord(out[-1])) else ord("加")
        if code == 0:
            continue
        if pending and _ascii_alnum(code):
            out.append(chr(pending))
            places.append(place - 1)
        pending = 0
        out.append(chr(code))
        places.append(place)
    return "".join(out), places


@kernel
def _ascii_alnum(code: int) -> bool:
    return 48 <= code <= 57 or 97 <= code <= 122


@kernel
def _folded(point: int, plane: npt.NDArray[np.uint32]) -> int:
    if point < 0x10000:
        return int(plane[point])
    if 0x20000 <= point < 0x40000:
        return point  # Han, extensions B and beyond
    if 0x1D400 <= point < 0x1D800:
        return int(plane[0x10000 + point - 0x1D400])
    if 0x1F100 <= point < 0x1FA00:
        return int(plane[0x10400 + point - 0x1F100])
    return 0


@kernel
def _fold(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], plane: npt.NDArray[np.uint32],
          breaking: npt.NDArray[np.bool_], out_offsets: npt.NDArray[np.int64], out: npt.NDArray[np.uint8],
          breaks: npt.NDArray[np.int64]) -> int:  # fmt: skip
    written = 0
    for row in range(len(offsets) - 1):
        at, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        last, pending = 0, 0
        state = 0  # 1 after a Chinese character, 2 when a breaking symbol follows it
        while at < end:
            point, at = decode_point(data, at)
            if 0x3400 <= point < 0xA000:
                breaks[row] += state == 2
                state = 1
            elif state and ((0x1F000 <= point < 0x1FC00) if point > 0xFFFF else breaking[point]):
                state = 2
            else:
                state = 0
            code = _folded(point, plane)
            if code == 32 or code == 46 or code == 95:
                if _ascii_alnum(last):
                    pending = max(pending, code)
                continue
            if code == 43:
                code = 44 if _ascii_alnum(last) else 0x52A0  # a comma or 加
            if code == 0:
                continue
            if pending and _ascii_alnum(code):
                written = encode_point(pending, out, written)
            pending = 0
            written = encode_point(code, out, written)
            last = code
        out_offsets[row + 1] = written
    return written
