"""Held-out documents: which they are, and the retrieval task made of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.errors import UsageError
from cmtp.schema import SYMMETRIC_RELATIONS
from cmtp.shards.order import is_held_out

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


def own_split(shards: str) -> tuple[float, int] | None:
    """Share and seed of the documents that a build itself has held out (``eval:`` in its recipe), or None."""
    path = Path(shards) / "manifest.json"
    split = json.loads(path.read_text(encoding="utf-8")).get("recipe", {}).get("eval", {}) if path.is_file() else {}
    return (split["share"], split["seed"]) if split.get("share") else None


def read_pairs(shards: str, columns: list[str], share: float, seed: int, *, held_out: bool) -> pl.DataFrame:
    """The rows of pairs/ inside or outside the held-out documents, in file order.

    A build that has held out documents itself has them in rejects/eval, and `share` and `seed` count for nothing.
    """
    own = own_split(shards)
    parts = []
    for file in table_files(shards, "rejects/eval" if own and held_out else "pairs"):
        for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS, columns=list({*columns, "doc_id"})):
            if own is None:
                chosen = is_held_out(block["doc_id"], share, seed)
                block = block.filter(pa.array(chosen if held_out else ~chosen))
            parts.append(_plain(pa.Table.from_batches([block])))
    frame = pl.from_arrow(pa.concat_tables(parts))
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
