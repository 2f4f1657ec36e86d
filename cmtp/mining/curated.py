"""Negatives that a labelled source gives: pairs that the extract stage set aside because their label says so.

They left the line before the filter and before decontamination, so both are done here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup.evaluation import read_texts
from cmtp.dedup.index import Index, find_overlaps, index_texts
from cmtp.dedup.kernel import hash_folded
from cmtp.encoders.base import Encoder
from cmtp.engine.store import Store
from cmtp.engine.task import Task
from cmtp.filters.stage import run as filter_pairs
from cmtp.mining.negatives import Negative
from cmtp.mining.pool import Pool, Queries, codes, distinct
from cmtp.mining.rules import Score
from cmtp.schema import PAIR, SYMMETRIC_RELATIONS
from cmtp.sources.labels import NEGATIVE
from cmtp.text.compare import fold

COLUMNS = ["query", "passage", "relation", "source"]


def labelled_negatives(path: str, task: Task, store: Store) -> tuple[pa.Table, dict[str, int]]:
    """Read one file of the extract stage's rejects, and leave out what the build would not let through.

    Args:
        path: the file.
        task: of the mine stage; its settings hold those of the filter (`filter`) and what was resolved of
            dedup.decontaminate (`decontaminate`).
        store: where both lie.

    Returns:
        Columns COLUMNS, the texts masked as the pairs' are, either order of two texts of one kind; and counts of what
        was labelled, and left out.
    """
    rows = store.read_table(path)
    rows = rows.filter(pc.equal(rows["reason"].cast(pa.string()), NEGATIVE))
    counts = {"labelled": rows.num_rows, "filtered": 0, "contaminated": 0}
    if rows.num_rows == 0:
        return rows.select(COLUMNS), counts
    name = f"{task.folder}/labelled/{task.name}"
    given, kept, rejected = f"{name}.given.parquet", f"{name}.kept.parquet", f"{name}.rejected.parquet"
    empty = {"position": pa.nulls(rows.num_rows, pa.int32()).fill_null(0), "similarity": pa.nulls(rows.num_rows)}
    columns = [empty[field.name] if field.name in empty else rows[field.name] for field in PAIR]
    store.write_table(given, pa.table(columns, names=PAIR.names).cast(PAIR))
    result = filter_pairs(Task("", task.folder, task.name, [given, kept, rejected], task.settings["filter"]), store)
    rows = store.read_table(kept, COLUMNS)
    counts["filtered"] = result.rows - rows.num_rows
    known = task.settings["decontaminate"]
    if known["evaluation"]:
        clean = ~np.logical_or(*(_contaminated(rows[side], known) for side in ("query", "passage")))
        counts["contaminated"] = int((~clean).sum())
        rows = rows.filter(pa.array(clean))
    symmetric = rows.filter(pc.is_in(rows["relation"].cast(pa.string()), pa.array(sorted(SYMMETRIC_RELATIONS))))
    swapped = symmetric.rename_columns({"query": "passage", "passage": "query"}).select(COLUMNS)
    return pa.concat_tables([rows, swapped]).unify_dictionaries(), counts


def _contaminated(texts: pa.ChunkedArray, known: dict[str, Any]) -> np.ndarray:
    width, share = known["ngram"], known["share"]
    folded = fold(texts)
    index = _evaluation(tuple((file["name"], file["url"]) for file in known["evaluation"]), width)
    return find_overlaps(folded, hash_folded(folded), index, share).text >= 0  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _evaluation(files: tuple[tuple[str, str], ...], width: int) -> Index:
    return index_texts(pa.concat_arrays([read_texts(name, url).texts for name, url in files]), width)


def curated(
    tables: Iterable[pa.Table], queries: Queries, pool: Pool, encoder: Encoder, rescore: Score | None
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
    asked = queries.texts.unique()
    of: dict[str, dict[str, None]] = {}
    for table in tables:
        known = table.filter(pc.is_in(table["query"], asked.cast(table["query"].type)))
        for query, passage in zip(known["query"].to_pylist(), known["passage"].to_pylist(), strict=True):
            of.setdefault(query, {})[passage] = None
    places, texts = [], []
    for i, query in enumerate(queries.texts.to_pylist() if of else []):
        for passage in sorted(of.get(query, ())):
            places.append(i)
            texts.append(passage)
    found: list[list[Negative]] = [[] for _ in queries.ids]
    if not texts:
        return found, 0
    place, given = np.array(places), pa.array(texts, pa.large_string())
    row = codes(given, pool.passages)
    wrong = pool.asked.has(queries.query[place], row[:, None])[:, 0]
    wrong |= pc.equal(given, queries.passages.take(pa.array(place))).to_numpy(zero_copy_only=False)
    wrong |= pc.equal(given, queries.texts.take(pa.array(place))).to_numpy(zero_copy_only=False)
    place, given = place[~wrong], given.filter(pa.array(~wrong))
    texts, at, _ = distinct(given)
    vectors = encoder.encode(texts, "passage")
    scores = np.einsum("id,id->i", queries.vectors[place], vectors[at])
    if rescore is not None and len(given):
        scores = rescore(queries.texts.take(pa.array(place)).to_pylist(), given.to_pylist())
    for i, text, score in zip(place.tolist(), given.to_pylist(), scores.tolist(), strict=True):
        found[i].append(Negative(text, score, -1, "curated"))
    for one in found:
        one.sort(key=lambda negative: (-round(negative.score, 5), negative.text))
    return found, int(wrong.sum())
