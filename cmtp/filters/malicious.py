"""Malicious categories: weighted terms over folded text, raised by the words of an offer, lowered by those of a report.

score = T × (1 + min(O, 6) / 2) / (1 + min(B, 12) / d). T sums the weights of a category's different terms, two thirds
of it where there is but one: short words come about by accident where two others meet (其中特别); less where nothing
makes an offer. O sums those of the offer list (and of a contact or address given, of prices and bargains, and of words
broken up to hide them), B those of the benign list; d is 2 where the text gives a contact or an address or hides words,
else 1: a report does none of these. One topic word decides nothing: 赌博 alone scores .4, beside 依法 and 处罚 less,
beside 加微信 and 注册送 more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import polars as pl

from cmtp.filters.contact import Contact, addresses, broken, contacts, framed
from cmtp.filters.fold import breaks_in, fold, fold_text
from cmtp.filters.lexicon import CATEGORIES, DISGUISE, Entry, compile_lexicon
from cmtp.filters.offer import BESIDE_WEIGHT, beside_trade, shapes

LIMIT: Final = 2.0
"""Score from which a category is met; measured on statutes, medical and technical text (none above) and on offers."""
SAID: Final = 0.6
"""So much counts where no term is a phrase of an offer (weight 3) and nothing else in the text makes one: opinions."""
_GOODS: Final = frozenset({"pornography", "gambling", "drugs", "weapons"})
"""Categories of which `SAID` holds: a swindler's words need no offer."""
MOST_TOPIC: Final = 1.5
"""What words of the subject, each below 1, give together: an article on pistols names ten parts of one."""
QUOTED: Final = 0.5
"""A term in quotation marks counts so much: reports quote, offers do not."""
_QUOTES: Final = {"“": "”", "‘": "’", "「": "」", "『": "』", "《": "》", "〈": "〉", '"': '"'}
LONE: Final = 2 / 3
"""A category's only term counts so much: a phrase of weight 3 is enough by itself, a suspicious word is not."""
MOST_OFFER: Final = 6.0
MOST_BENIGN: Final = 12.0
CONTACT_WEIGHT: Final = 1.5
ADDRESS_WEIGHT: Final = 0.5
HIDING_WEIGHT: Final = 1.5
HIDDEN_CONTACT_WEIGHT: Final = 2.5
"""A hidden handle is a term of contact_spam by itself, and no lone one: a word and a handle."""
CURT_CONTACT_WEIGHT: Final = 1.5
"""So is a handle after a single character that stands for the messenger: 扣 68274193."""
BREAK_WEIGHT: Final = 0.6
"""Each symbol between two Chinese characters, from `_LEAST_BREAKS` to `_MOST_BREAKS`; a term of contact_spam."""
_LEAST_BREAKS: Final = 3
_MOST_BREAKS: Final = 5
_MOST_ADDRESSES: Final = 3
_LEAD_WEIGHT: Final = 0.3
"""Terms below this weight do not make a text worth a look: they count beside others."""

Match = tuple[int, int, Entry]


@dataclass(frozen=True)
class Finding:
    """A category that a text meets or comes near to.

    Attributes:
        category: one of `CATEGORIES`.
        score: as the module says.
        spans: matched terms: term, begin and end in the folded text, weight.
        offer: terms that raised the score, with the contact or address given.
        benign: terms that lowered it.
    """

    category: str
    score: float
    spans: list[tuple[str, int, int, float]]
    offer: list[str] = field(default_factory=list)
    benign: list[str] = field(default_factory=list)

    def evidence(self, text: str) -> dict[str, Any]:
        """JSON values for the reject row; positions are those of the text as it was."""
        _, places = fold_text(text)
        spans = [(term, places[begin], places[end - 1] + 1, weight) for term, begin, end, weight in self.spans]
        matches = [
            {"term": term, "text": text[begin:end], "at": [begin, end], "weight": weight}
            for term, begin, end, weight in spans
        ]
        return {"matches": matches, "offer": self.offer, "benign": self.benign}


@dataclass(frozen=True)
class Candidate:
    """A text to look at closer.

    Attributes:
        row: its number in the column.
        text: as it was.
        folded: as `fold` gives it.
        forms: terms in it, folded.
        breaks: how often symbols stand between two Chinese characters.
    """

    row: int
    text: str
    folded: str
    forms: frozenset[str]
    breaks: int


class Matcher:
    """The compiled lexicon. Building it takes some tenths of a second: one per process and settings."""

    def __init__(self, extra: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.entries = compile_lexicon(extra)
        self._lead = [
            form
            for form, entries in self.entries.items()
            if any(e.name in CATEGORIES and e.weight >= _LEAD_WEIGHT for e in entries)
        ]
        self._forms = [*self.entries]
        self._lengths = sorted({len(form) for form in self._forms})

    def candidates(self, column: pl.Series) -> Iterator[Candidate]:
        """Texts that hold a term of a category or are broken up, in order."""
        folded, breaks = fold(column)
        rows = (folded.str.contains_any(self._lead) | (breaks >= _LEAST_BREAKS)).arg_true()
        texts = folded.gather(rows)
        found = texts.str.extract_many(self._forms, overlapping=True)
        for row, text, forms, n in zip(rows, texts, found, breaks.gather(rows), strict=True):
            yield Candidate(row, column[row], text, frozenset(forms), n)

    def read(self, text: str) -> Candidate:
        """One text, made ready for `findings`."""
        folded = fold_text(text)[0]
        every = range(len(folded))
        forms = {form for n in self._lengths for at in every if (form := folded[at : at + n]) in self.entries}
        return Candidate(0, text, folded, frozenset(forms), breaks_in(text))

    def _matches(self, folded: str, forms: Iterable[str]) -> list[Match]:
        found: list[Match] = []
        for form in sorted(forms):
            begin = folded.find(form)
            while begin >= 0:
                if _stands_alone(folded, begin, begin + len(form)):
                    found += [(begin, begin + len(form), entry) for entry in self.entries[form]]
                begin = folded.find(form, begin + 1)
        return found

    def findings(self, candidate: Candidate, least: float = 0.0) -> list[Finding]:
        """Categories with a score above 0, highest first.

        Args:
            candidate: the text.
            least: where no category can reach this score, nothing is found, faster.
        """
        folded, text = candidate.folded, candidate.text
        matches = self._matches(folded, candidate.forms)
        benign = _distinct([match for match in matches if match[2].name == "benign"])
        calm = min(MOST_BENIGN, sum(entry.weight for _, _, entry in benign))
        own = {name: _distinct([match for match in matches if match[2].name == name]) for name in CATEGORIES}
        most = (1 + MOST_OFFER / 2) / (1 + calm / 2)
        bonus = DISGUISE + BESIDE_WEIGHT
        reach = {name: sum(max(1.0, e.weight) + bonus for *_, e in terms) * most for name, terms in own.items()}
        reach["contact_spam"] += (HIDDEN_CONTACT_WEIGHT + BREAK_WEIGHT * min(_MOST_BREAKS, candidate.breaks)) * most
        if max(reach.values()) < least:
            return []
        context = _Context(text, folded, None, True, matches, benign, calm, candidate.breaks)
        bound = self._weigh(folded, context, own)
        if not bound or bound[0].score < least:
            return []
        return self._weigh(folded, replace(context, places=fold_text(text)[1], hopeful=False), own)

    def _weigh(self, folded: str, context: _Context, own: dict[str, list[Match]]) -> list[Finding]:
        given, hosts = contacts(folded), addresses(folded)
        hiding = context.breaks >= _LEAST_BREAKS or any(
            context.is_broken(b, e) for b, e, entry in context.matches if entry.name != "benign"
        )
        offers = [match for match in context.matches if match[2].name == "offer"]
        divisor = 2 if given or hosts or hiding else 1
        base = CONTACT_WEIGHT * bool(given) + HIDING_WEIGHT * (hiding or any(contact.hidden for contact in given))
        base += ADDRESS_WEIGHT * min(_MOST_ADDRESSES, len(hosts))
        shaped = shapes(folded)
        base += sum(weight for _, weight in shaped)
        benign = [entry.term for _, _, entry in context.benign]
        results = []
        for category, terms in own.items():
            spans = [(entry.term, b, e, context.weight(b, e, entry)) for b, e, entry in terms]
            if category == "contact_spam":
                spans += _hidden(given, context, spans)
                if context.breaks >= _LEAST_BREAKS:
                    spans.append(("broken text", 0, len(folded), BREAK_WEIGHT * min(_MOST_BREAKS, context.breaks)))
            if not spans:
                continue
            said = {term for term, *_ in spans}
            apart = [m for m in offers if m[2].term not in said and not any(b < m[1] and m[0] < e for b, e, _ in terms)]
            apart = _distinct(apart)
            pull = min(MOST_OFFER, base + sum(entry.weight for _, _, entry in apart))
            lone = LONE if len(spans) == 1 and spans[0][0] != "hidden contact" else 1.0
            if category in _GOODS and not pull and all(weight < 3 for *_, weight in spans):
                lone = min(lone, SAID)
            topic = sum(weight for *_, weight in spans if weight < 1)
            total = sum(weight for *_, weight in spans) - topic + min(MOST_TOPIC, topic)
            score = lone * total * (1 + pull / 2) / (1 + context.calm / divisor)
            named = [entry.term for _, _, entry in apart] + [shape for shape, _ in shaped]
            named += [contact.id for contact in given[:3]] + hosts[:3]
            results.append(Finding(category, score, sorted(spans, key=lambda s: s[1]), named, benign))
        return sorted(results, key=lambda finding: (-finding.score, CATEGORIES.index(finding.category)))


@dataclass(frozen=True)
class _Context:
    """What all categories of a text share.

    Where `hopeful`, every term counts as broken up: a bound from above that needs no places in the text.
    """

    text: str
    folded: str
    places: list[int] | None
    hopeful: bool
    matches: list[Match]
    benign: list[Match]
    calm: float
    breaks: int

    def is_broken(self, begin: int, end: int) -> bool:
        if self.places is None:
            return self.hopeful
        return broken(self.text, self.places, begin, end) or self.is_framed(begin, end)

    def is_framed(self, begin: int, end: int) -> bool:
        if self.places is None:
            return self.hopeful
        return framed(self.text[self.places[begin] : self.places[end - 1] + 2])

    def weight(self, begin: int, end: int, entry: Entry) -> float:
        if self.is_quoted(begin, end):
            return QUOTED * entry.weight
        trade = BESIDE_WEIGHT if entry.name != "contact_spam" and beside_trade(self.folded, begin, end) else 0.0
        if entry.disguised or not self.is_broken(begin, end):
            return entry.weight + trade
        return max(1.0, entry.weight) + DISGUISE + trade

    def is_quoted(self, begin: int, end: int) -> bool:
        if self.places is None:
            return False
        first, last = self.places[begin] - 1, self.places[end - 1] + 1
        return first >= 0 and last < len(self.text) and _QUOTES.get(self.text[first]) == self.text[last]


def _hidden(
    given: list[Contact], context: _Context, spans: list[tuple[str, int, int, float]]
) -> list[tuple[str, int, int, float]]:
    """The first hidden handle as a term of contact_spam, or a curt one, unless its words count as much already."""
    for name, least in (("hidden contact", HIDDEN_CONTACT_WEIGHT), ("curt contact", CURT_CONTACT_WEIGHT)):
        for contact in given:
            word = contact.end - len(contact.id)
            hidden = contact.hidden or context.is_broken(contact.begin, word) or context.is_framed(word, contact.end)
            if hidden if name == "hidden contact" else contact.curt:
                inside = sum(weight for _, b, e, weight in spans if contact.begin <= b and e <= contact.end)
                return [(name, contact.begin, contact.end, least - inside)] if inside < least else []
    return []


def _stands_alone(text: str, begin: int, end: int) -> bool:
    """Latin terms are whole words: no letter or digit before, no letter after."""
    first, last = text[begin], text[end - 1]
    if first.isascii() and first.isalnum() and begin and text[begin - 1].isascii() and text[begin - 1].isalnum():
        return False
    return not (last.isascii() and last.isalpha() and end < len(text) and text[end].isascii() and text[end].isalpha())


def _distinct(matches: list[Match]) -> list[Match]:
    """Longest matches first, none over another, each term once; in the order of the text."""
    kept: list[Match] = []
    terms: set[str] = set()
    for begin, end, entry in sorted(matches, key=lambda m: (m[0] - m[1], m[0])):
        if entry.term not in terms and not any(b < end and begin < e for b, e, _ in kept):
            kept.append((begin, end, entry))
            terms.add(entry.term)
    return sorted(kept, key=lambda m: m[0])
