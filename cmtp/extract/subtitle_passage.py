"""subtitle_passage: every sub-heading with its own text."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.sources.document import Article

SEPARATOR = " › "
"""Between the headings of a path: 标题 › 小节."""


def subtitle_passage(article: Article, limits: Limits) -> Iterator[Pair]:
    """Each heading with the text up to the next; with `heading_path` the query carries the headings above it."""
    above: list[tuple[int, str]] = []
    for section in article.sections:
        while above and above[-1][0] >= section.level:
            above.pop()
        above.append((section.level, section.heading))
        if not section.paragraphs:
            continue
        query = section.heading
        if limits.heading_path:
            path = [article.title, *(heading for _, heading in above)] if article.title else [h for _, h in above]
            query = SEPARATOR.join(dict.fromkeys(path))
        yield from passages("subtitle_passage", query, "\n".join(section.paragraphs), limits)
