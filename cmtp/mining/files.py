"""The mine stage's files: a folder per pool with a file per partition, and vectors in fp16 in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from cmtp.columns import codes_in, distinct, vectors_of
from cmtp.engine.store import Store
from cmtp.mining import dense
from cmtp.mining.pool import Pool, chance_cosines, large_strings, lowest, mean_of
from cmtp.order import order_keys

Kind = Literal["pools", "queries", "copies", "curated", "blocks", "found"]
"""What there is of a pool: its passages, the pairs drawn to search it, where else dedup found its passages, negatives
that its source labelled; the queries in blocks, in order of their keys; and what each block found."""

POOL_COLUMNS = ["pair_id", "query", "passage", "doc_id"]
"""Columns of ``pools``, beside ``vector`` and ``score`` (cosine of query and passage)."""

QUERY_COLUMNS = ["pair_id", "query", "passage", "relation", "source", "doc_id", "similarity"]
"""Columns of ``queries`` and ``blocks``, beside ``labelled``, ``vector`` (the query's), ``positive`` (the passage's
vector) and ``score``."""

FOUND_ROWS = "neg_rows"
"""Column of ``found`` beside those of FINETUNE and ``labelled``: rows of the pool, one per negative."""

COPY_COLUMNS = ["kept_id", "query", "doc_id"]
"""Columns of ``copies``: the pair whose passage it was found to repeat, and the query and document that it had."""

CURATED_COLUMNS = ["query", "passage"]
"""Columns of ``curated``."""

_OWNERS = pa.schema([("query", pa.string()), ("doc_id", pa.string()), ("row", pa.int64())])
"""A row of a pool, and a query and a document that its passage belongs to."""


@dataclass(frozen=True)
class PoolFiles:
    """The files of one pool.

    Attributes:
        store: the build.
        folder: of the mine stage.
        number: the pool's, in order of their names.
    """

    store: Store
    folder: str
    number: int

    def path(self, kind: Kind, index: int) -> str:
        """Path of what partition `index` has of the pool."""
        return f"{self.folder}/{kind}/{self.number:05d}/part-{index:05d}.parquet"

    @property
    def centre_path(self) -> str:
        """Path of the mean of the vectors of all queries."""
        return f"{self.folder}/centres/{self.number:05d}.parquet"

    @property
    def index_path(self) -> str:
        """Path of the inverted lists."""
        return f"{self.folder}/indices/{self.number:05d}.faiss"

    def paths(self, kind: Kind) -> Sequence[str]:
        """Paths of what there is, in order of the partitions."""
        return self.store.list(f"{self.folder}/{kind}/{self.number:05d}")

    def count(self, kind: Kind) -> int:
        """Rows of all partitions."""
        return sum(map(self.store.rows, self.paths(kind)))

    def tables(self, kind: Kind, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """What there is, one partition after the other."""
        for path in self.paths(kind):
            yield self.store.read_table(path, columns)

    def vectors(self) -> Iterator[np.ndarray]:
        """The passages' vectors, one partition after the other: [·, dim] float32."""
        for table in self.tables("pools", ["vector"]):
            yield vectors_of(table["vector"], np.float32)


def read_pool(files: PoolFiles, exact_rows: int, seed: int) -> Pool:
    """A pool.

    Args:
        files: the pool's.
        exact_rows: rows of the pool beyond which its vectors lie in inverted lists.
        seed: the recipe's, of the rows that the centre is the mean of.
    """
    rows = pa.concat_tables(files.tables("pools", POOL_COLUMNS))
    passages, row, first = distinct(large_strings(rows["passage"]))
    if rows.num_rows > exact_rows:
        vectors: dense.VectorIndex = dense.Lists(dense.load(files.store, files.index_path), row, first)
    else:
        held = _in_one_piece(files.vectors(), rows.num_rows)
        vectors = dense.Matrix(held if len(first) == len(held) else held[first])
    owners = [rows.select(["query", "doc_id"]).append_column("row", pa.array(row)).cast(_OWNERS)]
    owners += [_owners_elsewhere(copies, rows["pair_id"], row) for copies in files.tables("copies")]
    sample = vectors.take(row[lowest(order_keys(rows["pair_id"], seed))])
    centre = mean_of(sample)
    name = f"{files.store.root}/{files.folder}/{files.number}"
    return Pool.of(passages, vectors, pa.concat_tables(owners), centre, name, chance_cosines(sample, centre))


def _owners_elsewhere(copies: pa.Table, ids: pa.ChunkedArray, row: np.ndarray) -> pa.Table:
    """Queries and documents of the copies of a pool's passages; `row` is the pool's row of each pair."""
    pair = codes_in(copies["kept_id"], ids.combine_chunks())
    there = pa.array(pair >= 0)
    owners = copies.select(["query", "doc_id"]).filter(there)
    return owners.append_column("row", pa.array(row[pair[pair >= 0]])).cast(_OWNERS)


def _in_one_piece(blocks: Iterable[np.ndarray], rows: int) -> np.ndarray:
    """Blocks of vectors as [rows, dim] float32, of which no second copy is held."""
    out = np.empty((0, 0), np.float32)
    start = 0
    for block in blocks:
        if start == 0:
            out = np.empty((rows, block.shape[1]), np.float32)
        out[start : start + len(block)] = block
        start += len(block)
    return out
