"""Documents from records that hold two texts of one kind, or a query and one text, often with a label."""

from __future__ import annotations

from typing import Any

from cmtp.sources import labels
from cmtp.sources.builders import Values, empty, text_of, texts_of
from cmtp.sources.document import Broken, Document, TextPair
from cmtp.text.clean import one_line


def labelled(
    query: Any, passage: Any, label: Any, relation: str, origin: str, source: str, graded: bool = False
) -> Document | Broken:
    """Two texts of a relation; the label's verdict says whether they belong together."""
    left, right = text_of(query), text_of(passage)
    if not left or not right:
        return empty(origin, source, relation, "passage" if left else "query", left, right)
    found = labels.verdict(label, graded or labels.is_graded(origin))
    return TextPair(origin, source, relation, left, right, None if label is None else str(label), found)


def labelled_document(values: Values, origin: str, source: str) -> Document | Broken:
    """A query and one document, with a label that says whether it answers the query."""
    return labelled(values["query"], values["document"], values["label"], "query_document", origin, source)


def sentences(values: Values, origin: str, source: str) -> Document | Broken:
    """Two sentences or questions, with or without a label."""
    left, right, label = text_of(values["left"]), text_of(values["right"]), values.get("label")
    return labelled(left, right, label, labels.kind(label, origin, left, right), origin, source)


def graded(values: Values, origin: str, source: str) -> Document | Broken:
    """Two sentences with a grade from 0 to 5."""
    left, right = text_of(values["left"]), text_of(values["right"])
    relation = labels.kind(None, origin, left, right)
    return labelled(left, right, values["label"], relation, origin, source, graded=True)


def inference(values: Values, origin: str, source: str) -> Document | Broken:
    """A premise and a hypothesis; numbers are SNLI's: 0 entailment, 1 neutral, 2 contradiction."""
    names = {"0": "entailment", "1": "neutral", "2": "contradiction"}
    label = values.get("label")
    if label is not None:
        label = names.get(str(label), label if isinstance(label, str) else "-")
    return labelled(values["left"], values["right"], label, "premise_hypothesis", origin, source)


def similar_with_negative(values: Values, origin: str, source: str) -> Document | Broken:
    """SimCLUE: two texts of one meaning and, in its ranking set, one of another."""
    found = sentences(values, origin, source)
    if isinstance(found, TextPair):
        found.negatives = texts_of(values.get("negative"))
    return found


def edits(values: Values, origin: str, source: str) -> Document | Broken:
    """A sentence and the same sentence after an edit."""
    return labelled(values["left"], values["right"], None, "paraphrase", origin, source)


def review(values: Values, origin: str, source: str) -> Document | Broken:
    """A review's title or topic, and the review."""
    return labelled(one_line(text_of(values["topic"])), values["review"], None, "topic_review", origin, source)
