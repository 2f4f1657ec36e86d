"""Settings of the hold-out and of the final tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cmtp.filters.settings import FilterWork
from cmtp.settings import Settings

DEFAULT_SHARE = 0.01
"""Share of the documents that a build holds out by itself."""

MANY_DOCUMENTS = 5_000
"""Documents from which a build holds some out by itself: a hundredth of fewer is too few to search in."""


class EvalSettings(Settings):
    """Documents that are kept out of training, so that a model can be scored on them."""

    share: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share of the documents, by a seeded hash; documents with a query in common go together. Their pairs are in
    rejects/eval, and in no other table: neither pairs, nor finetune or its negatives, nor pretrain. The pairs called
    ``held_out`` are searched; those whose query or passage stands in training too are called ``held_out_known``. None:
    a hundredth, in a build of 5,000 documents or more. 0: none; the trainer then leaves out a share of its own."""
    seed: int = 1
    """Chooses the documents; another seed holds out other documents."""

    def share_of(self, documents: int) -> float:
        """The share of so many documents that is held out."""
        if self.share is None:
            return DEFAULT_SHARE if documents >= MANY_DOCUMENTS else 0.0
        return self.share


class ShardSettings(Settings):
    """The final tables."""

    shard_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    """Approximate number of uncompressed bytes per Parquet file."""
    min_pretrain_chars: Annotated[int, Field(ge=1)] = 64
    """Shorter texts are not written to pretrain/, because RetroMAE learns nothing from a few words."""
    pretrain_copies: Annotated[float, Field(gt=0, le=1)] = 0.8
    """A text of pretrain/ is left out where this share of its characters, in whole paragraphs, stands in one longer
    text. Below 1, because copies differ in credits, dates and a sentence here or there."""


class TextWork(Settings):
    """What making the texts of pretrain/ is given.

    Attributes:
        filter: the filter's settings, whose rules for passages decide on each piece of a text.
        rejects: folder of dedup's rejects, where dedup compared with evaluation sets or older releases.
    """

    filter: FilterWork
    rejects: str | None


class ShardWork(ShardSettings):
    """Settings of the tasks of the shard stage."""

    seed: int
    held_out: str | None
    """Folder of the eval stage, whose documents are kept out of pretrain/; None: the build holds none out."""
    texts: TextWork | None = None
    """How texts are made for pretrain/; None where only tables of rows are written."""
