"""The text of a document as it stands, for pretraining: in reading order, headings included.

Nothing is left out because it is no pair: an article of a statute without a query, a later passage, an answer beyond
the limit, a line that occurred before. Where a record holds several documents, each has its own text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cmtp.extract.statute import is_statute_article
from cmtp.relations import RELATIONS
from cmtp.sources.document import (
    Abstract,
    Article,
    Document,
    JudgedPassage,
    QueryDocuments,
    QuestionAnswers,
    Reading,
    Section,
    Several,
    TextPair,
)


class DocumentText(NamedTuple):
    """The text of a document.

    Attributes:
        part: as in `relations.Pair`.
        relation: the relation its passages have, whose limits the filter applies to the text.
        lines: the text; a line is a paragraph or a heading.
    """

    part: int | None
    relation: str
    lines: list[str]


def document_texts(document: Document) -> Iterator[DocumentText]:
    """The texts of a document that `relations.prepared` gave: one, or one per part of its record."""
    match document:
        case Article():
            lines = [line for line in (document.title, document.summary) if line]
            lines += document.lead
            for section in document.sections:
                lines += as_printed(section)
            yield DocumentText(None, "title_body", lines)
        case QuestionAnswers():
            yield DocumentText(None, "question_answer", [document.question, *document.answers])
        case Reading():
            for part, context in enumerate(document.contexts):
                yield DocumentText(part, "question_passage", [context.text])
        case Abstract():
            yield DocumentText(None, "title_abstract", [document.title, document.text])
        case QueryDocuments():
            yield DocumentText(None, "query_document", document.documents)
        case JudgedPassage():
            yield DocumentText(None, "query_document", [document.text])
        case TextPair():
            if not document.verdict:
                own = [document.query] if RELATIONS[document.relation].own_text else []
                yield DocumentText(None, document.relation, [*own, document.passage])
        case Several():
            for part, one in enumerate(document.documents):
                for text in document_texts(one):
                    yield text._replace(part=part)


def as_printed(section: Section) -> list[str]:
    """A section's lines with its heading; the number of a statute's article stands before its text."""
    if section.paragraphs and is_statute_article(section):
        return [f"{section.heading} {section.paragraphs[0]}", *section.paragraphs[1:]]
    return [section.heading, *section.paragraphs]


def pieces_of(lines: list[str], longest: int) -> Iterator[str]:
    """The lines in pieces of at most `longest` characters, a longer line alone; newlines join them to the text."""
    held: list[str] = []
    size = 0
    for line in "\n".join(lines).split("\n"):
        if held and size + len(line) > longest:
            yield "\n".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line) + 1
    if held:
        yield "\n".join(held)
