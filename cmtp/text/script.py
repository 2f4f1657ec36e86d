"""Traditional and simplified script: OpenCC's table of characters.

Three forms of a text are built on it, each for one purpose and none ever written out:

- the comparison form (`cmtp.text.compare`) keeps what carries substance: dedup, decontamination, mining;
- the matching form (`cmtp.filters.fold`) undoes tricks that hide a word from a filter, and keeps word boundaries;
- the encoder's codes (`cmtp.encoders.distill.character_table`) keep letters and digits alone, in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@cache
def simplified() -> Mapping[str, str]:
    """Traditional character → simplified character, one to one.

    OpenCC lists the possible forms of a character, likeliest first; the first is taken. It has one chain, 薴 → 苧 → 苎;
    chains are followed to their end, so that a simplified form is its own. 彷 and seven others stand for themselves.
    """
    text = (files("opencc") / "dictionary" / "TSCharacters.txt").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line)
    first = {old: forms.split(" ")[0] for old, forms in rows}
    return MappingProxyType({old: _end(old, first) for old in first})


def _end(char: str, first: Mapping[str, str]) -> str:
    seen = {char}
    while first.get(char, char) not in seen:
        char = first[char]
        seen.add(char)
    return char
