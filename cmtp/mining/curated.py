"""Negatives that a labelled source gives: pairs that the extract stage set aside because their label says so.

They left the line before the filter and before decontamination, so both are done here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import codes_in, distinct
from cmtp.dedup.evaluation import read_texts
from cmtp.dedup.index import Index, find_overlaps, index_texts
from cmtp.encoders.base import Encoder
from cmtp.filters.pair_filter import open_filter
from cmtp.filters.settings import FilterWork
from cmtp.kernels.dot import row_dots
from cmtp.mining.cross_encoder import Rescore
from cmtp.mining.negatives import Negative
from cmtp.mining.pool import Pool, Queries
from cmtp.mining.settings import Decontamination
from cmtp.relations import SYMMETRIC_RELATIONS
from cmtp.sources.labels import NEGATIVE
from cmtp.text.compare import fold
from cmtp.text.hashes import hash_folded

COLUMNS = ["query", "passage", "relation", "source"]


def labelled_negatives(
    rejects: pa.Table, filter_work: FilterWork, decontamination: Decontamination
) -> tuple[pa.Table, dict[str, int]]:
    """Take the labelled negatives among the extract stage's rejects; leave out what the build would not let through.

    Args:
        rejects: rows of the schema REJECTS.
        filter_work: of the filter stage.
        decontamination: the evaluation texts that dedup.decontaminate names, and what counts as holding one.

    Returns:
        Columns COLUMNS, the texts masked as the pairs' are, and two texts of one kind in either order; and counts of
        what was ``labelled``, ``filtered`` and ``contaminated``.
    """
    rows = rejects.filter(pc.equal(rejects["reason"].cast(pa.string()), NEGATIVE)).select(COLUMNS)
    counts = {"labelled": rows.num_rows, "filtered": 0, "contaminated": 0}
    if rows.num_rows == 0:
        return rows, counts
    pair_filter = open_filter(filter_work)
    passed = pair_filter.passed(rows, pair_filter.judge_table(rows))
    counts["filtered"] = rows.num_rows - passed.num_rows
    if decontamination.evaluation:
        dirty = [_contaminated(passed[side], decontamination) for side in ("query", "passage")]
        clean = ~np.logical_or(*dirty)
        counts["contaminated"] = int((~clean).sum())
        passed = passed.filter(pa.array(clean))
    symmetric = passed.filter(pc.is_in(passed["relation"].cast(pa.string()), pa.array(SYMMETRIC_RELATIONS)))
    swapped = symmetric.rename_columns({"query": "passage", "passage": "query"}).select(COLUMNS)
    return pa.concat_tables([passed, swapped]).unify_dictionaries(), counts


def _contaminated(texts: pa.ChunkedArray, decontamination: Decontamination) -> np.ndarray:
    """Which texts hold one of the evaluation files: [n] bool."""
    folded = fold(texts)
    files = tuple((file.name, file.url) for file in decontamination.evaluation)
    index = _evaluation_index(files, decontamination.ngram)
    return find_overlaps(folded, hash_folded(folded), index, decontamination.share).text >= 0


@lru_cache(maxsize=1)
def _evaluation_index(files: tuple[tuple[str, str], ...], width: int) -> Index:
    return index_texts(pa.concat_arrays([read_texts(name, url).texts for name, url in files]), width)


def curated_negatives(
    tables: Iterable[pa.Table], queries: Queries, pool: Pool, encoder: Encoder, rescore: Rescore | None
) -> tuple[list[list[Negative]], int]:
    """The curated negatives of each query, hardest first.

    Args:
        tables: columns query and passage: what the queries' source and task have.
        queries: n of them.
        pool: says which passages belong to a query.
        encoder: scores them.
        rescore: the cross-encoder that scores them instead, where there is one.

    Returns:
        Negatives of each query; and how many were left out because other rows say that they belong to it.
    """
    negatives: list[list[Negative]] = [[] for _ in queries.ids]
    query, texts = _pairs_of(tables, queries.texts)
    if not len(texts):
        return negatives, 0
    own_row = codes_in(texts, pool.passages)
    disputed = pool.queries_of.has(queries.query[query], own_row[:, None])[:, 0]
    for own in (queries.passages, queries.texts):
        disputed |= pc.equal(texts, own.take(pa.array(query))).to_numpy(zero_copy_only=False)
    query, texts = query[~disputed], texts.filter(pa.array(~disputed))
    different, code, _ = distinct(texts)
    scores = row_dots(queries.vectors[query], encoder.encode(different, "passage")[code])
    if rescore is not None and len(texts):
        scores = rescore(queries.texts.take(pa.array(query)).to_pylist(), texts.to_pylist())
    for i, text, score in zip(query.tolist(), texts.to_pylist(), scores.tolist(), strict=True):
        negatives[i].append(Negative(text, score, -1, "curated"))
    for found in negatives:
        found.sort(key=lambda negative: (-round(negative.score, 5), negative.text))
    return negatives, int(disputed.sum())


def _pairs_of(tables: Iterable[pa.Table], queries: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """What the tables have of the queries: places of queries, int64, and their passages; sorted, each once."""
    wanted = queries.unique()
    passages: dict[str, set[str]] = {}
    for table in tables:
        rows = table.filter(pc.is_in(table["query"], wanted.cast(table["query"].type)))
        for query, passage in zip(rows["query"].to_pylist(), rows["passage"].to_pylist(), strict=True):
            passages.setdefault(query, set()).add(passage)
    found = [
        (i, passage)
        for i, query in enumerate(queries.to_pylist() if passages else ())
        for passage in sorted(passages.get(query, ()))
    ]
    return np.array([i for i, _ in found], np.int64), pa.array([text for _, text in found], pa.large_string())
