"""Documents from records that hold two texts of one kind, or a query and one text, often with a label."""

from __future__ import annotations

from cmtp.sources import labels
from cmtp.sources.builders import Values, empty, text_of, texts_of
from cmtp.sources.document import Broken, Document, TextPair
from cmtp.text.clean import one_line


def labelled(
    values: Values, origin: str, source: str, *, relation: str, roles: tuple[str, str], graded: bool = False
) -> Document | Broken:
    """Two texts of a relation; the verdict of their label says whether they belong together.

    Args:
        values: by role; the label has the role ``label``.
        origin: of the record.
        source: its name.
        relation: of the pair.
        roles: of the query and of the passage.
        graded: whether labels are grades from 0 to 5, rather than yes or no. The file's name may say so too.
    """
    left, right = (text_of(values[role]) for role in roles)
    if not left or not right:
        return empty(origin, source, relation, roles[1] if left else roles[0], query=left, passage=right)
    label = values.get("label")
    return TextPair(
        origin,
        source,
        relation,
        left,
        right,
        label=None if label is None else str(label),
        verdict=labels.verdict(label, graded or labels.is_graded(origin)),
    )


_SENTENCES = ("left", "right")


def labelled_document(values: Values, origin: str, source: str) -> Document | Broken:
    """A query and one document, with a label that says whether it answers the query."""
    return labelled(values, origin, source, relation="query_document", roles=("query", "document"))


def sentences(values: Values, origin: str, source: str) -> Document | Broken:
    """Two sentences or questions, with or without a label."""
    left, right = text_of(values["left"]), text_of(values["right"])
    relation = labels.relation_of(values.get("label"), origin, left, right)
    return labelled(values, origin, source, relation=relation, roles=_SENTENCES)


def graded(values: Values, origin: str, source: str) -> Document | Broken:
    """Two sentences with a grade from 0 to 5."""
    relation = labels.relation_of(None, origin, text_of(values["left"]), text_of(values["right"]))
    return labelled(values, origin, source, relation=relation, roles=_SENTENCES, graded=True)


def inference(values: Values, origin: str, source: str) -> Document | Broken:
    """A premise and a hypothesis; numbers are SNLI's: 0 entailment, 1 neutral, 2 contradiction."""
    names = {"0": "entailment", "1": "neutral", "2": "contradiction"}
    label = values.get("label")
    if label is not None:
        label = names.get(str(label), label if isinstance(label, str) else "-")
    return labelled(values | {"label": label}, origin, source, relation="premise_hypothesis", roles=_SENTENCES)


def similar_with_negative(values: Values, origin: str, source: str) -> Document | Broken:
    """SimCLUE: two texts of one meaning and, in its ranking set, one of another."""
    found = sentences(values, origin, source)
    if isinstance(found, TextPair):
        found.negatives = texts_of(values.get("negative"))
    return found


def edits(values: Values, origin: str, source: str) -> Document | Broken:
    """A sentence and the same sentence after an edit."""
    return labelled(values, origin, source, relation="paraphrase", roles=_SENTENCES)


def review(values: Values, origin: str, source: str) -> Document | Broken:
    """A review's title or topic, and the review."""
    topic = one_line(text_of(values["topic"]))
    return labelled(values | {"topic": topic}, origin, source, relation="topic_review", roles=("topic", "review"))
