"""Documents held out of training, and the retrieval task that is made of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cmtp.errors import UsageError
from cmtp.order import is_held_out
from cmtp.relations import SYMMETRIC_RELATIONS
from cmtp.shards.eval_stage import SCORED_ON

BLOCK_ROWS = 65_536
"""Rows read at a time."""


@dataclass(frozen=True)
class Split:
    """The documents held out: a share of them, by a seeded hash of their ids.

    With the same seed, a larger share includes the documents of a smaller one.
    """

    share: float
    seed: int

    def holds(self, doc_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Which documents are held out: [n] bool. The verdict on an id is the same in every build."""
        return is_held_out(doc_ids, self.share, self.seed)


@dataclass(frozen=True)
class RetrievalTask:
    """Queries, the passages that are searched, and the right ones for each query."""

    queries: list[str]
    """[q]."""
    passages: list[str]
    """[p], distinct, those of the held-out documents first."""
    relevant: list[set[int]]
    """[q] rows of `passages` that answer the query."""
    held_out: int
    """Passages of held-out documents among them."""
    left_out: int = 0
    """Held-out documents that are not searched for, because the model was trained on them."""


def table_files(shards: str, table: str) -> list[Path]:
    """The Parquet files of a table in order.

    Raises:
        UsageError: `shards` has no such table.
    """
    files = sorted(Path(shards).glob(f"{table}/part-*.parquet"))
    if not files:
        raise UsageError(f"{shards}: no {table}/part-*.parquet; is it the output folder of a build?")
    return files


def manifest_sha256(shards: str) -> str:
    """SHA-256 of a build's manifest. It identifies the data, because the manifest has the checksum of every file.

    Raises:
        UsageError: `shards` has no manifest.
    """
    path = Path(shards) / "manifest.json"
    if not path.is_file():
        raise UsageError(f"{shards}: no manifest.json; is it the output folder of a build?")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build_split(shards: str) -> Split | None:
    """The share of the documents that a build itself has held out (``eval:`` in its recipe), and the seed; or None.

    A build of few documents holds none out by itself, so where the recipe leaves the share open the figures of the eval
    stage say it.
    """
    path = Path(shards) / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    split = manifest.get("recipe", {}).get("eval", {})
    figures = [stage["facts"] for stage in manifest.get("stages", []) if "held" in stage["facts"]]
    share = figures[0]["share"] if figures else split.get("share")
    return Split(share, split["seed"]) if share else None


def build_alpha(shards: str) -> float:
    """The exponent by which the build's recipe wants its sources drawn (``mixture.alpha``); 1 if it says nothing."""
    path = Path(shards) / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return float(manifest.get("recipe", {}).get("mixture", {}).get("alpha", 1.0))


def read_pairs(shards: str, columns: list[str], split: Split, *, held_out: bool) -> pl.DataFrame:
    """`pair_table` as a polars frame."""
    frame = pl.from_arrow(pair_table(shards, columns, split, held_out=held_out))
    assert isinstance(frame, pl.DataFrame)
    return frame


def pair_table(shards: str, columns: list[str], split: Split, *, held_out: bool) -> pa.Table:
    """The pairs of the held-out documents, or of all others, in file order.

    Args:
        shards: output folder of a build. If it has held out documents itself, their pairs are in rejects/eval, and
            `split` is not used.
        columns: columns of the result.
        split: the documents held out.
        held_out: whether to read the pairs of the held-out documents, or of the others.
    """
    by_build = build_split(shards) is not None
    parts = []
    for file in table_files(shards, "rejects/eval" if by_build and held_out else "pairs"):
        wanted = {*columns, "doc_id", *(["reason"] if by_build and held_out else [])}
        for block in pq.ParquetFile(file).iter_batches(BLOCK_ROWS, columns=list(wanted)):
            if by_build and held_out:
                block = block.filter(pc.equal(block["reason"].cast(pa.string()), SCORED_ON))
            elif not by_build:
                inside = split.holds(block["doc_id"])
                block = block.filter(pa.array(inside if held_out else ~inside))
            parts.append(_without_dictionaries(pa.Table.from_batches([block])))
    return pa.concat_tables(parts).select(columns)


def _without_dictionaries(rows: pa.Table) -> pa.Table:
    """Cast dictionary columns to strings, so that parts with different dictionaries can be concatenated."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            rows = rows.set_column(i, field.name, rows.column(i).cast(pa.string()))
    return rows


def retrieval_task(
    shards: str, split: Split, max_queries: int, max_pool: int, *, unseen: Split | None = None
) -> RetrievalTask:
    """Queries of held-out documents, over their passages and training passages as distractors.

    Args:
        shards: output folder of a build.
        split: the documents held out, if the build has held out none itself.
        max_queries: most queries; the first ones are taken.
        max_pool: most passages. After those of held-out documents, distractors are added up to this number.
        unseen: the documents that the scored model was not trained on, if those are another split. Held-out documents
            outside it are not searched for, and their passages are distractors.

    Raises:
        UsageError: no held-out pair has a retrieval relation, or there is only one passage to find.
    """
    held = read_pairs(shards, ["query", "passage", "relation", "doc_id"], split, held_out=True)
    found = held.height
    distractors: list[pl.Series] = []
    left_out = 0
    if unseen is not None:
        mask = pl.Series(unseen.holds(pa.array(held["doc_id"].to_list(), pa.string())))
        left_out = held.filter(~mask)["doc_id"].n_unique()
        distractors.append(held.filter(~mask)["passage"])
        held = held.filter(mask)
    rows = {text: row for row, text in enumerate(dict.fromkeys(held["passage"]))}
    inside = len(rows)
    room = max(0, max_pool - inside)
    if room:
        distractors.append(read_pairs(shards, ["passage"], split, held_out=False)["passage"])
        for text in pl.concat(distractors).head(room):  # the rows of a build are in a seeded random order already
            rows.setdefault(text, len(rows))
    answers: dict[str, set[int]] = {}
    searching = held.filter(~pl.col("relation").is_in(sorted(SYMMETRIC_RELATIONS)))
    for query, passage in zip(searching["query"], searching["passage"], strict=True):
        answers.setdefault(query, set()).add(rows[passage])
    queries = list(answers)[:max_queries]
    if not queries or inside < 2:
        which = "by the build" if build_split(shards) else f"(share {split.share:g}, seed {split.seed})"
        trained_on = f", and the model was trained on {left_out:,} of their documents" if left_out else ""
        raise UsageError(f"{shards}: {found:,} pairs are held out {which}{trained_on}: too few to search in")
    return RetrievalTask(queries, list(rows), [answers[query] for query in queries], inside, left_out)
