"""Documents to pairs: one function per structure of a document, in the order in which `pairs_of` asks for them.

=================  ==========================================  =================================================
document           query                                       passage
=================  ==========================================  =================================================
Article            its title                                   the summary, where it has one (title_abstract)
Article            its title                                   the text that opens it (title_body)
Article            each heading, with those above it           the text below that heading (subtitle_passage)
QuestionAnswers    the question or instruction                 each answer (question_answer)
Reading            each question                               the passage it was asked about (question_passage)
Abstract           the paper's title                           its abstract (title_abstract)
QueryDocuments     the search query                            each document that answers it (query_document)
JudgedPassage      each query it was judged for                the passage (query_document)
TextPair           the first text                              the second text (the relation that the record names)
=================  ==========================================  =================================================

A text that is longer than `max_passage_chars` is cut into several passages. A pair that a label or a limit sets aside
has a reason, and becomes a row of the rejects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cmtp.extract.settings import ExtractSettings
from cmtp.extract.statute import is_statute_article, split_statute
from cmtp.relations import RELATIONS
from cmtp.sources.document import (
    Abstract,
    Article,
    Document,
    JudgedPassage,
    QueryDocuments,
    QuestionAnswers,
    Reading,
    Several,
    TextPair,
)
from cmtp.sources.labels import NEGATIVE
from cmtp.text.passages import cut_passages

HEADING_SEPARATOR: Final = " › "
"""Between the headings of a query: 标题 › 小节."""

_NO_LETTER: Final = re.compile(r"[\W_]+")


class Pair(NamedTuple):
    """A query with its passage.

    Attributes:
        relation: a name of `cmtp.relations.RELATIONS`.
        query: title, heading or question.
        passage: the text that belongs to it.
        number: rank of the passage among those of its query, from 0. From `max_passages` on the pair is rejected.
        part: number of the part of its record that counts as a document of its own; None where the record is one
            document.
        reason: why the pair is set aside; empty where it is kept.
        evidence: JSON value that goes with the reason.
    """

    relation: str
    query: str
    passage: str
    number: int = 0
    part: int | None = None
    reason: str = ""
    evidence: dict[str, Any] | None = None


def pairs_of(document: Document, settings: ExtractSettings) -> Iterator[Pair]:
    """All pairs of a document, in reading order."""
    match document:
        case Article():
            article = split_statute(without_repeated_title(document))
            if article.summary and article.title:
                yield from _each_passage("title_abstract", article.title, article.summary, settings)
            yield from _title_body(article, settings)
            yield from _subtitle_passage(article, settings)
        case QuestionAnswers():
            yield from _question_answer(document, settings)
        case Reading():
            yield from _question_passage(document, settings)
        case Abstract():
            yield from _each_passage("title_abstract", document.title, document.text, settings)
        case QueryDocuments():
            yield from _query_document(document, settings)
        case JudgedPassage():
            yield from _judged_passage(document, settings)
        case TextPair():
            yield from _text_pair(document, settings)
        case Several():
            for part, one in enumerate(document.documents):
                for pair in pairs_of(one, settings):
                    yield pair._replace(part=part)


def _cut(text: str, settings: ExtractSettings) -> list[str]:
    """The text as passages."""
    return cut_passages(text, settings.max_passage_chars, settings.min_passage_chars)


def _each_passage(relation: str, query: str, text: str, settings: ExtractSettings, first: int = 0) -> Iterator[Pair]:
    """The query with each passage of the text, numbered from `first`."""
    for number, passage in enumerate(_cut(text, settings), first):
        yield Pair(relation, query, passage, number)


def without_repeated_title(article: Article) -> Article:
    """The article without a first line, or headings, that only repeat its title: they would give the answer away.

    Where the article holds nothing else, the repetition stays. Dedup then rejects the pair as query_equals_passage.
    """
    bare = _bare(article.title)
    if not bare:
        return article
    for lines in (1, 2):  # a long title may be broken in two
        opening = "".join(article.lead[:lines])
        if len(article.lead) == lines and not article.sections:
            break
        if opening and len(opening) < 2 * len(article.title) and _bare(opening) == bare:
            article.lead = article.lead[lines:]
            break
    if article.sections and not article.lead and _bare(article.sections[0].heading) == bare:
        article.lead = article.sections[0].paragraphs
        article.sections = article.sections[1:]
    return article


def _bare(text: str) -> str:
    return _NO_LETTER.sub("", text).lower()


def _title_body(article: Article, settings: ExtractSettings) -> Iterator[Pair]:
    """The title with the lead, which is the text before the first heading.

    A lead shorter than `min_lead_chars` says too little. The text that follows joins it, headings included, up to one
    passage. The sections are pairs of their own besides.
    """
    if not article.title:
        return
    lead = "\n".join(article.lead)
    if len(lead) >= settings.min_lead_chars or not article.sections:
        yield from _each_passage("title_body", article.title, lead, settings)
        return
    parts, size = list(article.lead), len(lead)
    for section in article.sections:
        if is_statute_article(section) and section.paragraphs:
            parts.append(f"{section.heading} {section.paragraphs[0]}")
            parts.extend(section.paragraphs[1:])
        else:
            parts.extend([section.heading, *section.paragraphs])
        size += len(section.heading) + 1 + sum(len(paragraph) + 1 for paragraph in section.paragraphs)
        if size > settings.max_passage_chars:
            break
    pieces = _cut("\n".join(parts), settings)
    if pieces:
        lines = pieces[0].split("\n")
        headings = {section.heading for section in article.sections}
        while len(lines) > 1 and lines[-1] in headings:  # its text did not fit
            lines.pop()
        yield Pair("title_body", article.title, "\n".join(lines))


def _subtitle_passage(article: Article, settings: ExtractSettings) -> Iterator[Pair]:
    """Each heading with the text up to the next; with `heading_path` the query carries the headings above it."""
    above: list[tuple[int, str]] = []
    for section in article.sections:
        while above and above[-1][0] >= section.level:
            above.pop()
        above.append((section.level, section.heading))
        if not section.paragraphs:
            continue
        query = section.heading
        if settings.heading_path:
            path = [article.title, *(heading for _, heading in above)] if article.title else [h for _, h in above]
            query = HEADING_SEPARATOR.join(dict.fromkeys(path))
        yield from _each_passage("subtitle_passage", query, "\n".join(section.paragraphs), settings)


def _question_answer(document: QuestionAnswers, settings: ExtractSettings) -> Iterator[Pair]:
    """The question with each answer, best first.

    Passages over all answers count towards `max_passages`. Answers after the first `max_answers` are set aside.
    """
    number = 0
    for rank, answer in enumerate(document.answers, 1):
        for pair in _each_passage("question_answer", document.question, answer, settings, number):
            if rank > settings.max_answers:
                evidence = {"answer": rank, "max_answers": settings.max_answers}
                pair = pair._replace(reason="over_max_answers", evidence=evidence)
            yield pair
            number += 1


def _question_passage(document: Reading, settings: ExtractSettings) -> Iterator[Pair]:
    """Each question with its passage; of a long passage, the piece that holds the answer, else the first."""
    for part, context in enumerate(document.contexts):
        pieces = _cut(context.text, settings)
        for question, answer in context.questions:
            piece = next((piece for piece in pieces if answer and answer in piece), pieces[0])
            yield Pair("question_passage", question, piece, part=part)


def _query_document(document: QueryDocuments, settings: ExtractSettings) -> Iterator[Pair]:
    """The query with each document. Passages over all documents count towards `max_passages`.

    Documents that are given as negatives are set aside with their label. Of a negative that must be cut, only the first
    piece becomes a row.
    """
    number = 0
    for text in document.documents:
        for pair in _each_passage("query_document", document.query, text, settings, number):
            yield pair
            number += 1
    for text in document.negatives:
        for piece in _cut(text, settings)[:1]:
            yield _negative("query_document", document.query, piece)


def _judged_passage(document: JudgedPassage, settings: ExtractSettings) -> Iterator[Pair]:
    """Each query with the passage. Of a passage that must be cut and answers the query, every piece is a pair.

    Where people judged that the passage answers the query in part or not at all, its first piece is set aside with the
    label.
    """
    pieces = _cut(document.text, settings)
    for query, label, verdict in document.queries:
        if verdict:
            yield Pair("query_document", query, pieces[0], reason=verdict, evidence={"label": label})
            continue
        for number, piece in enumerate(pieces):
            yield Pair("query_document", query, piece, number)


def _text_pair(document: TextPair, settings: ExtractSettings) -> Iterator[Pair]:
    """The two texts of a record. The passage is cut unless both sides are texts of one kind.

    A pair whose label says that the texts do not belong together is set aside with that label, and so are the texts
    given as negatives.
    """
    relation, query = document.relation, document.query
    pairs = (
        [Pair(relation, query, document.passage)]
        if RELATIONS[relation].symmetric
        else _each_passage(relation, query, document.passage, settings)
    )
    for pair in pairs:
        if document.verdict:
            pair = pair._replace(reason=document.verdict, evidence={"label": document.label})
        yield pair
    for text in document.negatives:
        yield _negative(relation, query, text)


def _negative(relation: str, query: str, text: str) -> Pair:
    """A text that its record gives as a negative of the query."""
    return Pair(relation, query, text, reason=NEGATIVE, evidence={"label": "negative"})
