"""similar_question, paraphrase, premise_hypothesis, topic_review, and what a recipe maps: two texts as they are."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.relations import SYMMETRIC_RELATIONS
from cmtp.sources.document import TextPair
from cmtp.sources.labels import NEGATIVE


def text_pair(document: TextPair, limits: Limits) -> Iterator[Pair]:
    """The two texts; the passage is cut unless both sides are texts of one kind.

    A pair whose label says that the texts do not belong together is set aside with that label, and so are the texts
    given as negatives.
    """
    relation, query = document.relation, document.query
    symmetric = relation in SYMMETRIC_RELATIONS
    pairs = (
        [Pair(relation, query, document.passage)] if symmetric else passages(relation, query, document.passage, limits)
    )
    for pair in pairs:
        if document.verdict:
            pair = pair._replace(reason=document.verdict, evidence={"label": document.label})
        yield pair
    for text in document.negatives:
        yield Pair(relation, query, text, reason=NEGATIVE, evidence={"label": "negative"})
