"""The malicious word lists: read, folded, and multiplied by the disguises that single characters wear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations, product
from typing import Final

from cmtp.filters.fold import fold_text

CATEGORIES: Final = ("pornography", "gambling", "drugs", "weapons", "fraud", "seo", "contact_spam")
"""Content first; seo and contact_spam name a pair only when no content category does."""
CONTEXTS: Final = ("offer", "benign")
DISGUISE: Final = 0.7
"""Added to the weight (taken as at least 1) of a term found in disguise: nobody disguises an encyclopaedia."""
LEAST_DISGUISED: Final = 0.5
"""Weaker terms are not looked for in disguise: half of them are part of other words."""
_DISGUISED: Final = frozenset({"pornography", "gambling", "drugs", "weapons", "fraud"})


@dataclass(frozen=True)
class Entry:
    """What a matched string stands for: the list it is in, the term as written there, its weight."""

    name: str
    term: str
    weight: float
    disguised: bool = False


def _lines(name: str) -> list[list[str]]:
    text = (files("cmtp.filters") / "lexicons" / f"{name}.txt").read_text("utf-8")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def _variants() -> dict[str, list[str]]:
    return {line[0]: [fold_text(form)[0] for form in line[1:]] for line in _lines("variants")}


def disguises(term: str) -> set[str]:
    """A folded term with one character disguised, two where it has three or more, or all that have pinyin in pinyin."""
    variants = _variants()
    spots = [at for at, char in enumerate(term) if char in variants]
    found = {term[:at] + form + term[at + 1 :] for at in spots for form in variants[term[at]]}
    if len(term) >= 3:
        for one, two in combinations(spots, 2):
            between = term[one + 1 : two], term[two + 1 :]
            pairs = product(variants[term[one]], variants[term[two]])
            found |= {term[:one] + first + between[0] + second + between[1] for first, second in pairs}
    pinyin = [next((form for form in variants.get(char, ()) if form.isascii()), char) for char in term]
    found.add("".join(pinyin))
    return {form for form in found if form != term and len(form) > 1}


def compile_lexicon(extra: Mapping[str, Mapping[str, float]] | None = None) -> dict[str, list[Entry]]:
    """Every folded string to look for, and what it stands for (a string may be in several lists).

    Args:
        extra: users' terms by category (or ``offer``, ``benign``) with their weights; they replace equal built-in ones.
    """
    patterns: dict[str, dict[str, Entry]] = {}
    for name in (*CATEGORIES, *CONTEXTS):
        terms = {term: float(weight) for *words, weight in _lines(name) for term in [" ".join(words)]}
        terms.update((extra or {}).get(name, {}))
        plain = {fold_text(term)[0]: (term, weight) for term, weight in terms.items()}
        if name in _DISGUISED:
            for folded, (term, weight) in plain.items():
                for form in disguises(folded) if weight >= LEAST_DISGUISED else ():
                    if form not in plain:
                        entry = Entry(name, term, max(weight, 1.0) + DISGUISE, disguised=True)
                        patterns.setdefault(form, {}).setdefault(name, entry)
        for folded, (term, weight) in plain.items():
            patterns.setdefault(folded, {})[name] = Entry(name, term, weight)
    return {form: list(entries.values()) for form, entries in sorted(patterns.items())}
