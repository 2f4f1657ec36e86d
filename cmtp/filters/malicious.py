"""Malicious categories: weighted terms over folded text, raised by the words of an offer, lowered by those of a report.

For each category:

    score = T × (1 + min(O, 6) / 2) / (1 + min(B, 12) / d)

1. T sums the weights of the category's different terms. Words of the subject, each below 1, give 1.5 together at most.
2. T counts two thirds where there is one term only, since a short word comes about by accident where two others meet
   (其中特别). It counts three fifths where vices or goods are named and nothing makes an offer.
3. O sums the weights of offer words, of a contact or address that is given, of prices and bargains, and of hiding.
4. B sums the weights of the benign list: words that report, forbid, treat or explain.
5. d is 2 where the text gives a contact or an address or hides words, else 1: a report does none of these.

One topic word decides nothing: 赌博 alone scores .4, beside 依法 and 处罚 less, beside 加微信 and 注册送 more. The
weights were set on the adversarial set of tests/filters/malicious and on ten real sources: benchmarks/filters.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import polars as pl

from cmtp.filters.contact import Contact, addresses, broken, contacts, framed
from cmtp.filters.fold import breaks_in, matching_form, matching_forms
from cmtp.filters.lexicon import DISGUISE, MALICIOUS_CATEGORIES, Entry, compile_lexicon
from cmtp.filters.offer import BESIDE_WEIGHT, beside_trade, shapes

LIMIT: Final = 2.0
"""Score from which a category is met; measured on statutes, medical and technical text (none above) and on offers."""
SAID: Final = 0.6
"""T is multiplied by this where no term is a phrase of an offer and nothing else in the text makes one: opinions."""
OFFER_PHRASE: Final = 3.0
"""Weight from which a term is a phrase that only an offer uses."""
_GOODS: Final = frozenset({"pornography", "gambling", "drugs", "weapons"})
"""Categories of which `SAID` holds: a swindler's words need no offer."""
MOST_TOPIC: Final = 1.5
"""What words of the subject, each below 1, give together at most: an article on pistols names ten parts of one."""
QUOTED: Final = 0.5
"""A term in quotation marks counts half: reports quote, offers do not."""
_QUOTES: Final = {"“": "”", "‘": "’", "「": "」", "『": "』", "《": "》", "〈": "〉", '"': '"'}
LONE: Final = 2 / 3
"""T is multiplied by this where there is one term: a phrase of weight 3 is enough alone, a suspicious word is not."""
MOST_OFFER: Final = 6.0
"""O at most."""
MOST_BENIGN: Final = 12.0
"""B at most."""
CONTACT_WEIGHT: Final = 1.5
"""Added to O where the text gives a contact."""
ADDRESS_WEIGHT: Final = 0.5
"""Added to O for each web address, three at most."""
HIDING_WEIGHT: Final = 1.5
"""Added to O where the text hides a word or a handle."""
HIDDEN_CONTACT_WEIGHT: Final = 2.5
"""A hidden handle is a term of contact_spam by itself; it is not a lone one, being a word and a handle."""
CURT_CONTACT_WEIGHT: Final = 1.5
"""A handle after a single character that stands for the messenger is one, too: 扣 68274193."""
BREAK_WEIGHT: Final = 0.6
"""Text broken up by symbols is a term of contact_spam: so much for each symbol between two Chinese characters."""
_LEAST_BREAKS: Final = 3
"""Symbols from which a text is broken up."""
_MOST_BREAKS: Final = 5
"""Symbols that count, at most."""
_MOST_ADDRESSES: Final = 3
_LEAD_WEIGHT: Final = 0.3
"""Terms below this weight do not make a text worth a look; they count beside others."""


class TermMatch(NamedTuple):
    """A term at its place in the folded text."""

    begin: int
    end: int
    entry: Entry


class Span(NamedTuple):
    """A term that counts for a category, at its place in the folded text, and the weight it has there."""

    term: str
    begin: int
    end: int
    weight: float


@dataclass(frozen=True)
class Finding:
    """A category that a text meets or comes near to.

    Attributes:
        category: one of `MALICIOUS_CATEGORIES`.
        score: see the module.
        spans: the terms that make T, in order.
        offer: what makes O: words, prices, the contacts and addresses.
        benign: the words that make B.
    """

    category: str
    score: float
    spans: list[Span]
    offer: list[str] = field(default_factory=list)
    benign: list[str] = field(default_factory=list)

    def evidence(self, text: str) -> dict[str, Any]:
        """JSON values for the reject row; the positions are those in `text`, the text before folding."""
        _, places = matching_form(text)
        matches = []
        for term, first, last, weight in self.spans:
            begin, end = places[first], places[last - 1] + 1
            matches.append({"term": term, "text": text[begin:end], "at": [begin, end], "weight": weight})
        return {"matches": matches, "offer": self.offer, "benign": self.benign}


@dataclass(frozen=True)
class Candidate:
    """A text that holds a term or is broken up.

    Attributes:
        row: its number in the column.
        text: before folding.
        folded: what `matching_forms` makes of it.
        forms: terms in it, folded.
        breaks: how often symbols stand between two Chinese characters.
    """

    row: int
    text: str
    folded: str
    forms: frozenset[str]
    breaks: int


class Matcher:
    """The compiled lexicon. It takes some tenths of a second to build: make one per process and settings.

    Args:
        extra: users' terms and weights by category, or ``offer`` and ``benign``.
    """

    def __init__(self, extra: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.entries = compile_lexicon(extra)
        self._lead = [
            form
            for form, entries in self.entries.items()
            if any(entry.name in MALICIOUS_CATEGORIES and entry.weight >= _LEAD_WEIGHT for entry in entries)
        ]
        self._forms = [*self.entries]
        self._lengths = sorted({len(form) for form in self._forms})

    def candidates(self, column: pl.Series) -> Iterator[Candidate]:
        """Texts that hold a term of a category or are broken up, in order."""
        folded, breaks = matching_forms(column)
        rows = (folded.str.contains_any(self._lead) | (breaks >= _LEAST_BREAKS)).arg_true()
        texts = folded.gather(rows)
        terms = texts.str.extract_many(self._forms, overlapping=True)
        for row, text, forms, count in zip(rows, texts, terms, breaks.gather(rows), strict=True):
            yield Candidate(row, column[row], text, frozenset(forms), count)

    def read(self, text: str) -> Candidate:
        """One text, made ready for `findings`."""
        folded = matching_form(text)[0]
        starts = range(len(folded))
        forms = {form for n in self._lengths for i in starts if (form := folded[i : i + n]) in self.entries}
        return Candidate(0, text, folded, frozenset(forms), breaks_in(text))

    def _matches(self, folded: str, forms: Iterable[str]) -> list[TermMatch]:
        matches: list[TermMatch] = []
        for form in sorted(forms):
            begin = folded.find(form)
            while begin >= 0:
                end = begin + len(form)
                if _stands_alone(folded, begin, end):
                    matches += [TermMatch(begin, end, entry) for entry in self.entries[form]]
                begin = folded.find(form, begin + 1)
        return matches

    def findings(self, candidate: Candidate, least: float = 0.0) -> list[Finding]:
        """Categories with a score above 0, highest first.

        The cheap bounds come first: what the terms could weigh at most, then the score with every term broken up.

        Args:
            candidate: the text.
            least: where no category can reach this score, the list is empty.
        """
        matches = self._matches(candidate.folded, candidate.forms)
        benign = _distinct([match for match in matches if match.entry.name == "benign"])
        calm = min(MOST_BENIGN, sum(match.entry.weight for match in benign))
        own = {
            name: _distinct([match for match in matches if match.entry.name == name]) for name in MALICIOUS_CATEGORIES
        }
        if _reach(own, calm, candidate.breaks) < least:
            return []
        context = _Context(candidate, None, matches, benign, calm)
        bound = _weigh(context, own)
        if not bound or bound[0].score < least:
            return []
        return _weigh(replace(context, places=matching_form(candidate.text)[1]), own)


def _reach(own: Mapping[str, list[TermMatch]], calm: float, breaks: int) -> float:
    """No category can have a higher score: every term in disguise, beside a word of trade, in the best of offers."""
    most = (1 + MOST_OFFER / 2) / (1 + calm / 2)
    bonus = DISGUISE + BESIDE_WEIGHT
    reach = {name: sum(max(1.0, match.entry.weight) + bonus for match in own[name]) * most for name in own}
    reach["contact_spam"] += (HIDDEN_CONTACT_WEIGHT + BREAK_WEIGHT * min(_MOST_BREAKS, breaks)) * most
    return max(reach.values())


@dataclass(frozen=True)
class _Context:
    """What all categories of a text share.

    Attributes:
        candidate: the text.
        places: for each folded character its position in the text; None while a bound from above is enough: then every
            term counts as broken up and none as quoted.
        matches: all terms of all lists.
        benign: those of the benign list, each once.
        calm: B.
    """

    candidate: Candidate
    places: list[int] | None
    matches: list[TermMatch]
    benign: list[TermMatch]
    calm: float

    def is_broken(self, begin: int, end: int) -> bool:
        if self.places is None:
            return True
        return broken(self.candidate.text, self.places, begin, end) or self.is_framed(begin, end)

    def is_framed(self, begin: int, end: int) -> bool:
        if self.places is None:
            return True
        return framed(self.candidate.text[self.places[begin] : self.places[end - 1] + 2])

    def is_quoted(self, begin: int, end: int) -> bool:
        if self.places is None:
            return False
        first, last = self.places[begin] - 1, self.places[end - 1] + 1
        return (
            first >= 0
            and last < len(self.candidate.text)
            and _QUOTES.get(self.candidate.text[first]) == self.candidate.text[last]
        )

    def hides(self) -> bool:
        """Whether the text is broken up, or a term of any list but the benign one is."""
        if self.candidate.breaks >= _LEAST_BREAKS:
            return True
        return any(self.is_broken(begin, end) for begin, end, entry in self.matches if entry.name != "benign")

    def weight(self, begin: int, end: int, entry: Entry) -> float:
        """What a term weighs at its place."""
        if self.is_quoted(begin, end):
            return QUOTED * entry.weight
        trade = (
            BESIDE_WEIGHT if entry.name != "contact_spam" and beside_trade(self.candidate.folded, begin, end) else 0.0
        )
        if entry.disguised or not self.is_broken(begin, end):
            return entry.weight + trade
        return max(1.0, entry.weight) + DISGUISE + trade


def _weigh(context: _Context, own: Mapping[str, list[TermMatch]]) -> list[Finding]:
    """Score the categories; see the module for the formula."""
    given, hosts, hides = contacts(context.candidate.folded), addresses(context.candidate.folded), context.hides()
    offers = [match for match in context.matches if match.entry.name == "offer"]
    shaped = shapes(context.candidate.folded)
    pull = CONTACT_WEIGHT * bool(given) + HIDING_WEIGHT * (hides or any(contact.hidden for contact in given))
    pull += ADDRESS_WEIGHT * min(_MOST_ADDRESSES, len(hosts))
    pull += sum(weight for _, weight in shaped)
    divisor = 2 if given or hosts or hides else 1
    benign = [match.entry.term for match in context.benign]
    results = []
    for category, terms in own.items():
        spans = [Span(entry.term, begin, end, context.weight(begin, end, entry)) for begin, end, entry in terms]
        if category == "contact_spam":
            spans += _contact_spans(given, context, spans)
        if not spans:
            continue
        words = _apart(offers, terms, spans)
        offer = min(MOST_OFFER, pull + sum(match.entry.weight for match in words))
        score = _terms(category, spans, offer) * (1 + offer / 2) / (1 + context.calm / divisor)
        named = [match.entry.term for match in words] + [shape for shape, _ in shaped]
        named += [contact.id for contact in given[:3]] + hosts[:3]
        results.append(Finding(category, score, sorted(spans, key=lambda span: span.begin), named, benign))
    return sorted(results, key=lambda finding: (-finding.score, MALICIOUS_CATEGORIES.index(finding.category)))


def _terms(category: str, spans: list[Span], offer: float) -> float:
    """T of a category."""
    lone = LONE if len(spans) == 1 and spans[0].term != "hidden contact" else 1.0
    if category in _GOODS and not offer and all(span.weight < OFFER_PHRASE for span in spans):
        lone = min(lone, SAID)
    topic = sum(span.weight for span in spans if span.weight < 1)
    total = sum(span.weight for span in spans) - topic + min(MOST_TOPIC, topic)
    return lone * total


def _apart(offers: list[TermMatch], terms: list[TermMatch], spans: list[Span]) -> list[TermMatch]:
    """The offer words that are not terms of the category and do not overlap one."""
    said = {span.term for span in spans}
    return _distinct(
        [
            word
            for word in offers
            if word.entry.term not in said
            and not any(term.begin < word.end and word.begin < term.end for term in terms)
        ]
    )


def _contact_spans(given: list[Contact], context: _Context, spans: list[Span]) -> list[Span]:
    """What contact_spam has besides its words: a hidden or curt handle, and broken text."""
    own = _hidden(given, context, spans)
    if context.candidate.breaks >= _LEAST_BREAKS:
        weight = BREAK_WEIGHT * min(_MOST_BREAKS, context.candidate.breaks)
        own.append(Span("broken text", 0, len(context.candidate.folded), weight))
    return own


def _hidden(given: list[Contact], context: _Context, spans: list[Span]) -> list[Span]:
    """The first hidden handle, or else a curt one, unless the words it contains count as much already."""
    for name, least in (("hidden contact", HIDDEN_CONTACT_WEIGHT), ("curt contact", CURT_CONTACT_WEIGHT)):
        for contact in given:
            word = contact.end - len(contact.id)
            hidden = contact.hidden or context.is_broken(contact.begin, word) or context.is_framed(word, contact.end)
            if hidden if name == "hidden contact" else contact.curt:
                inside = sum(span.weight for span in spans if contact.begin <= span.begin and span.end <= contact.end)
                return [Span(name, contact.begin, contact.end, least - inside)] if inside < least else []
    return []


def _stands_alone(text: str, begin: int, end: int) -> bool:
    """Whether a Latin term is a whole word: no letter or digit before it, no letter after it. Others always are."""
    first, last = text[begin], text[end - 1]
    if first.isascii() and first.isalnum() and begin and text[begin - 1].isascii() and text[begin - 1].isalnum():
        return False
    return not (last.isascii() and last.isalpha() and end < len(text) and text[end].isascii() and text[end].isalpha())


def _distinct(matches: list[TermMatch]) -> list[TermMatch]:
    """Of matches that overlap the longest, and of each term one; in the order of the text."""
    kept: list[TermMatch] = []
    terms: set[str] = set()
    for match in sorted(matches, key=lambda match: (match.begin - match.end, match.begin)):
        apart = not any(other.begin < match.end and match.begin < other.end for other in kept)
        if match.entry.term not in terms and apart:
            kept.append(match)
            terms.add(match.entry.term)
    return sorted(kept, key=lambda match: match.begin)
