"""The sample that a cut is calibrated on: of every source and relation the pairs with the lowest order keys."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.shards.order import order_keys
from cmtp.similarity.encode import Encoded
from cmtp.similarity.groups import codes, group_names, rank_in_group, vector_column
from cmtp.similarity.vectors import Dear


def keys_path(folder: str, index: int) -> str:
    """Lowest keys of a partition: group, key, rows (of the group in the partition)."""
    return f"{folder}/keys/part-{index:05d}.parquet"


def chosen_path(folder: str) -> str:
    """Every group with its highest key in the sample (``last``) and its ``rows`` in the build."""
    return f"{folder}/chosen.parquet"


def sample_path(folder: str, index: int) -> str:
    """Sampled pairs of a partition with their vectors: group, key, doc_id, similarity, query, passage, and with a
    cascade dear_query and dear_passage.
    """
    return f"{folder}/samples/part-{index:05d}.parquet"


def keys(task: Task, store: Store) -> Result:
    """Find the lowest keys of each group in a partition."""
    part, index = task.inputs
    rows = store.read_table(part, ["pair_id", "source", "relation"])
    names, key = group_names(rows), order_keys(rows["pair_id"], task.settings["seed"])
    group = codes(names)
    order = np.lexsort((key, group))
    order = order[rank_in_group(group[order]) < task.settings["sample"]]
    found = {
        "group": names.take(pa.array(order)),
        "key": pa.array(key[order]),
        "rows": pa.array(np.bincount(group)[group[order]], pa.int64()),
    }
    store.write_table(keys_path(task.folder, index), pa.table(found))
    return Result(rows=rows.num_rows)


def choose(task: Task, store: Store) -> Result:
    """Find the highest key that is in the sample of each group of the build."""
    (parts,) = task.inputs
    tables = [store.read_table(keys_path(task.folder, i)) for i in range(parts)]
    found = pa.concat_tables(tables)
    names = found["group"].unique().sort().to_pylist()
    group, key = codes(found["group"], names), found["key"].to_numpy()
    order = np.lexsort((key, group))
    inside = order[rank_in_group(group[order]) < task.settings["sample"]]
    last = np.zeros(len(names), np.uint64)
    np.maximum.at(last, group[inside], key[inside])
    rows = np.zeros(len(names), np.int64)
    for table in tables:
        firsts = table.group_by("group").aggregate([("rows", "max")])
        rows[codes(firsts["group"], names)] += firsts["rows_max"].to_numpy()
    if "rows" in task.settings:  # cmtp calibrate: the partitions are themselves a sample of a larger build
        rows = np.array([task.settings["rows"][name] for name in names], np.int64)
    chosen = {"group": pa.array(names, pa.string()), "last": last, "rows": rows}
    store.write_table(chosen_path(task.folder), pa.table(chosen))
    return Result(rows=len(inside))


def in_sample(names: pa.ChunkedArray, key: np.ndarray, chosen: pa.Table) -> np.ndarray:
    """Which rows are in the sample: [n] bool, by group and order key."""
    place = codes(names, chosen["group"].to_pylist())
    return key <= chosen["last"].to_numpy()[place]  # type: ignore[no-any-return]


def sample(task: Task, store: Store) -> Result:
    """Write a partition's sampled pairs with their vectors. Facts: name and hash of a cascade's expensive encoder."""
    part, index = task.inputs
    encoded = Encoded(task.settings["encoded"], index)
    rows = store.read_table(part, ["pair_id", "source", "relation", "doc_id", "query", "passage"])
    names, key = group_names(rows), order_keys(rows["pair_id"], task.settings["seed"])
    at = np.flatnonzero(in_sample(names, key, store.read_table(chosen_path(task.folder))))
    scores = encoded.scores(store).take(pa.array(at))
    columns = {
        "group": names.take(pa.array(at)),
        "key": pa.array(key[at]),
        "doc_id": rows["doc_id"].take(pa.array(at)),
        "similarity": scores["similarity"],
        "query": vector_column(encoded.vectors(store, "query", scores["query_row"].to_numpy())),
        "passage": vector_column(encoded.vectors(store, "passage", scores["passage_row"].to_numpy())),
    }
    result = Result(rows=rows.num_rows)
    if task.settings["cascade"] is not None:
        dear = Dear.of(task, index)
        texts = rows.select(["query", "passage"]).take(pa.array(at))
        result.facts = {"cascade": dear.encode(store, "sample", texts)}
        query, passage = dear.vectors(store, texts)
        columns |= {"dear_query": vector_column(query), "dear_passage": vector_column(passage)}
    store.write_table(sample_path(task.folder, index), pa.table(columns))
    return result
