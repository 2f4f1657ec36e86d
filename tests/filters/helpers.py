"""What the tests of this room share: a judge for a few pairs."""

from __future__ import annotations

import json

import polars as pl

from cmtp.filters.book import open_book
from cmtp.filters.malicious import Matcher
from cmtp.filters.settings import FilterSettings
from cmtp.filters.verdict import PairVerdicts, judge

MATCHER = Matcher()


def judged(*pairs: tuple[str, str] | tuple[str, str, str], **settings) -> PairVerdicts:
    """Judge (query, passage[, relation]) pairs; the relation is title_body where none is given."""
    rows = [(*pair, "title_body")[:3] for pair in pairs]
    frame = pl.DataFrame(rows, ["query", "passage", "relation"], orient="row").with_columns(source=pl.lit("forum"))
    book = open_book(FilterSettings(**settings))
    return judge(frame, book, MATCHER if book.malicious else None)


def reason(query: str, passage: str, relation: str = "title_body", **settings) -> str | None:
    """The reject reason of one pair, or None where it is kept."""
    return judged((query, passage, relation), **settings).reason.get(0)


def fired(query: str, passage: str, relation: str = "title_body", **settings) -> list[str]:
    """Every rule that fired on one pair."""
    evidence = judged((query, passage, relation), **settings).evidence.get(0)
    return [item["rule"] for item in json.loads(evidence)["rules"]] if evidence else []
