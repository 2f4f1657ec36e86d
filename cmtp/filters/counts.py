"""What is counted of a text: the names of the counts, and a decoded row, which the counting kernels share."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cmtp.filters import chars

Counts = npt.NDArray[np.int64]
"""The counts of one row, indexed by `Count`."""
FENCE: Final = 0x200000
"""Stands for ``` in a decoded row: no code point is as high."""


class Count(IntEnum):
    """What is counted per row. Code counts for CHARS, CODE_CHARS and the hints of private data, and for nothing else.

    The first fourteen are the classes of `chars`, with their numbers.
    """

    OTHER = chars.OTHER
    HAN = chars.HAN
    KANA = chars.KANA
    HANGUL = chars.HANGUL
    LATIN = chars.LATIN
    """Letters, not words: `the cat` has six."""
    DIGITS = chars.DIGIT
    SPACES = chars.SPACE
    """White space, line ends excepted."""
    NEWLINES = chars.NEWLINE
    ENDS = chars.SENTENCE_END
    """Marks that end a sentence, and semicolons."""
    PUNCTUATION = chars.PUNCTUATION
    """Other punctuation."""
    SYMBOLS = chars.SYMBOL
    LETTERS = chars.LETTER
    """Letters of other scripts."""
    INVISIBLE = chars.INVISIBLE
    """Zero-width and control characters, combining marks, variation selectors."""
    REPLACED = chars.REPLACEMENT
    """U+FFFD and private use."""
    CHARS = 14
    """Characters, code included."""
    CODE_CHARS = 15
    """Characters in code, fences and backticks included."""
    PROSE = 16
    """Characters outside code that are neither blank nor invisible."""
    WORDS = 17
    """Runs of Latin letters."""
    FUNCTION_WORDS = 18
    """Words that are an English, French, German or Spanish function word (lexicons/function_words.txt)."""
    STOPS = 19
    """Chinese function characters (`chars.STOP_CHARACTERS`)."""
    GBK_LEADS = 20
    """Han characters that UTF-8 read as GBK is full of: 鐨勬槸."""
    LATIN1_TRIPLES = 21
    """Three characters that are one Han character's UTF-8 read as Latin-1: è¥¿."""
    TAG_CHARS = 22
    """Characters in HTML tags, comments and entities."""
    LINES = 23
    """Lines that hold more than blanks."""
    LONGEST_RUN = 24
    """Length of the longest run of one letter (Han, kana or Latin); blanks do not end a run."""
    DUP_LINE_UNITS = 25
    """Units of lines of at least four that occurred before in the row."""
    DUP_NGRAM_UNITS = 26
    """Units that a 12-gram of units covers which occurred before in the row."""
    BIGRAM_CHARS = 27
    """Characters in the most frequent pair of Han characters; 0 where no pair occurs twice."""
    TOP_BIGRAM = 28
    """That pair itself: first code point << 21 | second."""
    DIGIT_RUN = 29
    """Most digits in a row, separators between them allowed: 13 in `+86 138-0013-8000`."""
    AT_SIGNS = 30
    DOTTED_DIGITS = 31
    """Dots after digits: 3 in 61.135.169.121."""
    HEX_COLONS = 32
    """Colons after at most four hexadecimal digits: 7 in an IPv6 address."""
    PLATES = 33
    """Capital letters after a province's character: 京A."""
    UNITS = 34
    """Letters of a script without spaces (西湖 has two), and words, numbers and identifiers (`units`)."""
    NUMBERS = 35
    """Units of digits alone: 1,024 and 2022-10-13 are one each."""
    SIGNS = 36
    """Punctuation and symbols; a run of one of them, as `-----` in a table, counts once."""
    SPACED = 37
    """Han characters with one space between them and the Han character before: 2 in 石 桥 的."""


COUNT_COLUMNS: Final = tuple(count.name.lower() for count in Count)
"""Names of the counts as columns."""


class Text(NamedTuple):
    """A decoded row, and room for the longest one.

    Attributes:
        points: code points, or `FENCE`.
        entries: class and flags of each, as in `chars.class_table`.
        starts: byte at which each begins.
    """

    points: npt.NDArray[np.int32]
    entries: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
