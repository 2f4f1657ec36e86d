"""Reads rows for training from the tables of a build, without the held-out documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.errors import UsageError
from cmtp.relations import RELATIONS
from cmtp.shards.held_out import BLOCK_ROWS, Split, build_split, pair_table, table_files
from cmtp.train.batches import RowBlock, TrainRow, text_hash
from cmtp.train.settings import FinetuneSettings, WeakSettings

SENTENCE_ENDS = "。！？!?\n"

FINETUNE_COLUMNS = ["pair_id", "query", "pos", "neg", "pos_scores", "neg_scores"]
FINETUNE_COLUMNS += ["instruction", "task", "relation", "source"]
"""Columns of finetune/ that are read."""


@dataclass(frozen=True)
class Corpus:
    """A build to train on."""

    shards: str
    held_out: Split
    """The documents that are left out, if the build has not held out documents itself."""

    def count(self, table: str) -> int:
        """Rows of a table, held-out ones included."""
        return sum(pq.ParquetFile(file).metadata.num_rows for file in table_files(self.shards, table))

    def texts(self) -> Iterator[str]:
        """The texts of pretrain/ and the queries of pairs/, for a vocabulary."""
        for file in table_files(self.shards, "pretrain"):
            for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS, columns=["doc_id", "text"]):
                yield from block.filter(self._trained_on(block["doc_id"]))["text"].to_pylist()
        for file in table_files(self.shards, "pairs"):
            for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS, columns=["doc_id", "query"]):
                yield from block.filter(self._trained_on(block["doc_id"]))["query"].to_pylist()

    def pretrain(self, characters: int) -> Iterator[RowBlock]:
        """Rows of pretrain/, cut into windows of at most `characters`."""
        for file in table_files(self.shards, "pretrain"):
            for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS // 8, columns=["doc_id", "text"]):
                texts = block.filter(self._trained_on(block["doc_id"]))["text"].to_pylist()
                yield [TrainRow(window) for text in texts for window in windows(text, characters)]

    def weak(self, settings: WeakSettings) -> Iterator[RowBlock]:
        """Rows of pairs/."""
        columns = ["doc_id", "query", "passage", "source", "relation"]
        for file in table_files(self.shards, "pairs"):
            for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS, columns=columns):
                block = block.filter(self._trained_on(block["doc_id"]))
                yield [
                    TrainRow(
                        row["query"],
                        (row["passage"],),
                        in_batch=row["relation"] not in settings.no_in_batch,
                        group=_group(settings.within, row["source"], RELATIONS[row["relation"]].task),
                    )
                    for row in block.to_pylist()
                ]

    def finetune(self, settings: FinetuneSettings, epoch: int, seed: int) -> Iterator[RowBlock]:
        """Rows of finetune/, each with `negatives` of its negatives, drawn anew in every epoch."""
        # not a polars frame: the workers of a loader are forked, and in a forked process polars waits forever
        held = pair_table(self.shards, ["pair_id", "passage"], self.held_out, held_out=True)
        held_ids = set(held["pair_id"].to_pylist())
        held_texts = {text_hash(text) for text in held["passage"].to_pylist()}
        for file in table_files(self.shards, "finetune"):
            for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS // 8, columns=FINETUNE_COLUMNS):
                rows = [row for row in block.to_pylist() if row["pair_id"] not in held_ids]
                yield [
                    finetune_row(row, settings, held_texts, Random(f"{seed}/{epoch}/{row['pair_id']}")) for row in rows
                ]

    @cached_property
    def _held_out_by_build(self) -> bool:
        return build_split(self.shards) is not None

    def _trained_on(self, doc_ids: pa.Array) -> pa.Array:
        """Which documents the stages may see: [n] bool."""
        if self._held_out_by_build:
            return pa.array(np.ones(len(doc_ids), bool))  # the tables hold no others
        return pa.array(~self.held_out.holds(doc_ids))


def finetune_row(row: dict[str, object], settings: FinetuneSettings, held_texts: set[int], random: Random) -> TrainRow:
    """A training row of a row of finetune/, or of a file with the same columns.

    Args:
        row: the columns FINETUNE_COLUMNS.
        settings: of the stage.
        held_texts: hashes of passages of held-out documents, which are never negatives, nor further positives.
        random: draws the positive and the negatives.

    Raises:
        UsageError: there is no positive, or a list of scores has another length than its texts.
    """
    pos, neg = _texts(row, "pos"), _texts(row, "neg")
    if not pos:
        raise UsageError(f"finetune row {row.get('pair_id')}: no positive passage")
    pos_scores, neg_scores = _scores(row, "pos_scores", len(pos)), _scores(row, "neg_scores", len(neg))
    usable = [i for i, text in enumerate(neg) if text_hash(text) not in held_texts and text not in pos]
    drawn = sorted(random.sample(usable, min(settings.negatives, len(usable))))
    positives = [0, *(i for i, text in enumerate(pos) if i and text_hash(text) not in held_texts)]
    first = positives[random.randrange(len(positives))]
    relation = str(row["relation"])
    return TrainRow(
        str(row["query"]),
        pos=(pos[first],),
        neg=tuple(neg[i] for i in drawn),
        pos_scores=tuple(pos_scores[first : first + 1]),
        neg_scores=tuple(neg_scores[i] for i in drawn if neg_scores),
        instruction=str(row.get("instruction") or "") if settings.instruction else "",
        in_batch=relation not in settings.no_in_batch,
        group=_group(settings.within, str(row["source"]), str(row["task"])),
    )


def _texts(row: dict[str, object], name: str) -> list[str]:
    """A list of texts. A string is a list of one text, not of its characters."""
    value = row.get(name)
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(f"finetune row {row.get('pair_id')}: {name} is not a list of texts")
    return value


def _scores(row: dict[str, object], name: str, texts: int) -> list[float]:
    value = row.get(name) or []
    if not isinstance(value, list) or (value and len(value) != texts):
        raise UsageError(f"finetune row {row.get('pair_id')}: {name} does not hold one score per text")
    return value


def _group(within: str, source: str, task: str) -> str:
    return {"source": f"{task}/{source}", "task": task, "all": ""}[within]


def windows(text: str, characters: int) -> Iterator[str]:
    """Cut a document into pieces of at most `characters`, at a sentence end if the second half of a piece has one.

    A WordPiece token covers at least one character, so a window of n characters never has more than n tokens.
    """
    start = 0
    while len(text) - start > characters:
        half = start + characters // 2
        end = max(text.rfind(mark, half, start + characters) for mark in SENTENCE_ENDS) + 1
        end = end or start + characters
        yield text[start:end]
        start = end
    if text[start:].strip():
        yield text[start:]
