"""question_passage: a question with the passage that holds its answer."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.extract.pair import Limits, Pair
from cmtp.sources.document import Reading


def question_passage(document: Reading, limits: Limits) -> Iterator[Pair]:
    """Each question with its context; of one that must be cut, the piece that holds the answer (else the first)."""
    for part, context in enumerate(document.contexts):
        pieces = limits.cut(context.text)
        for question, answer in context.questions:
            piece = next((piece for piece in pieces if answer and answer in piece), pieces[0])
            yield Pair("question_passage", question, piece, part=part)
