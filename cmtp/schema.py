"""Every table that crosses a boundary, as an Arrow schema with its meaning.

Stages hand each other `PAIR` partitions (what they kept) and `REJECT` partitions (what they did not). The final tables
are `PAIRS`, `FINETUNE`, `PRETRAIN` and `REJECTS`. All text is UTF-8 and never null unless the comment says so.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import pyarrow as pa

Side: TypeAlias = Literal["query", "passage"]
"""One of the two texts of a pair, by the name of its column."""

SIDES: Final[tuple[Side, Side]] = ("query", "passage")

_DICT: Final = pa.dictionary(pa.int32(), pa.string())


def _field(name: str, kind: pa.DataType, meaning: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


_IDENTITY: Final = [
    _field("pair_id", pa.string(), "xxh3-128 of origin, relation and ordinal, 32 hex digits"),
    _field("query", pa.string(), "title, heading or question"),
    _field("passage", pa.string(), "the text that belongs to the query"),
]
_PROVENANCE: Final = [
    _field("doc_id", pa.string(), "xxh3-128 of the document's origin, 32 hex digits; pairs of one document share it"),
    _field("origin", pa.string(), "relative/path#record, in archives archive!member#record; records count from 1"),
]

PAIR: Final = pa.schema(
    [
        *_IDENTITY,
        _field("relation", _DICT, "one of RELATIONS"),
        _field("source", _DICT, "name of the source the file belongs to"),
        *_PROVENANCE,
        _field("position", pa.int32(), "rank of the pair among the pairs of its document, from 0, in reading order"),
        _field("similarity", pa.float32(), "cosine of query and passage; null if not scored", nullable=True),
        _field(
            "score",
            pa.float32(),
            "what the pair was judged by, in standard deviations of shuffled pairs; with a threshold the cosine; null "
            "if not scored",
            nullable=True,
        ),
        _field(
            "posterior",
            pa.float32(),
            "estimated probability that the passage does not belong to the query; null where nothing is estimated",
            nullable=True,
        ),
    ]
)
"""The partitions that stages hand on."""

SCORES: Final = ("similarity", "score", "posterior")
"""Columns of a pair that the similarity stage fills in."""

PAIRS: Final = pa.schema([field for field in PAIR if field.name != "position"])
"""The final table of weakly related pairs."""

REJECTS: Final = pa.schema(
    [
        _field("pair_id", pa.string(), "as in pairs; for a record that gave no pair, a hash of its origin and reason"),
        _field("query", pa.string(), "null where no query could be read", nullable=True),
        _field("passage", pa.string(), "null where no passage could be read", nullable=True),
        _field("relation", _DICT, "null where none was found", nullable=True),
        _field("source", _DICT, "as in pairs"),
        *_PROVENANCE,
        _field("stage", pa.string(), "the stage that rejected the row"),
        _field("reason", _DICT, "name of the rule that rejected the row"),
        _field("evidence", pa.string(), "JSON object: what was seen, measured and allowed"),
        _field("score", pa.float32(), "the number the verdict rests on, where there is one", nullable=True),
        _field("kept_id", pa.string(), "pair_id of the row this one lost to", nullable=True),
    ]
)
"""The rows that a stage rejected, with the reason."""

FINETUNE: Final = pa.schema(
    [
        _field("pair_id", pa.string(), "pair the row was made from"),
        _field("query", pa.string(), "as in pairs, without instruction"),
        _field(
            "pos",
            pa.list_(pa.string()),
            "passages that belong to the query: first that of the pair, then others of its pool by score",
        ),
        _field("neg", pa.list_(pa.string()), "negative passages, hardest first"),
        _field(
            "pos_scores", pa.list_(pa.float32()), "cosine of the query with each positive, or the cross-encoder's score"
        ),
        _field(
            "neg_scores", pa.list_(pa.float32()), "cosine of the query with each negative, or the cross-encoder's score"
        ),
        _field("neg_ranks", pa.list_(pa.int32()), "rank of each negative in the search, from 1; -1 where not searched"),
        _field("neg_kinds", pa.list_(pa.string()), "mined (by the encoder), bm25, curated or random"),
        _field("instruction", pa.string(), "to be put before the query; empty for symmetric tasks"),
        _field("task", _DICT, "retrieval or symmetric"),
        _field("relation", _DICT, "as in pairs"),
        _field("source", _DICT, "as in pairs"),
    ]
)
"""Rows for instruction finetuning with hard negatives."""

TEXTS: Final = pa.schema(
    [
        _field("doc_id", pa.string(), "as in pairs; the rows of a document follow each other in reading order"),
        _field("text", pa.string(), "a piece of the document's text; joined by newlines they are the whole"),
        _field("relation", _DICT, "relation of the document's pairs, whose limits the filter applies"),
        _field("source", _DICT, "as in pairs"),
    ]
)
"""What extract gives for pretraining besides pairs: the documents' own text."""

PRETRAIN: Final = pa.schema(
    [
        _field("doc_id", pa.string(), "as in pairs"),
        _field("text", pa.string(), "the document's text in reading order, headings included, private data masked"),
        _field("source", _DICT, "as in pairs"),
    ]
)
"""Plain texts for RetroMAE pretraining."""
