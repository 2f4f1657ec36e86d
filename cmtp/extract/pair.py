"""A pair as an extractor gives it, and the cutting of its passage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from cmtp.extract.settings import ExtractSettings
from cmtp.text.passages import cut_passages


class Pair(NamedTuple):
    """A query with its passage.

    Attributes:
        relation: one of schema.RELATIONS.
        query: title, heading or question.
        passage: the text that belongs to it.
        number: rank of the passage among those of its query, from 0; from `max_passages` on the pair is rejected.
        part: number of the part of its record that counts as a document of its own; None where that is the record.
        reason: why the pair is set aside; empty where it is not.
        evidence: JSON value that goes with the reason.
    """

    relation: str
    query: str
    passage: str
    number: int = 0
    part: int | None = None
    reason: str = ""
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True)
class Limits:
    """The settings of the extract stage that extractors need; see `ExtractSettings`."""

    max_passage_chars: int
    min_passage_chars: int
    max_passages: int
    max_answers: int
    min_lead_chars: int
    heading_path: bool

    @classmethod
    def of(cls, settings: ExtractSettings) -> Limits:
        """The limits among the settings of the stage."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})

    def cut(self, text: str) -> list[str]:
        """The text as passages."""
        return cut_passages(text, self.max_passage_chars, self.min_passage_chars)


def passages(relation: str, query: str, text: str, limits: Limits, first: int = 0) -> Iterator[Pair]:
    """The query with each passage of the text."""
    for number, passage in enumerate(limits.cut(text), first):
        yield Pair(relation, query, passage, number)
