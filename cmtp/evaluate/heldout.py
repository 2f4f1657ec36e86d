"""Held-out documents: which they are, and the retrieval task made of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.errors import UsageError
from cmtp.schema import SYMMETRIC_RELATIONS
from cmtp.shards.order import order_keys

BLOCK_ROWS = 65_536
"""Rows read at a time."""


@dataclass(frozen=True)
class Retrieval:
    """Queries, the passages searched, and which of them are right."""

    queries: list[str]
    """[q]."""
    passages: list[str]
    """[p], distinct, those of the held-out documents first."""
    relevant: list[set[int]]
    """[q] rows of `passages` that answer the query."""
    held_out: int
    """Passages of held-out documents among them."""
    groups: list[str]
    """[q] source of each query."""


def table_files(shards: str, table: str) -> list[Path]:
    """The Parquet files of a table in their order.

    Raises:
        UsageError: no such table there.
    """
    files = sorted(Path(shards).glob(f"{table}/part-*.parquet"))
    if not files:
        raise UsageError(f"{shards}: no {table}/part-*.parquet; is it the output folder of a build?")
    return files


def manifest_sha256(shards: str) -> str:
    """SHA-256 of a build's manifest: it names the data, because it holds every file's checksum."""
    path = Path(shards) / "manifest.json"
    if not path.is_file():
        raise UsageError(f"{shards}: no manifest.json; is it the output folder of a build?")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_held_out(doc_ids: pa.Array | pa.ChunkedArray, share: float, seed: int) -> np.ndarray:
    """[n] bool: documents of the held-out share, by a seeded hash of the id and so the same in every build."""
    return order_keys(doc_ids, seed) < np.uint64(min(share, 1 - 2**-53) * 2.0**64)


def read_pairs(shards: str, columns: list[str], share: float, seed: int, *, held_out: bool) -> pl.DataFrame:
    """The rows of pairs/ inside or outside the held-out documents, in file order."""
    parts = []
    for file in table_files(shards, "pairs"):
        for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS, columns=list({*columns, "doc_id"})):
            chosen = is_held_out(block["doc_id"], share, seed)
            parts.append(pa.Table.from_batches([block]).filter(pa.array(chosen if held_out else ~chosen)))
    frame = pl.from_arrow(pa.concat_tables([_plain(part) for part in parts]))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(columns)


def _plain(rows: pa.Table) -> pa.Table:
    """Dictionaries as strings: parts of different dictionaries are to be put together."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            rows = rows.set_column(i, field.name, rows.column(i).cast(pa.string()))
    return rows


def retrieval_task(shards: str, share: float, seed: int, max_queries: int, max_pool: int) -> Retrieval:
    """Queries of held-out documents over their passages and training passages as distractors.

    Raises:
        UsageError: no held-out pair of a retrieval relation, or only one passage to find.
    """
    columns = ["query", "passage", "relation", "source"]
    held = read_pairs(shards, columns, share, seed, held_out=True)
    passages: dict[str, int] = {}
    for text in held["passage"]:
        passages.setdefault(text, len(passages))
    inside = len(passages)
    room = max(0, max_pool - inside)
    if room:
        rest = read_pairs(shards, ["passage"], share, seed, held_out=False)["passage"]
        for text in rest.head(room):  # rows are in a seeded random order already
            passages.setdefault(text, len(passages))
    answers: dict[str, set[int]] = {}
    groups: dict[str, str] = {}
    asked = held.filter(~pl.col("relation").is_in(sorted(SYMMETRIC_RELATIONS)))
    for query, passage, source in zip(asked["query"], asked["passage"], asked["source"], strict=True):
        answers.setdefault(query, set()).add(passages[passage])
        groups.setdefault(query, source)
    queries = list(answers)[:max_queries]
    if not queries or inside < 2:
        raise UsageError(f"{shards}: {held.height} pairs are held out (eval.share {share}), too few to search in")
    relevant = [answers[query] for query in queries]
    return Retrieval(queries, list(passages), relevant, inside, [groups[query] for query in queries])
