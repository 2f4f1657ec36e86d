"""query_document: a search query with the documents that answer it."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.sources.document import JudgedPassage, QueryDocuments
from cmtp.sources.labels import NEGATIVE


def query_document(document: QueryDocuments, limits: Limits) -> Iterator[Pair]:
    """The query with each document; passages over all documents count towards `max_passages`.

    Documents that are given as negatives are set aside with their label; of one that must be cut, the first piece.
    """
    number = 0
    for text in document.documents:
        for pair in passages("query_document", document.query, text, limits, number):
            yield pair
            number += 1
    for text in document.negatives:
        for piece in limits.cut(text)[:1]:
            yield Pair("query_document", document.query, piece, reason=NEGATIVE, evidence={"label": "negative"})


def judged_passage(document: JudgedPassage, limits: Limits) -> Iterator[Pair]:
    """Each query with the passage; of one that must be cut and answers the query, every piece counts.

    Queries the passage was judged not to answer, or only in part, are set aside with their label.
    """
    pieces = limits.cut(document.text)
    for query, label, verdict in document.queries:
        for number, piece in enumerate(pieces[:1] if verdict else pieces):
            yield Pair("query_document", query, piece, number, None, verdict, {"label": label} if verdict else None)
