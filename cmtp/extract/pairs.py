"""Which extractors a document goes through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.extract.query_document import judged_passage, query_document
from cmtp.extract.question_answer import question_answer
from cmtp.extract.question_passage import question_passage
from cmtp.extract.statute import split_statute
from cmtp.extract.subtitle_passage import subtitle_passage
from cmtp.extract.text_pair import text_pair
from cmtp.extract.title_abstract import title_abstract
from cmtp.extract.title_body import title_body
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

_NO_LETTER: Final = re.compile(r"[\W_]+")


def pairs_of(document: Document, limits: Limits) -> Iterator[Pair]:
    """All pairs of a document, in reading order."""
    match document:
        case Article():
            article = split_statute(without_repeated_title(document))
            if article.summary and article.title:
                yield from passages("title_abstract", article.title, article.summary, limits)
            yield from title_body(article, limits)
            yield from subtitle_passage(article, limits)
        case QuestionAnswers():
            yield from question_answer(document, limits)
        case Reading():
            yield from question_passage(document, limits)
        case Abstract():
            yield from title_abstract(document, limits)
        case QueryDocuments():
            yield from query_document(document, limits)
        case JudgedPassage():
            yield from judged_passage(document, limits)
        case TextPair():
            yield from text_pair(document, limits)
        case Several():
            for part, one in enumerate(document.documents):
                for pair in pairs_of(one, limits):
                    yield pair._replace(part=part)


def without_repeated_title(article: Article) -> Article:
    """The article without a first line, or headings, that only repeat its title: they would give the answer away.

    Where there is nothing else, it stays: that the title is all there is, dedup says (query_equals_passage).
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
