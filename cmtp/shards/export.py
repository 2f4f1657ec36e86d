"""A table of a build in another trainer's format, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow.parquet as pq

from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.shards.verify import read_manifest

Row = dict[str, Any]

BATCH = 4096
"""Rows held at a time."""


def flagembedding(row: Row) -> Iterator[Row]:
    """FlagEmbedding's finetune format: query, pos, neg with their scores, the instruction as ``prompt``."""
    if "pos" not in row:
        yield {"query": row["query"], "pos": [row["passage"]], "neg": []}
        return
    names = ("query", "pos", "neg", "pos_scores", "neg_scores")
    yield {name: row[name] for name in names} | {"prompt": row["instruction"]}


def sentence_transformers(row: Row) -> Iterator[Row]:
    """Columns anchor, positive and, from finetune, negative: one triplet per positive and negative.

    The instruction stands before the anchor, where the trainer would put it.
    """
    if "pos" not in row:
        yield {"anchor": row["query"], "positive": row["passage"]}
        return
    for positive in row["pos"]:
        for negative in row["neg"]:
            yield {"anchor": row["instruction"] + row["query"], "positive": positive, "negative": negative}


def plain(row: Row) -> Iterator[Row]:
    """The row as it is."""
    yield row


FORMATS: Final[dict[str, Callable[[Row], Iterator[Row]]]] = {
    "flagembedding": flagembedding,
    "sentence-transformers": sentence_transformers,
    "jsonl": plain,
}


def export(shards: str, dest: str, form: str, table: str) -> dict[str, int]:
    """Write a table, one file ``TABLE-00000.jsonl`` per shard.

    Args:
        shards: output folder of a build.
        dest: folder to write to, a path or an fsspec URL.
        form: one of FORMATS.
        table: pairs or finetune.

    Returns:
        Rows read and lines written: a finetune row without negatives gives no triplet.

    Raises:
        UsageError: no build there, no such table, or an unknown format.
    """
    if form not in FORMATS:
        raise UsageError(f"--format {form}: give one of {', '.join(FORMATS)}")
    source, target = Store(shards), Store(dest)
    tables = read_manifest(source)["tables"]
    if table not in ("pairs", "finetune") or table not in tables:
        there = ", ".join(name for name in ("pairs", "finetune") if name in tables)
        raise UsageError(f"--table {table}: {shards} can export {there}")
    counts = {"rows": 0, "lines": 0}
    for file in tables[table]["files"]:
        name = file["file"]
        with source.read(f"{table}/{name}") as stream, target.write(_target(table, name)) as out:
            for batch in pq.ParquetFile(stream).iter_batches(BATCH):
                for row in batch.to_pylist():
                    counts["rows"] += 1
                    for line in FORMATS[form](row):
                        out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                        counts["lines"] += 1
    return counts


def _target(table: str, name: str) -> str:
    return f"{table}-{name.removeprefix('part-').removesuffix('.parquet')}.jsonl"
