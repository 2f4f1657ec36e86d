"""Cuts a long text into passages at paragraph and sentence ends."""

from __future__ import annotations

import re
from typing import Final

_CLOSERS: Final = "”’」』）)】》〉\"'"
_ENDERS: Final = "。！？；!?;…"
_SENTENCE_END: Final = re.compile(rf"[{_ENDERS}]+[{_CLOSERS}]*|\.[{_CLOSERS}]*(?=\s)")
_CLAUSE_END: Final = re.compile(rf"[，、：,:][{_CLOSERS}]*|\s")
_WORD: Final = re.compile(r"[0-9A-Za-z_\u00c0-\u024f]")
_CONTINUES: Final = frozenset(_ENDERS + _CLOSERS)


def cut_passages(text: str, longest: int, shortest: int = 1) -> list[str]:
    """Cut a text into passages of at most `longest` characters.

    A passage ends at the first of these that there is:

    1. the last paragraph end in the second half of the allowed length;
    2. the last sentence end there (closing quotes and brackets stay with their sentence);
    3. the last paragraph end, then the last sentence end, in the first half;
    4. a clause end;
    5. a place between two characters that are not both of one Latin word;
    6. the allowed length, which cuts a word that alone is longer than a passage may be.

    No passage is longer than `longest`. Put together, the passages are the text, except for white space at the cuts.

    Args:
        text: the text; white space at its ends is dropped.
        longest: characters a passage may have, at least 2.
        shortest: characters a passage has at least, where a longer one is possible; at most half of `longest` counts.

    Returns:
        The passages, in order; none for a text of white space.
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
    """Where the passage from `start` ends, at most at `limit`: steps 1 to 6 of `cut_passages`."""
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
    position = limit
    while position > start + shortest and _WORD.match(text, position) and _WORD.match(text, position - 1):
        position -= 1
    return position if position > start + shortest else limit


def _last_end(pattern: re.Pattern[str], text: str, earliest: int, latest: int) -> int:
    """End of the last match that ends in [earliest, latest] and does not continue after it; 0 where there is none."""
    last = 0
    for match in pattern.finditer(text, max(0, earliest - 1), latest):
        end = match.end()
        if end >= earliest and not (end < len(text) and text[end] in _CONTINUES and not text[end - 1].isspace()):
            last = end
    return last
