"""Settings of the extract stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cmtp.settings import Settings
from cmtp.sources.mapping import SourceMapping


class ExtractSettings(Settings):
    """Raw files to pairs."""

    max_passage_chars: Annotated[int, Field(ge=50)] = 1000
    """Longest passage in characters; about what 512 tokens of a Chinese BERT hold. Longer text is cut at paragraph or
    sentence ends into several passages."""
    min_passage_chars: Annotated[int, Field(ge=1)] = 2
    """A passage shorter than this is not worth a row of its own: it joins its neighbour where there is one."""
    max_passages: Annotated[int, Field(ge=1)] = 3
    """Passages per question or search query; further ones are rejected as ``over_max_passages``."""
    max_title_passages: Annotated[int, Field(ge=1)] = 1
    """Passages per title or heading, of a long text the first that carries the title's words. Further ones seldom
    belong to it: they are rejected as ``over_max_passages``, and pretrain/ has them. C-MTP took one per title."""
    max_answers: Annotated[int, Field(ge=1)] = 3
    """Answers per question, the accepted one and those with most votes first; further ones are rejected as
    ``over_max_answers``."""
    max_negatives: Annotated[int, Field(ge=0)] = 8
    """Passages judged not to answer a query that are read per query of a collection in several files (cMedQA v2 and MS
    MARCO list hundreds); the first ones."""
    language: Literal["zh", "en", "any"] = "any"
    """Which half of records that hold both languages is read (``zh_instruction`` and ``en_instruction``); any: both, so
    that what goes, goes with a reason: whether a pair in another language is kept is the filter's setting."""
    min_lead_chars: Annotated[int, Field(ge=0)] = 50
    """A shorter text between title and first sub-heading is joined by the text that follows, up to one passage."""
    heading_path: bool = True
    """A heading's query carries the title where the heading does not name its text alone, and as many of the headings
    between as tell it from others of the document. Off: the heading alone."""
    task_bytes: Annotated[int, Field(ge=1 << 16)] = 8 << 20
    """Raw bytes per task: larger JSONL and Parquet files are split, smaller files are read together."""


class ExtractWork(ExtractSettings):
    """What the tasks of the extract stage are given."""

    mappings: list[SourceMapping]
    """The recipe's ``sources``."""
    strict: bool
    """Whether the first broken record ends the build."""
    format_origins: dict[str, str]
    """Where formats of other packages come from (`Registry.origins`), so that another version reads the files anew."""
