"""What a recipe says about the files of a source: its name, and which fields hold the query and the passage."""

from __future__ import annotations

from pydantic import RootModel, model_validator

from cmtp.relations import RELATIONS
from cmtp.settings import Settings


class SourceMapping(Settings):
    """How to read files whose layout is not recognised by itself, or what to call a source."""

    files: str
    """Glob on the path relative to the raw folder, for example ``forum/*.jsonl``."""
    name: str | None = None
    """Name of the source; None: derived from the path."""
    relation: str | None = None
    """One of the relations; None: recognised from the fields."""
    query: str | None = None
    """Field that holds the query."""
    passage: str | None = None
    """Field that holds the passage."""
    label: str | None = None
    """Field that says whether the two belong together: 1 or 0, a grade from 0 to 5, or entailment, neutral and
    contradiction. Pairs that do not are set aside as ``labelled_negative`` or ``labelled_uncertain``."""

    @model_validator(mode="after")
    def _complete(self) -> SourceMapping:
        given = [self.relation, self.query, self.passage]
        if any(given) and not all(given):
            raise ValueError("relation, query and passage go together: give all three, or none")
        if self.label is not None and self.relation is None:
            raise ValueError("label needs relation, query and passage beside it")
        if self.relation is not None and self.relation not in RELATIONS:
            raise ValueError(f"relation {self.relation!r} is not one of {', '.join(RELATIONS)}")
        return self


class SourceMappings(RootModel[list[SourceMapping]]):
    """Names and field mappings for files that are not recognised by themselves; the first match wins."""

    root: list[SourceMapping] = []
