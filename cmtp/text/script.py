"""Traditional and simplified script: OpenCC's table of characters.

Three forms of a text are built on it. Each serves one purpose, and none is written out:

- the comparison form (`cmtp.text.compare`) keeps what carries meaning: dedup, decontamination, mining;
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

    OpenCC lists the possible forms of a character, the most likely one first. The first is taken. Its table has the
    chain 薴 → 苧 → 苎. Chains are followed to their end, so that a simplified form does not change again. For 彷 and
    seven others the first form is the character itself.
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
