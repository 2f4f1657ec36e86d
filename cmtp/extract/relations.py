"""Documents to pairs: one function per structure of a document, in the order in which `pairs_of` asks for them.

=================  ==========================================  =================================================
document           query                                       passage
=================  ==========================================  =================================================
Article            its title                                   the summary, where it has one (title_abstract)
Article            its title                                   the text that opens it (title_body)
Article            what names each heading, see `headings`     the text below that heading (subtitle_passage)
Article            a question, see `statute_queries`           an article of a statute (subtitle_passage)
QuestionAnswers    the question or instruction                 each answer (question_answer)
Reading            each question                               the passage it was asked about (question_passage)
Abstract           the paper's title                           its abstract (title_abstract)
QueryDocuments     the search query                            each document that answers it (query_document)
JudgedPassage      each query it was judged for                the passage (query_document)
TextPair           the first text                              the second text (the relation that the record names)
=================  ==========================================  =================================================

A text that is longer than `max_passage_chars` is cut into several passages. Of those below a title or heading,
`max_title_passages` are pairs, the one that carries the title's words first. A pair that a label, a limit or its query
sets aside has a reason, and becomes a row of the rejects. Its text stays in the document's own text (`texts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from cmtp.extract.headings import ADDRESS_QUERY, AMBIGUOUS_HEADING, HEADING_SEPARATOR, HeadingQuery, heading_queries
from cmtp.extract.settings import ExtractSettings
from cmtp.extract.statute import is_statute_article, split_statute
from cmtp.extract.statute_queries import statute_question
from cmtp.extract.texts import as_printed
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

TITLE_PASSAGE: Final = "title_passage"
"""Reason of a text below a heading that is, for the most part, the passage of the title already."""

_NO_LETTER: Final = re.compile(r"[\W_]+")


class Pair(NamedTuple):
    """A query with its passage.

    Attributes:
        relation: a name of `cmtp.relations.RELATIONS`.
        query: title, heading or question.
        passage: the text that belongs to it.
        number: rank of the passage among those of its query, from 0, the best one first. From `max_passages` on, below
            a title from `max_title_passages` on, the pair is rejected.
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
    """All pairs of a document as it was read, in reading order."""
    return pairs_of_prepared(prepared(document), settings)


def prepared(document: Document) -> Document:
    """The document as its pairs and its text are made of it: articles of statutes apart, the title once."""
    match document:
        case Article():
            return split_statute(without_repeated_title(document))
        case Several():
            parts = [part for one in document.documents if not isinstance(part := prepared(one), Several)]
            return Several(document.origin, document.source, parts)
    return document


def pairs_of_prepared(document: Document, settings: ExtractSettings) -> Iterator[Pair]:
    """All pairs of a document that `prepared` gave, in reading order."""
    match document:
        case Article():
            if document.summary and document.title:
                yield from _each_passage("title_abstract", document.title, document.summary, settings)
            yield from _title_and_headings(document, settings)
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
                for pair in pairs_of_prepared(one, settings):
                    yield pair._replace(part=part)


def _cut(text: str, settings: ExtractSettings) -> list[str]:
    """The text as passages."""
    return cut_passages(text, settings.max_passage_chars, settings.min_passage_chars)


def _each_passage(relation: str, query: str, text: str, settings: ExtractSettings, first: int = 0) -> Iterator[Pair]:
    """The query with each passage of the text, numbered from `first`; below a title the best passage is number 0."""
    passages = _cut(text, settings)
    if RELATIONS[relation].query != "title":
        for number, passage in enumerate(passages, first):
            yield Pair(relation, query, passage, number)
        return
    best = _passage_of_title(query, passages)
    for place, passage in enumerate(passages):
        yield Pair(relation, query, passage, 0 if place == best else place + (place < best))


def _passage_of_title(title: str, passages: list[str]) -> int:
    """The first passage with at least half as many of the title's pairs of characters as any passage has."""
    if len(passages) < 2:
        return 0
    bare = _bare(title)
    pairs = {bare[at : at + 2] for at in range(len(bare) - 1)}
    counts = [sum(pair in text for pair in pairs) for text in map(str.lower, passages)]
    return next(place for place, count in enumerate(counts) if 2 * count >= max(counts))


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


def _title_and_headings(article: Article, settings: ExtractSettings) -> Iterator[Pair]:
    """The title with the text that opens the article, and what names each heading with the text below it.

    No text is a pair twice: a section that makes up half of the title's passage or more is set aside.
    """
    inside = None
    if article.title:
        lead = "\n".join(article.lead)
        if len(lead) >= settings.min_lead_chars or not article.sections:
            yield from _each_passage("title_body", article.title, lead, settings)
        else:
            opening, inside = _opening(article, settings)
            if opening:
                yield Pair("title_body", article.title, opening)
    questions = set[str]()
    headings = heading_queries(article, settings.heading_path)
    for place, (section, found) in enumerate(zip(article.sections, headings, strict=True)):
        if found is None:
            continue
        text = "\n".join(section.paragraphs)
        if found.reason == ADDRESS_QUERY:
            found = _statute_query(article.title, section.paragraphs, found, questions)
        elif place == inside:
            found = HeadingQuery(found.path, HEADING_SEPARATOR.join(found.path), TITLE_PASSAGE)
        for pair in _each_passage("subtitle_passage", found.query, text, settings):
            if found.reason:
                pair = pair._replace(reason=found.reason, evidence={"path": list(found.path)})
            yield pair


def _statute_query(title: str, paragraphs: list[str], address: HeadingQuery, taken: set[str]) -> HeadingQuery:
    """The question of a statute's article in place of its address; a question of the statute is asked once."""
    question = statute_question(title, paragraphs)
    if question is None:
        return address
    if question in taken:
        return replace(address, reason=AMBIGUOUS_HEADING)
    taken.add(question)
    return HeadingQuery(address.path, question)


def _opening(article: Article, settings: ExtractSettings) -> tuple[str, int | None]:
    """The passage of a title with a short lead, and the section that is most of it, None where none is.

    A lead shorter than `min_lead_chars` says too little. The text that follows joins it, headings included, up to one
    passage. A section that would be half of the passage or more ends it where the text before is long enough. Articles
    of a statute do not: few are pairs.
    """
    parts, size = list(article.lead), sum(len(paragraph) + 1 for paragraph in article.lead)
    largest: tuple[int, int | None] = (0, None)
    for place, section in enumerate(article.sections):
        lines = as_printed(section)
        added = min(sum(len(line) + 1 for line in lines), settings.max_passage_chars - size)
        if not is_statute_article(section):  # the articles of a statute are read one after the other
            is_most = 2 * added >= settings.max_passage_chars or place + 1 == len(article.sections)
            if is_most and added >= size >= settings.min_lead_chars:
                break
            if added > largest[0]:
                largest = (added, place)
        parts.extend(lines)
        size += added
        if size >= settings.max_passage_chars:
            break
    pieces = _cut("\n".join(parts), settings)
    if not pieces:
        return "", None
    lines = pieces[0].split("\n")
    headings = {section.heading for section in article.sections}
    while len(lines) > 1 and lines[-1] in headings:  # its text did not fit
        lines.pop()
    opening = "\n".join(lines)
    return opening, largest[1] if 2 * largest[0] >= len(opening) else None


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
