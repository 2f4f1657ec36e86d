"""What readers give: documents with a known structure, and records that could not be read.

Every document carries its origin (``path#record``, in archives ``archive!member#record``) and the name of its source.
Text is already clean (`cmtp.text.clean`) and free of markup.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Section:
    """A heading with the text up to the next heading of any level.

    Attributes:
        level: 1 is the outermost; a section belongs to the nearest one before it with a lower level.
        heading: the heading's text.
        paragraphs: the section's own text, without its sub-sections.
    """

    level: int
    heading: str
    paragraphs: list[str]


@dataclass(slots=True)
class Article:
    """A title with text: news, an encyclopedia entry, a Markdown file, a statute, a poem.

    Attributes:
        title: empty where the document has none but its headings can stand alone.
        lead: paragraphs before the first heading.
        sections: in reading order.
        summary: what the article says in brief, where it is given beside the text.
    """

    origin: str
    source: str
    title: str
    lead: list[str]
    sections: list[Section] = field(default_factory=list)
    summary: str = ""


@dataclass(slots=True)
class Abstract:
    """A paper's title and abstract."""

    origin: str
    source: str
    title: str
    text: str


@dataclass(slots=True)
class QuestionAnswers:
    """A question (or an instruction) and its answers, best first."""

    origin: str
    source: str
    question: str
    answers: list[str]


@dataclass(slots=True)
class Context:
    """A passage people asked questions about.

    Attributes:
        text: the passage.
        questions: (question, first answer; empty where it has none).
    """

    text: str
    questions: list[tuple[str, str]]


@dataclass(slots=True)
class Reading:
    """Reading comprehension: the passages of one article with their questions."""

    origin: str
    source: str
    contexts: list[Context]


@dataclass(slots=True)
class QueryDocuments:
    """A search query, the documents that answer it, and those that people or a miner said do not."""

    origin: str
    source: str
    query: str
    documents: list[str]
    negatives: list[str] = field(default_factory=list)


@dataclass(slots=True)
class JudgedPassage:
    """A passage of a collection, with the queries that people judged it for.

    Attributes:
        queries: (query, label as it stands in the judgements, why the pair is no positive; empty where it is one).
    """

    origin: str
    source: str
    text: str
    queries: list[tuple[str, str, str]]


@dataclass(slots=True)
class TextPair:
    """Two texts that belong together, or that a label says do not.

    Attributes:
        relation: one of schema.RELATIONS.
        label: as it stands in the record; None where there is none.
        verdict: why the pair is no positive (`labels.NEGATIVE` or `labels.UNCERTAIN`); empty where it is one.
        negatives: further texts that do not belong to the query.
    """

    origin: str
    source: str
    relation: str
    query: str
    passage: str
    label: str | None = None
    verdict: str = ""
    negatives: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Broken:
    """A record, or with record 0 a whole file, that gave no document.

    Attributes:
        reason: one of those that docs/sources.md explains.
        evidence: JSON values: what was seen and what would help.
        relation: where the layout was known.
        query: what could be read of it, else None.
        passage: what could be read of it, else None.
    """

    origin: str
    source: str
    reason: str
    evidence: dict[str, Any]
    relation: str | None = None
    query: str | None = None
    passage: str | None = None


@dataclass(slots=True)
class Several:
    """Documents of one record, such as the two language halves of an instruction."""

    origin: str
    source: str
    documents: list[Article | Abstract | QuestionAnswers | Reading | QueryDocuments | JudgedPassage | TextPair]


Document = Article | Abstract | QuestionAnswers | Reading | QueryDocuments | JudgedPassage | TextPair | Several
