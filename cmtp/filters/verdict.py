"""What becomes of each pair of a table: every rule that fired, with what it measured, and the masked texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import polars as pl

from cmtp.filters import malicious, phrases, private
from cmtp.filters.book import LEARNED, PRIVATE, REASONS, Book
from cmtp.filters.learned import Model
from cmtp.filters.lexicon import CATEGORIES
from cmtp.filters.measure import measure
from cmtp.filters.rule import Rule, Side

_PREFIX: Final = {"query": "q_", "passage": "p_"}
_LISTS: Final = {
    "mojibake.phrase": "mojibake",
    "navigation": "navigation",
    "markup.debris": "debris",
}
_PAIR_COLUMNS: Final = ("pair_han", "asks_how", "asks_code", "title_copies")
_ASIDE: Final = 0.3
"""Share of the highest malicious score below which a content category does not name the row."""
_MOST_FOUND: Final = 8
"""Strings quoted per rule in the evidence."""


@dataclass
class Verdicts:
    """The outcome for a table of pairs.

    Attributes:
        reason: reject reason by row number, for rejected rows only.
        evidence: JSON object by row number, for the same rows.
        score: the number the reason rests on, by row number.
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


def judge(pairs: pl.DataFrame, book: Book, matcher: malicious.Matcher | None, model: Model | None = None) -> Verdicts:
    """Apply a rule book to pairs.

    Args:
        pairs: columns query, passage, relation, source, all strings without nulls.
        book: the rules.
        matcher: for the malicious categories; None where all are switched off.
        model: the learned score, where there is one.
    """
    counts = pl.concat([_side(pairs["query"], "query"), _side(pairs["passage"], "passage")], how="horizontal")
    counts = counts.with_columns(
        pairs["query"].str.contains(phrases.HOW_TO).alias("asks_how"),
        pairs["query"].str.contains(phrases.ASKS_CODE).alias("asks_code"),
        pairs.select(title_copies=pl.col("passage").str.count_matches(pl.col("query"), literal=True)).to_series(),
        pair_han=pl.col("q_han") + pl.col("p_han"),
        p_title_chars=pl.col("q_chars"),
    )
    fired = _junk(pairs, counts, book)
    if matcher is not None and book.malicious:
        for row, items in _malicious(pairs, book, matcher).items():
            fired.setdefault(row, []).extend(items)
    if model is not None:
        for row, items in _learned(pairs, book, model).items():
            fired.setdefault(row, []).extend(items)
    masked: dict[str, dict[int, str]] = {"query": {}, "passage": {}}
    total: Counter[str] = Counter()
    if book.private != "keep":
        for side in ("query", "passage"):
            for row in private.candidates(pairs[side], counts, _PREFIX[side]).to_list():
                text = pairs[side][row]
                found = private.find(text)
                if not found:
                    continue
                if book.private == "drop":
                    fired.setdefault(row, []).append(_private_item(side, found))
                    total += private.count(found)
                elif row not in fired:
                    masked[side][row] = private.mask(text, found)
                    total += private.count(found)
    reasons, evidence, scores = {}, {}, {}
    for row, items in sorted(fired.items()):
        top = max((item["value"] for item in items if "category" in item), default=0.0)
        items.sort(key=partial(_telling, top))
        reasons[row], scores[row] = items[0]["reason"], float(items[0]["value"])
        evidence[row] = json.dumps({"rules": items}, ensure_ascii=False, sort_keys=True)
    return Verdicts(reasons, evidence, scores, masked, total)


def _side(column: pl.Series, side: str) -> pl.DataFrame:
    prefix = _PREFIX[side]
    lists = ("mojibake",) if side == "query" else ("mojibake", "navigation", "debris")
    rows = phrases.phrase_rows(column, lists)
    some, n = column.gather(rows), len(column)
    extra = {"placeholders": phrases.spread(n, rows, phrases.placeholder_chars(some))}
    for name in lists:
        counted, kinds = phrases.phrase_chars(some, name)
        extra |= {name: phrases.spread(n, rows, counted), f"{name}_kinds": phrases.spread(n, rows, kinds)}
    if side == "query":
        extra["listed"] = phrases.is_listed(column, "titles")
    else:
        extra["empty"] = phrases.only_listed(column, "empty_answers")
    return measure(column, prefix).with_columns(**{prefix + name: values for name, values in extra.items()})


def _columns(prefix: str) -> Callable[[str], pl.Expr]:
    return lambda name: pl.col(name if name in _PAIR_COLUMNS else prefix + name)


def _junk(pairs: pl.DataFrame, counts: pl.DataFrame, book: Book) -> dict[int, list[dict[str, Any]]]:
    """Junk rules that fired, by row number: one pass for all verdicts, values only for the rows that fell."""
    frame = counts.with_columns(pairs["relation"], pairs["source"])
    checks: dict[str, tuple[Rule, Side, pl.Expr]] = {}
    for rule in book.rules:
        for side in rule.sides:
            checks[f"{rule.name}/{side}"] = (rule, side, rule.measure(_columns(_PREFIX[side])).cast(pl.Float64))
    verdicts = frame.select(_fires(rule, value, book).alias(key) for key, (rule, _, value) in checks.items())
    rows = verdicts.select(pl.any_horizontal(pl.all())).to_series().arg_true()
    fallen, flags = frame[rows], verdicts[rows]
    out: dict[int, list[dict[str, Any]]] = {}
    for key, (rule, side, value) in checks.items():
        hit = flags[key].arg_true()
        if not len(hit):
            continue
        seen = fallen[hit].select(value=value, limit=book.limit(rule), pair=pl.col(_PREFIX[side] + "top_bigram"))
        for row, number, limit, pair in zip(rows.gather(hit).to_list(), *seen.get_columns(), strict=True):
            item = {
                "rule": rule.name,
                "reason": rule.reason,
                "side": side,
                "value": round(number, 4),
                "limit": limit,
                "unit": rule.unit,
            }
            found = _found(rule, pairs[side], row, pair)
            out.setdefault(row, []).append(item | ({"found": found} if found else {}))
    return out


def _fires(rule: Rule, value: pl.Expr, book: Book) -> pl.Expr:
    limit = book.limit(rule)
    fires = value > limit if rule.compare == "above" else value < limit
    if rule.only is not None:
        fires = fires & pl.col("relation").is_in(sorted(rule.only))
    return fires.fill_null(False)


def _found(rule: Rule, texts: pl.Series, row: int, pair: int) -> list[str]:
    """The strings a verdict rests on, where there are such."""
    if rule.name in _LISTS:
        found = texts[row : row + 1].str.extract_many(phrases.phrases(_LISTS[rule.name]), leftmost=True)[0].to_list()
    elif rule.reason == "template":
        found = texts[row : row + 1].str.extract_all(phrases.PLACEHOLDER)[0].to_list()
    elif rule.name in ("keyword_stuffing", "repetition.pair") and pair:
        found = [chr(pair >> 21) + chr(pair & 0x1FFFFF)]
    elif rule.reason in ("boilerplate_title", "empty_answer"):
        found = [texts[row][:80]]
    else:
        found = []
    return list(dict.fromkeys(found))[:_MOST_FOUND]


def _malicious(pairs: pl.DataFrame, book: Book, matcher: malicious.Matcher) -> dict[int, list[dict[str, Any]]]:
    """Categories that are met, by row number. Query and passage are read as one text, a line end between them."""
    whole = pairs.select(pl.concat_str("query", "passage", separator="\n")).to_series()
    out: dict[int, list[dict[str, Any]]] = {}
    least = book.least_malicious()
    for candidate in matcher.candidates(whole):
        row = candidate.row
        for finding in matcher.findings(candidate, least):
            if finding.category not in book.malicious:
                continue
            limit = book.malicious_limit(finding.category, pairs["relation"][row], pairs["source"][row])
            if finding.score < limit:
                continue
            name = f"malicious_{finding.category}"
            item = {
                "rule": name,
                "reason": name,
                "category": finding.category,
                "side": "pair",
                "value": round(finding.score, 3),
            }
            item |= {"limit": limit, "unit": "weighted score", **finding.evidence(candidate.text)}
            out.setdefault(row, []).append(item)
    return out


def _learned(pairs: pl.DataFrame, book: Book, model: Model) -> dict[int, list[dict[str, Any]]]:
    """Sides whose probability reaches the limit, by row number."""
    out: dict[int, list[dict[str, Any]]] = {}
    least = book.least_learned()
    for side in ("query", "passage"):
        chances = model.probabilities(pairs[side])
        for row in (chances >= least).nonzero()[0].tolist():
            limit = book.learned_limit(pairs["relation"][row], pairs["source"][row])
            if chances[row] >= limit:
                item = {"rule": LEARNED, "reason": LEARNED, "side": side, "value": round(float(chances[row]), 4)}
                out.setdefault(row, []).append(item | {"limit": limit, "unit": "probability of label 1"})
    return out


def _private_item(side: str, found: list[private.Private]) -> dict[str, Any]:
    kinds = dict(sorted(private.count(found).items()))
    spans = [[item.kind, item.begin, item.end] for item in found]
    return {
        "rule": PRIVATE,
        "reason": PRIVATE,
        "side": side,
        "value": len(found),
        "limit": 0,
        "unit": "pieces of private data",
        "kinds": kinds,
        "at": spans,
    }


def _telling(top: float, item: dict[str, Any]) -> tuple[int, float, str]:
    """Sort key: content categories by score, then seo and contact_spam, then junk in the order of the book.

    A content category far below the `top` score of the row comes after them: one phrase of it in an advertisement.
    """
    category = item.get("category")
    if category is None:
        return 2 + REASONS.index(item["reason"]), 0.0, item["side"]
    aside = category in CATEGORIES[-2:] or item["value"] < _ASIDE * top
    return int(aside), -item["value"], category
