"""What becomes of each pair of a table: every rule that fired, with what it measured, and the masked texts.

1. Count what the rules measure: one column per count and side.
2. Collect every rule that fires, as one JSON object per rule, side and row: junk rules, malicious categories, the
   learned score. None of them stops another.
3. Find private data. It is one more rule where the recipe says drop; where it says mask, rows that pass are masked.
4. The most telling of a row's rules names its reason; the evidence holds them all.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import polars as pl

from cmtp.filters import malicious, phrases, private
from cmtp.filters.book import LEARNED, PRIVATE, Book
from cmtp.filters.learned import Model
from cmtp.filters.lexicon import MALICIOUS_CATEGORIES
from cmtp.filters.measure import count_texts
from cmtp.filters.rule import Rule, SideColumns
from cmtp.schema import SIDES, Side

_ASKED: Final = {
    "asks_how": phrases.HOW_TO,
    "asks_code": phrases.ASKS_CODE,
    "asks_signs": phrases.ASKS_SIGNS,
    "asks_template": phrases.ASKS_TEMPLATE,
    "says_missing": phrases.SAYS_MISSING,
    "explains": phrases.EXPLAINS,
    "address": phrases.ADDRESS,
}
"""What the query asks for or says, by the column that a rule reads; each looks for a pattern in the query."""
PAIR_COLUMNS: Final = ("pair_han", "title_copies", *_ASKED)
"""Columns of the pair and not of a side: Han characters of both sides, copies of the query in the passage, `_ASKED`."""
_PREFIX: Final = {"query": "q_", "passage": "p_"}
_LISTS: Final = {"query": ("mojibake",), "passage": ("mojibake", "navigation", "debris")}
"""Phrase lists that are counted on each side."""
_LIST_OF_RULE: Final = {"mojibake.phrase": "mojibake", "navigation": "navigation", "markup.debris": "debris"}
_ASIDE: Final = 0.3
"""Share of the highest malicious score below which a content category does not name the row."""
_QUOTED: Final = 8
"""Strings quoted per rule in the evidence, at most."""
_QUOTED_CHARS: Final = 80

Item = dict[str, Any]
"""A rule that fired, as JSON values: rule, reason, side, value, limit, unit, and what it found."""
Fired = Iterator[tuple[int, Item]]
"""Rules that fired, with the row number."""


@dataclass
class PairVerdicts:
    """The outcome for a table of pairs.

    Attributes:
        reason: reject reason by row number, for rejected rows only.
        evidence: JSON object by row number, for the same rows.
        score: by row number, the value of the rule that names the reason.
        masked: the new text by side and row number, for kept rows with private data.
        private: pieces of private data found, by kind.
    """

    reason: dict[int, str]
    evidence: dict[int, str]
    score: dict[int, float]
    masked: dict[str, dict[int, str]]
    private: Counter[str]

    def kept(self, rows: int) -> list[bool]:
        """Whether each row passes, of the number of rows that were judged."""
        return [row not in self.reason for row in range(rows)]


def judge(
    pairs: pl.DataFrame, book: Book, matcher: malicious.Matcher | None, model: Model | None = None
) -> PairVerdicts:
    """Apply a rule book to pairs.

    Args:
        pairs: columns query, passage, relation, source, all strings without nulls.
        book: the rules.
        matcher: for the malicious categories; None where all are switched off.
        model: the learned score, where there is one.
    """
    counts = count_pairs(pairs, book.rules)
    fired: dict[int, list[Item]] = defaultdict(list)
    collected = [_junk(pairs, counts, book)]
    if matcher is not None and book.malicious:
        collected.append(_malicious(pairs, book, matcher))
    if model is not None:
        collected.append(_learned(pairs, book, model))
    for items in collected:
        for row, item in items:
            fired[row].append(item)
    verdicts = PairVerdicts({}, {}, {}, {"query": {}, "passage": {}}, Counter())
    if book.private != "keep":
        _private(pairs, counts, book, fired, verdicts)
    rank = {reason: place for place, reason in enumerate(book.reasons)}
    for row, of_row in sorted(fired.items()):
        top = max((item["value"] for item in of_row if "category" in item), default=0.0)
        of_row.sort(key=partial(_telling, rank, top))
        verdicts.reason[row] = of_row[0]["reason"]
        verdicts.score[row] = float(of_row[0]["value"])
        verdicts.evidence[row] = json.dumps({"rules": of_row}, ensure_ascii=False, sort_keys=True)
    return verdicts


def count_pairs(pairs: pl.DataFrame, rules: Iterable[Rule] = ()) -> pl.DataFrame:
    """What the rules measure, one row per pair: the counts of either side, named q_… and p_…, and `PAIR_COLUMNS`.

    Args:
        pairs: columns query and passage.
        rules: those with a measure of their own get a column per side that they look at.
    """
    sides = [_count_side(pairs[side], side) for side in SIDES]
    own = [
        rule.measured(pairs[side]).alias(_PREFIX[side] + _measure_column(rule))
        for rule in rules
        if rule.measure is not None
        for side in rule.sides
    ]
    copies = pairs.select(pl.col("passage").str.count_matches(pl.col("query"), literal=True)).to_series()
    return pl.concat(sides, how="horizontal").with_columns(
        *own,
        *(pairs["query"].str.contains(pattern).alias(name) for name, pattern in _ASKED.items()),
        copies.alias("title_copies"),
        pair_han=pl.col("q_han") + pl.col("p_han"),
        p_title_units=pl.col("q_units"),
    )


def _count_side(column: pl.Series, side: Side) -> pl.DataFrame:
    rows = phrases.phrase_rows(column, _LISTS[side])
    texts, length = column.gather(rows), len(column)
    extra = {"placeholders": phrases.spread(length, rows, phrases.placeholder_chars(texts))}
    for name in _LISTS[side]:
        found, kinds = phrases.phrase_chars(texts, name)
        extra |= {name: phrases.spread(length, rows, found), f"{name}_kinds": phrases.spread(length, rows, kinds)}
    if side == "query":
        extra["listed"] = phrases.is_listed(column, "titles")
    else:
        extra["empty"] = phrases.only_listed(column, "empty_answers")
        extra |= {name: phrases.shape_flags(column, name) for name in phrases.SHAPES}
    prefix = _PREFIX[side]
    return count_texts(column, prefix).with_columns(**{prefix + name: values for name, values in extra.items()})


def _measure_column(rule: Rule) -> str:
    return f"measure of {rule.name}"


def _columns(rule: Rule, side: Side) -> SideColumns:
    """How a rule names the columns of a side."""
    own = {"measure": _measure_column(rule)} if rule.measure is not None else {}
    return lambda name: pl.col(name if name in PAIR_COLUMNS else _PREFIX[side] + own.get(name, name))


def _junk(pairs: pl.DataFrame, counts: pl.DataFrame, book: Book) -> Fired:
    """Junk rules that fired: one pass for all verdicts, values only for the rows that fell."""
    frame = counts.with_columns(pairs["relation"], pairs["source"])
    checks = {
        f"{rule.name}/{side}": (rule, side, rule.expression(_columns(rule, side)).cast(pl.Float64))
        for rule in book.rules
        for side in rule.sides
    }
    verdicts = frame.select(_fires(rule, value, book).alias(key) for key, (rule, _, value) in checks.items())
    rows = verdicts.select(pl.any_horizontal(pl.all())).to_series().arg_true()
    fallen, flags = frame[rows], verdicts[rows]
    for key, (rule, side, value) in checks.items():
        hit = flags[key].arg_true()
        if not len(hit):
            continue
        columns = fallen[hit].select(value=value, limit=book.limit(rule), pair=pl.col(_PREFIX[side] + "top_bigram"))
        for row, number, limit, pair in zip(rows.gather(hit).to_list(), *columns.get_columns(), strict=True):
            item = _item(rule.name, side, round(number, 4), limit, rule.unit) | {"reason": rule.reason}
            quoted = _quoted(rule, pairs[side], row, pair)
            yield row, item | ({"found": quoted} if quoted else {})


def _item(rule: str, side: str, value: float, limit: float, unit: str) -> Item:
    return {"rule": rule, "reason": rule, "side": side, "value": value, "limit": limit, "unit": unit}


def _fires(rule: Rule, value: pl.Expr, book: Book) -> pl.Expr:
    limit = book.limit(rule)
    fires = value > limit if rule.fires == "above" else value < limit
    if rule.only is not None:
        fires = fires & pl.col("relation").is_in(sorted(rule.only))
    return fires.fill_null(False)


def _quoted(rule: Rule, texts: pl.Series, row: int, pair: int) -> list[str]:
    """The strings that a verdict rests on, for the rules that rest on strings."""
    text = texts[row : row + 1]
    strings: list[str] = []
    if rule.name in _LIST_OF_RULE:
        strings = text.str.extract_many(phrases.phrases(_LIST_OF_RULE[rule.name]), leftmost=True)[0].to_list()
    elif rule.reason == "template":
        strings = text.str.extract_all(phrases.PLACEHOLDER)[0].to_list()
    elif rule.name in ("keyword_stuffing", "repetition.pair") and pair:
        strings = [chr(pair >> 21) + chr(pair & 0x1FFFFF)]
    elif rule.reason in ("boilerplate_title", "empty_answer"):
        strings = [text[0][:_QUOTED_CHARS]]
    return list(dict.fromkeys(strings))[:_QUOTED]


def _malicious(pairs: pl.DataFrame, book: Book, matcher: malicious.Matcher) -> Fired:
    """Categories that are met. Query and passage are read as one text, with a line end between them."""
    whole = pairs.select(pl.concat_str("query", "passage", separator="\n")).to_series()
    least = book.least_malicious()
    for candidate in matcher.candidates(whole):
        row = candidate.row
        for finding in matcher.findings(candidate, least):
            if finding.category not in book.malicious:
                continue
            limit = book.malicious_limit(finding.category, pairs["relation"][row], pairs["source"][row])
            if finding.score >= limit:
                name = f"malicious_{finding.category}"
                item = _item(name, "pair", round(finding.score, 3), limit, "weighted score")
                yield row, item | {"category": finding.category} | finding.evidence(candidate.text)


def _learned(pairs: pl.DataFrame, book: Book, model: Model) -> Fired:
    """Sides whose probability reaches the limit."""
    least = book.least_learned()
    for side in SIDES:
        chances = model.probabilities(pairs[side])
        for row in (chances >= least).nonzero()[0].tolist():
            limit = book.learned_limit(pairs["relation"][row], pairs["source"][row])
            if chances[row] >= limit:
                value = round(float(chances[row]), 4)
                yield row, _item(LEARNED, side, value, limit, "probability of label 1")


def _private(
    pairs: pl.DataFrame, counts: pl.DataFrame, book: Book, fired: dict[int, list[Item]], verdicts: PairVerdicts
) -> None:
    """Add private data to the rules that fired (drop), or mask it in the rows where none did (mask)."""
    for side in SIDES:
        for row in private.may_hold_private(pairs[side], counts, _PREFIX[side]).to_list():
            text = pairs[side][row]
            pieces = private.find_private(text)
            if not pieces:
                continue
            if book.private == "drop":
                fired[row].append(_private_item(side, pieces))
            elif row not in fired:
                verdicts.masked[side][row] = private.mask_private(text, pieces)
            else:
                continue
            verdicts.private += private.count_kinds(pieces)


def _private_item(side: str, pieces: list[private.Private]) -> Item:
    kinds = dict(sorted(private.count_kinds(pieces).items()))
    spans = [[piece.kind, piece.begin, piece.end] for piece in pieces]
    return _item(PRIVATE, side, len(pieces), 0, "pieces of private data") | {"kinds": kinds, "at": spans}


def _telling(rank: dict[str, int], top: float, item: Item) -> tuple[int, float, str]:
    """Sort key: content categories by score, then seo and contact_spam, then junk in the order of the book.

    A content category far below the `top` score of the row comes after them: one phrase of it in an advertisement.
    """
    category = item.get("category")
    if category is None:
        return 2 + rank[item["reason"]], 0.0, item["side"]
    aside = category in MALICIOUS_CATEGORIES[-2:] or item["value"] < _ASIDE * top
    return int(aside), -item["value"], category
