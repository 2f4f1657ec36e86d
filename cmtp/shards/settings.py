"""Settings of the hold-out and of the final tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cmtp.settings import Settings


class EvalSettings(Settings):
    """Whole documents kept out of all that is trained on, to search in when a model is scored."""

    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the documents, by a seeded hash of their id. Their pairs are in rejects/eval as ``held_out``, and in no
    other table: neither pairs, nor finetune or its negatives, nor pretrain. 0: none; the trainer then leaves out a
    share of its own."""
    seed: int = 1
    """Another seed holds other documents out."""


class ShardSettings(Settings):
    """The final tables."""

    shard_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    """Uncompressed bytes per Parquet shard, about."""
    min_pretrain_chars: Annotated[int, Field(ge=1)] = 64
    """Shorter texts are not written to pretrain/: a text of a few words teaches RetroMAE nothing."""


class ShardWork(ShardSettings):
    """What the tasks of the shard stage are given."""

    seed: int
    held_out: EvalSettings | None
    """Which documents are kept out of pretrain/, if the build holds any out."""
