"""The queries of a pool: each text once, a few per document, in blocks that do not depend on the partitions."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.columns import distinct, rank_in_group, vector_column, vectors_of
from cmtp.mining.files import PoolFiles
from cmtp.mining.pool import lowest, mean_of
from cmtp.mining.settings import MineWork
from cmtp.order import order_keys

QUERIES_PER_TASK: Final = 4096
"""Queries per search task: enough that reading the pool is small beside searching it."""


def gather_queries(files: PoolFiles, settings: MineWork) -> Counter[str]:
    """Write the blocks of a pool's queries, and the mean of their vectors.

    1. Put the rows in order of their keys, labelled ones first.
    2. Of several rows with one query the first stays; the search finds the other passages of the query.
    3. Of the rows of a document that are not labelled, `max_per_document` stay.

    Args:
        files: the pool's.
        settings: of the mine stage.

    Returns:
        How many rows went for ``same_query`` (they are other positives of a row) and ``same_document``.
    """
    rows = pa.concat_tables(files.tables("queries")).unify_dictionaries()
    keys, labelled = order_keys(rows["pair_id"], settings.seed), rows["labelled"].to_numpy()
    order = np.lexsort((keys, ~labelled))
    left = order[first_of_each(rows["query"].take(pa.array(order)))]
    counts = Counter({"same_query": len(order) - len(left)})
    few = labelled[left] | (place_in_group(rows["doc_id"].take(pa.array(left))) < settings.max_per_document)
    counts["same_document"] = int((~few).sum())
    rows = rows.take(pa.array(left[few])).combine_chunks()
    centre = mean_of(vectors_of(rows["vector"].take(pa.array(lowest(order_keys(rows["pair_id"], settings.seed))))))
    means = np.zeros((0, 1), np.float32) if centre is None else centre[None]
    files.store.write_table(files.centre_path, pa.table({"vector": vector_column(means)}))
    for number, start in enumerate(range(0, rows.num_rows, QUERIES_PER_TASK)):
        files.store.write_table(files.path("blocks", number), rows.slice(start, QUERIES_PER_TASK))
    return counts


def read_centre(files: PoolFiles) -> np.ndarray | None:
    """The mean of the vectors of all queries of a pool, [dim] float32; None where they are too few."""
    means = vectors_of(files.store.read_table(files.centre_path)["vector"])
    return means[0] if len(means) else None


def first_of_each(values: pa.ChunkedArray) -> np.ndarray:
    """The row in which each value occurs first, ascending: ``[b, a, b]`` gives ``[0, 1]``."""
    return np.sort(distinct(values)[2])


def place_in_group(values: pa.ChunkedArray) -> np.ndarray:
    """How many rows before each have its value: ``[b, a, b]`` gives ``[0, 0, 1]``."""
    codes = distinct(values)[1]
    order = np.argsort(codes, kind="stable")
    places = np.empty(len(codes), np.int64)
    places[order] = rank_in_group(codes[order])
    return places
