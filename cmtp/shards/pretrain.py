"""Plain texts for pretraining: the documents' own, junk and private data taken out, each text once.

1. Texts (`filter_texts`): every piece of a document passes the filter's rules for passages, with private data masked.
   The pieces that pass, joined in their order, are the document's text. A document is left out where it is held out,
   where dedup found one of its pairs in an evaluation set or an older release, or where its text is too short.
2. Copies (`find_copies`): a text is a copy where at least `pretrain_copies` of its characters, in paragraphs of
   `MIN_PARAGRAPH` characters or more, stand in one longer text. Of equally long texts the one with the smallest doc_id
   stays. So one of several near-duplicate documents stays, and a text goes only where another one holds it.

       texts ── filter_texts, a task per partition ──► texts/part-00000.parquet           schema PRETRAIN
                                                     ► paragraphs/part-00000.parquet      a group per range of hashes
       paragraphs ── find_copies, a task per range ──► copies/part-00000.parquet          a group per partition
       texts, copies ── the scatter of the shard stage leaves copies out

A paragraph that several texts hold belongs to the longest of them, so the decision needs no comparison of texts.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup.verdicts import Reason
from cmtp.engine.task import Job, Result
from cmtp.filters.pair_filter import open_filter
from cmtp.ids import id_halves
from cmtp.order import range_of
from cmtp.schema import PRETRAIN, TEXTS
from cmtp.shards.eval_stage import held_documents
from cmtp.shards.groups import read_group, write_groups
from cmtp.shards.settings import ShardWork

MIN_PARAGRAPH: Final = 20
"""Characters of a paragraph that tells texts apart. Shorter ones (headings, 操作如下：) stand in many texts. A text
without such a paragraph counts as one paragraph."""

OF_EVALUATION: Final = frozenset({Reason.CONTAMINATED.label, Reason.IN_OLDER_RELEASE.label})
"""Reasons of dedup for pairs whose document must not be trained on again, or at all."""


def filter_texts(job: Job[ShardWork], index: int, part: str, ranges: int) -> Result:
    """Filter the texts of a partition of schema TEXTS; write the texts that stay and the hashes of their paragraphs."""
    settings = job.settings
    assert settings.texts is not None, "a build that makes texts has settings for them"
    rows = job.store.read_table(part).cast(TEXTS)
    text_filter = open_filter(settings.texts.filter).for_texts()
    pairs = rows.rename_columns({"text": "passage"}).append_column("query", pa.array([""] * rows.num_rows, pa.string()))
    verdicts = text_filter.judge_table(pairs)
    passed = pl.DataFrame(pl.from_arrow(text_filter.passed(pairs, verdicts).select(["doc_id", "passage", "source"])))
    joined = passed.group_by("doc_id", maintain_order=True).agg(
        pl.col("passage").str.join("\n").alias("text"), pl.col("source").first().cast(pl.String)
    )
    stays = {
        "held_out": _not_held_out(joined, job),
        "not_to_be_trained_on": ~joined["doc_id"].is_in(_barred(job)),
        "too_short": joined["text"].str.len_chars() >= settings.min_pretrain_chars,
    }
    left_out = {name: int((~flags).sum()) for name, flags in stays.items()}
    joined = joined.filter(pl.DataFrame(stays).select(pl.all_horizontal(pl.all())).to_series())
    job.store.write_table(texts_path(job, index), joined.select(PRETRAIN.names).to_arrow().cast(PRETRAIN))
    paragraphs = _paragraphs(joined)
    numbers = range_of(paragraphs["hash"].to_numpy(), ranges)
    write_groups(job.store, _paragraphs_path(job, index), paragraphs.to_arrow(), numbers)
    pieces = dict(sorted(Counter(verdicts.reason.values()).items()))
    record = {"table": "pretrain", "left_out": left_out, "pieces_left_out": pieces}
    return Result(rows=rows.num_rows, bytes=rows.nbytes, records=[record])


def _not_held_out(texts: pl.DataFrame, job: Job[ShardWork]) -> pl.Series:
    held = job.settings.held_out
    if held is None or not texts.height:
        return pl.Series(np.ones(texts.height, bool))
    ids = held_documents(job.store, held).cast(pa.string()).combine_chunks()
    return pl.Series(pc.invert(pc.is_in(texts["doc_id"].to_arrow().cast(pa.string()), ids)))


def _barred(job: Job[ShardWork]) -> list[str]:
    """Documents with a pair that stands in an evaluation set or an older release, as far as dedup was given any."""
    assert job.settings.texts is not None
    folder = job.settings.texts.rejects
    if folder is None:
        return []
    found = set[str]()
    for path in job.store.list(folder):
        rows = job.store.read_table(path, ["doc_id", "reason"])
        barred = pl.DataFrame(pl.from_arrow(rows)).filter(pl.col("reason").cast(pl.String).is_in(OF_EVALUATION))
        found.update(barred["doc_id"])
    return sorted(found)


def _paragraphs(texts: pl.DataFrame) -> pl.DataFrame:
    """One row per different paragraph of a text: hash, chars, doc (first half of the doc_id), size of the text."""
    docs = id_halves(texts["doc_id"].to_arrow().cast(pa.string()))[0] if texts.height else np.zeros(0, np.uint64)
    lines = texts.select(
        pl.Series("doc", docs),
        pl.col("text").str.len_chars().alias("size"),
        pl.col("text").str.split("\n").list.eval(pl.element().filter(pl.element().str.len_chars() >= MIN_PARAGRAPH)),
        pl.col("text").alias("whole"),
    )
    own = pl.when(pl.col("text").list.len() > 0).then("text").otherwise(pl.concat_list("whole"))
    return (
        lines.select("doc", "size", own.alias("text"))
        .explode("text")
        .select("doc", "size", pl.col("text").str.len_chars().alias("chars"), pl.col("text").hash().alias("hash"))
        .unique(["doc", "hash"], keep="first", maintain_order=True)
        .sort("hash", "doc")
    )


def find_copies(job: Job[ShardWork], number: int, partitions: int) -> Result:
    """For one range of hashes: the characters of each text that stand in a longer text, by that text."""
    pieces = []
    for part in range(partitions):
        rows = read_group(job.store, _paragraphs_path(job, part), number)
        if rows is not None:
            pieces.append(pl.DataFrame(pl.from_arrow(rows)).with_columns(pl.lit(part, pl.Int32).alias("part")))
    out = _copies_path(job, number)
    if not pieces:
        write_groups(job.store, out, _NO_EDGES, np.zeros(0, np.int64))
        return Result()
    rows = pl.concat(pieces).sort("hash", "size", "doc", descending=[False, True, False])
    owner = pl.col("doc").first().over("hash")
    edges = (
        rows.with_columns(owner.alias("owner"))
        .filter(pl.col("doc") != pl.col("owner"))
        .group_by("part", "doc", "owner")
        .agg(pl.col("chars").sum())
        .sort("part", "doc", "owner")
    )
    write_groups(job.store, out, edges.to_arrow().cast(_NO_EDGES.schema), edges["part"].to_numpy().astype(np.int64))
    return Result(rows=rows.height)


_NO_EDGES: Final = pa.schema(
    [("part", pa.int32()), ("doc", pa.uint64()), ("owner", pa.uint64()), ("chars", pa.uint32())]
).empty_table()


def copies_of(job: Job[ShardWork], index: int, ranges: int) -> np.ndarray:
    """First halves of the doc_ids of a partition's texts that are copies: sorted uint64."""
    edges = [read_group(job.store, _copies_path(job, number), index) for number in range(ranges)]
    found = [pl.DataFrame(pl.from_arrow(rows)) for rows in edges if rows is not None]
    if not found:
        return np.zeros(0, np.uint64)
    sizes = pl.DataFrame(pl.from_arrow(job.store.read_table(_paragraphs_path(job, index), ["doc", "chars"])))
    sizes = sizes.group_by("doc").agg(pl.col("chars").sum().alias("all"))
    shared = pl.concat(found).group_by("doc", "owner").agg(pl.col("chars").sum())
    most = shared.group_by("doc").agg(pl.col("chars").max()).join(sizes, on="doc")
    copies = most.filter(pl.col("chars") >= job.settings.pretrain_copies * pl.col("all"))
    return np.sort(copies["doc"].to_numpy())


def texts_path(job: Job[ShardWork], index: int) -> str:
    """Where the filtered texts of a partition are (schema PRETRAIN)."""
    return job.path(f"texts/part-{index:05d}.parquet")


def _paragraphs_path(job: Job[ShardWork], index: int) -> str:
    return job.path(f"paragraphs/part-{index:05d}.parquet")


def _copies_path(job: Job[ShardWork], number: int) -> str:
    return job.path(f"copies/part-{number:05d}.parquet")


def stands_in(values: np.ndarray, sorted_values: np.ndarray) -> np.ndarray:
    """Which values stand in a sorted array: [n] bool."""
    at = np.searchsorted(sorted_values, values)
    at[at == len(sorted_values)] = 0
    return sorted_values[at] == values if len(sorted_values) else np.zeros(len(values), bool)
