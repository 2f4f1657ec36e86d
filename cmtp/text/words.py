"""The words of a text: jieba's segmentation, with the words of a user's dictionary if there is one.

rjieba has jieba's dictionary and hidden Markov model in Rust and is 18 times as fast as jieba. Of 3.2 million words of
Chinese web text it cut about twelve otherwise than jieba. Those held rare characters (extension A), which jieba cuts
one by one. It also keeps joined Latin words whole that jieba cuts: no-cache, created_at, node.js.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import rjieba

from cmtp.errors import UsageError

_ENTRY: Final = re.compile(r"(?P<word>\S(?:.*?\S)??)(?:\s+(?P<count>[0-9]+))?(?:\s+(?P<tag>[a-z]+))?")
"""A line of a dictionary, as jieba's `load_userdict` reads it: 云计算, 云计算 5, 云计算 n or 云计算 5 n."""


class Segmenter:
    """Cuts texts into words.

    Args:
        dictionary: a file in jieba's format, UTF-8, for example with the lines ``云计算 5 n`` and ``边缘计算``: one
            word per line, then optionally its count and its part of speech (not used here). A word without a count gets
            the lowest count that keeps it in one piece. Empty lines are skipped. None: jieba's words alone.

    Raises:
        UsageError: the dictionary cannot be read.
    """

    def __init__(self, dictionary: Path | None = None) -> None:
        self._jieba = rjieba.Jieba()
        for word, count in _read(dictionary) if dictionary is not None else []:
            self._jieba.add_word(word, count, None)

    def words(self, text: str) -> list[str]:
        """The words of a text in order, in normal form (NFKC, case folded), without punctuation and space."""
        cut = self._jieba.cut(normal(text))
        return [word for word in cut if any(map(str.isalnum, word))]


@cache
def segmenter(dictionary: Path | None = None) -> Segmenter:
    """A `Segmenter`, made once per process and dictionary, because making one takes a tenth of a second."""
    return Segmenter(dictionary)


def words(texts: Iterable[str], dictionary: Path | None = None) -> list[list[str]]:
    """The words of each text; see `Segmenter`."""
    cut = segmenter(dictionary).words
    return [cut(text) for text in texts]


def normal(text: str) -> str:
    """The normal form, in which a text is cut: compatibility characters unfolded (Ａ is A), case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def _read(dictionary: Path) -> list[tuple[str, int | None]]:
    """Words in normal form, and their counts."""
    try:
        lines = dictionary.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"cannot read the dictionary {dictionary}: {reason}") from error
    entries = []
    for line in filter(None, map(str.strip, lines)):
        match = _ENTRY.fullmatch(line)
        assert match is not None, line  # any line that is not empty has a word
        count = match["count"]
        entries.append((normal(match["word"]), int(count) if count else None))
    return entries
