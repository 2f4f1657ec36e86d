"""title_abstract: a paper's title with its abstract."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair, passages
from cmtp.sources.document import Abstract


def title_abstract(paper: Abstract, limits: Limits) -> Iterator[Pair]:
    """The title with the abstract."""
    yield from passages("title_abstract", paper.title, paper.text, limits)
