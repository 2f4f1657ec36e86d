"""How query and passage of a pair belong together: one row per relation. To add a relation, add a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Relation:
    """A relation, and what follows from it for the stages.

    Attributes:
        name: value of the column ``relation``.
        query: what the query is: a ``title`` or heading over the passage; a ``question``; a ``search`` of a few words;
            a ``topic``; a ``text`` of the same kind as the passage.
        symmetric: both sides are texts of one kind, so either may be the query and no retrieval instruction is needed.
        shares_passage: many queries were written for one passage. Dedup keeps them all.
        own_text: the query is running text that the passage does not repeat, so pretraining reads it too.
        labelled: people wrote the query for the passage, or judged that both belong together. Such pairs are finetuned
            on whole. The others are found by their place in a page or a file.
    """

    name: str
    query: Literal["title", "question", "search", "topic", "text"]
    symmetric: bool = False
    shares_passage: bool = False
    own_text: bool = False
    labelled: bool = False

    @property
    def task(self) -> Literal["retrieval", "symmetric"]:
        """The kind of finetuning task: ``symmetric`` for two texts of one kind, else ``retrieval``."""
        return "symmetric" if self.symmetric else "retrieval"

    @property
    def pool(self) -> str:
        """The pool of a source in which its passages are searched. Retrieval relations share one pool."""
        return self.name if self.symmetric else "retrieval"


_ROWS: Final = (
    Relation("title_body", "title"),
    Relation("title_abstract", "title"),
    Relation("subtitle_passage", "title"),
    Relation("question_answer", "question", own_text=True),
    Relation("question_passage", "question", shares_passage=True, labelled=True),
    Relation("similar_question", "question", symmetric=True, own_text=True, labelled=True),
    Relation("paraphrase", "text", symmetric=True, own_text=True, labelled=True),
    Relation("premise_hypothesis", "text", symmetric=True, own_text=True, labelled=True),
    Relation("topic_review", "topic", own_text=True),
    Relation("query_document", "search", shares_passage=True, labelled=True),
)

RELATIONS: Final = {relation.name: relation for relation in _ROWS}
"""All relations by name, in the order in which they are listed to a user."""


def relations_where(fits: Callable[[Relation], bool]) -> tuple[str, ...]:
    """Names of the relations that fit: ``relations_where(lambda relation: relation.query == "title")``."""
    return tuple(name for name, relation in RELATIONS.items() if fits(relation))


SYMMETRIC_RELATIONS: Final = relations_where(lambda relation: relation.symmetric)
"""Names of the relations between two texts of one kind."""
