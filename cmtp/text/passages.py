"""Cutting a long text into passages at paragraph and sentence ends."""

from __future__ import annotations

import re
from typing import Final

_CLOSERS: Final = "”’」』）)】》〉\"'"
_ENDERS: Final = "。！？；!?;…"
_SENTENCE_END: Final = re.compile(rf"[{_ENDERS}]+[{_CLOSERS}]*|\.[{_CLOSERS}]*(?=\s)")
_CLAUSE_END: Final = re.compile(rf"[，、：,:][{_CLOSERS}]*|\s")
_WORD: Final = re.compile(r"[0-9A-Za-z_\u00c0-\u024f]")
_GOES_ON: Final = frozenset(_ENDERS + _CLOSERS)


def cut(text: str, longest: int, shortest: int = 1) -> list[str]:
    """Cut a text into passages of at most `longest` characters.

    The last paragraph end in the second half of the allowed length is taken, else the last sentence end there (closing
    quotes and brackets stay with their sentence), else the last of either before that. A sentence longer than `longest`
    is cut at a clause end, and where it has none, between two characters that are not both of a Latin word; only a
    "word" that alone is longer than `longest` is cut inside. So no passage is longer than `longest`, and put together
    the passages are the text but for white space at the cuts.

    Args:
        text: the text; white space at its ends is dropped.
        longest: characters a passage may have, at least 2.
        shortest: no piece is made shorter than this where a longer one is possible (at most half of `longest` counts).
    """
    text = text.strip()
    if len(text) <= longest:
        return [text] if text else []
    shortest = max(1, min(shortest, longest // 2))
    pieces, start, length = [], 0, len(text)
    while length - start > longest:
        end = _cut_at(text, start, min(start + longest, length - shortest), shortest, longest)
        pieces.append(text[start:end].rstrip())
        start = end
        while start < length and text[start].isspace():
            start += 1
    if start < length:
        pieces.append(text[start:])
    return pieces


def _cut_at(text: str, start: int, limit: int, shortest: int, longest: int) -> int:
    """Where the passage that begins at `start` ends: the best place after `start` and up to `limit`."""
    half = min(start + longest // 2, limit)
    for earliest, latest in ((half, limit), (start + shortest, half)):
        newline = text.rfind("\n", earliest, latest)
        if newline > start:
            return newline
        sentence = _last_end(_SENTENCE_END, text, earliest, latest)
        if sentence:
            return sentence
    clause = _last_end(_CLAUSE_END, text, half, limit) or _last_end(_CLAUSE_END, text, start + shortest, limit)
    if clause:
        return clause
    place = limit
    while place > start + shortest and _WORD.match(text, place) and _WORD.match(text, place - 1):
        place -= 1
    return place if place > start + shortest else limit


def _last_end(pattern: re.Pattern[str], text: str, earliest: int, latest: int) -> int:
    """End of the last match that ends in [earliest, latest] and is not itself going on; 0 where there is none."""
    found = 0
    for match in pattern.finditer(text, max(0, earliest - 1), latest):
        end = match.end()
        if end >= earliest and not (end < len(text) and text[end] in _GOES_ON and not text[end - 1].isspace()):
            found = end
    return found
