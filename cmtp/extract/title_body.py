"""title_body: a title with the text that opens the article."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.extract.statute import is_statute_article
from cmtp.sources.document import Article


def title_body(article: Article, limits: Limits) -> Iterator[Pair]:
    """The title with the lead, the text before the first sub-heading.

    A lead shorter than `min_lead_chars` is no summary of anything: the text that follows joins it, headings included,
    up to one passage (the sections are pairs of their own).
    """
    if not article.title:
        return
    lead = "\n".join(article.lead)
    if len(lead) >= limits.min_lead_chars or not article.sections:
        yield from passages("title_body", article.title, lead, limits)
        return
    parts, size = list(article.lead), len(lead)
    for section in article.sections:
        if is_statute_article(section) and section.paragraphs:
            parts.append(f"{section.heading} {section.paragraphs[0]}")
            parts.extend(section.paragraphs[1:])
        else:
            parts.extend([section.heading, *section.paragraphs])
        size += len(section.heading) + 1 + sum(len(paragraph) + 1 for paragraph in section.paragraphs)
        if size > limits.max_passage_chars:
            break
    pieces = limits.cut("\n".join(parts))
    if pieces:
        lines = pieces[0].split("\n")
        headings = {section.heading for section in article.sections}
        while len(lines) > 1 and lines[-1] in headings:  # its text did not fit
            lines.pop()
        yield Pair("title_body", article.title, "\n".join(lines))
