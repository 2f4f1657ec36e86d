"""The malicious word lists: read, folded, and multiplied by the disguises of single characters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations, product
from typing import Final

from cmtp.filters.fold import matching_form

MALICIOUS_CATEGORIES: Final = ("pornography", "gambling", "drugs", "weapons", "fraud", "seo", "contact_spam")
"""Content first; seo and contact_spam name a pair only when no content category does."""
CONTEXTS: Final = ("offer", "benign")
"""Lists that raise and lower the score of every category."""
DISGUISE: Final = 0.7
"""Added to the weight (taken as at least 1) of a term found in disguise: nobody disguises an encyclopaedia."""
LEAST_DISGUISED: Final = 0.5
"""Weaker terms are not looked for in disguise: half of the disguised forms are part of other words."""
_DISGUISED: Final = frozenset({"pornography", "gambling", "drugs", "weapons", "fraud"})
"""Categories whose terms are looked for in disguise."""


@dataclass(frozen=True)
class Entry:
    """What a matched string stands for.

    Attributes:
        name: the list that holds it, one of `MALICIOUS_CATEGORIES` or `CONTEXTS`.
        term: as it is written there.
        weight: with what a disguise adds.
        disguised: whether the string is a disguise of the term.
    """

    name: str
    term: str
    weight: float
    disguised: bool = False


def _lines(name: str) -> list[list[str]]:
    text = (files("cmtp.filters") / "lexicons" / f"{name}.txt").read_text("utf-8")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def _variants() -> dict[str, list[str]]:
    return {line[0]: [matching_form(form)[0] for form in line[1:]] for line in _lines("variants")}


def disguises(term: str) -> set[str]:
    """The forms of a folded term in which `variants.txt` lets it hide.

    1. One character disguised: 堵博, du博, 贝者博 for 赌博.
    2. Two characters disguised, where the term has three or more.
    3. All characters that have pinyin in pinyin: dubo.
    """
    variants = _variants()
    places = [place for place, char in enumerate(term) if char in variants]
    forms = {term[:place] + form + term[place + 1 :] for place in places for form in variants[term[place]]}
    if len(term) >= 3:
        for first, second in combinations(places, 2):
            between, after = term[first + 1 : second], term[second + 1 :]
            pairs = product(variants[term[first]], variants[term[second]])
            forms |= {term[:first] + one + between + two + after for one, two in pairs}
    forms.add("".join(next((form for form in variants.get(char, ()) if form.isascii()), char) for char in term))
    return {form for form in forms if form != term and len(form) > 1}


def compile_lexicon(extra: Mapping[str, Mapping[str, float]] | None = None) -> dict[str, list[Entry]]:
    """Every folded string to look for, and what it stands for: one entry per list that holds it.

    Args:
        extra: users' terms by category (or ``offer``, ``benign``) with their weights; they replace equal built-in ones.
    """
    patterns: dict[str, dict[str, Entry]] = {}
    for name in (*MALICIOUS_CATEGORIES, *CONTEXTS):
        terms = {term: float(weight) for *words, weight in _lines(name) for term in [" ".join(words)]}
        terms.update((extra or {}).get(name, {}))
        plain = {matching_form(term)[0]: (term, weight) for term, weight in terms.items()}
        if name in _DISGUISED:
            for folded, (term, weight) in plain.items():
                for form in disguises(folded) if weight >= LEAST_DISGUISED else ():
                    if form not in plain:
                        entry = Entry(name, term, max(weight, 1.0) + DISGUISE, disguised=True)
                        patterns.setdefault(form, {}).setdefault(name, entry)
        for folded, (term, weight) in plain.items():
            patterns.setdefault(folded, {})[name] = Entry(name, term, weight)
    return {form: list(entries.values()) for form, entries in sorted(patterns.items())}
