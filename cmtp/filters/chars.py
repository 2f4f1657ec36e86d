"""Character classes as a lookup table over the basic plane, for the counting kernel and for folding."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from cmtp.text import frequent

OTHER: Final = 0
HAN: Final = 1
KANA: Final = 2
HANGUL: Final = 3
LATIN: Final = 4
DIGIT: Final = 5
SPACE: Final = 6
NEWLINE: Final = 7
SENTENCE_END: Final = 8
PUNCTUATION: Final = 9
SYMBOL: Final = 10
LETTER: Final = 11
INVISIBLE: Final = 12
REPLACEMENT: Final = 13

CLASS: Final = 0x0F
"""Mask of the class in a table entry; the bits above it are the flags below."""
GBK_LEAD: Final = 0x10
"""Flag: what the first two bytes of a frequent Chinese character's UTF-8 look like when they are read as GBK."""
LATIN1_TAIL: Final = 0x20
"""Flag: what a UTF-8 continuation byte looks like when it is read as Latin-1 or Windows-1252."""
STOP: Final = 0x40
"""Flag: one of the function characters that running Chinese text cannot do without."""
PLATE: Final = 0x80
"""Flag: a province's character on a mainland number plate."""

PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""Mainland number plates begin with one of these (GA 36-2018)."""

STOP_CHARACTERS: Final = (
    "的是在了和有不我也这這为為以与與对對可就都而及其或之于於中等被到将將从從把要会會能他她它们們个個"
)
"""Function characters of modern and classical Chinese; the single-character words of FineWeb-2's Mandarin stopword
list (configs/cmn_Hani.yml) without numerals and dates, and the most frequent ones beside them."""

_SENTENCE_ENDS: Final = "。！？!?…；;.．"
_FREQUENT: Final = frequent.SIMPLIFIED + frequent.MARKS
_WINDOWS_1252: Final = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"


def _classify(code: int) -> int:
    char = chr(code)
    if 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or char in "々〇〆":
        return HAN
    if (0x3041 <= code <= 0x30FF and char != "・") or 0x31F0 <= code <= 0x31FF or 0xFF66 <= code <= 0xFF9D:
        return KANA
    if 0xAC00 <= code <= 0xD7AF or 0x1100 <= code <= 0x11FF or 0x3130 <= code <= 0x318F:
        return HANGUL
    if char in "\n\u2028\u2029":
        return NEWLINE
    if char in _SENTENCE_ENDS:
        return SENTENCE_END
    if code == 0xFFFD or 0xE000 <= code <= 0xF8FF or 0xD800 <= code <= 0xDFFF:
        return REPLACEMENT
    category = unicodedata.category(char)
    if category in ("Lu", "Ll", "Lt", "Lm", "Lo"):
        return LATIN if "LATIN" in unicodedata.name(char, "") else LETTER
    if category == "Nd":
        return DIGIT
    if category == "Zs" or char in "\t\r":
        return SPACE
    if category in ("Cf", "Cc", "Mn") or 0xFE00 <= code <= 0xFE0F:
        return INVISIBLE
    if category[0] == "P" and char not in "#%&*@\\_/":
        return PUNCTUATION
    return SYMBOL if category[0] in "SPN" else OTHER


def gbk_leads() -> frozenset[str]:
    """Characters that UTF-8 text read as GBK is full of: 鐨 for the first two bytes of 的, 锛 for those of ，."""
    leads = set()
    for char in _FREQUENT:
        leads.add(char.encode()[:2].decode("gbk", errors="ignore"))
    return frozenset(lead for lead in leads if len(lead) == 1 and lead not in _FREQUENT)


@cache
def class_table() -> npt.NDArray[np.uint8]:
    """Class and flags of every code point of the basic plane, shape [65536]."""
    classes = np.fromiter((_classify(code) for code in range(0x10000)), np.uint8, 0x10000)
    flags = {GBK_LEAD: gbk_leads(), STOP: STOP_CHARACTERS, PLATE: PROVINCES}
    for flag, chars in flags.items():
        for char in chars:
            classes[ord(char)] |= flag
    for code in [*range(0x80, 0xC0), *map(ord, _WINDOWS_1252)]:
        classes[code] |= LATIN1_TAIL
    return classes
