"""A block of a pool's queries: read the pool, find negatives, make finetune rows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.encoders.registry import load_encoder
from cmtp.engine.store import Store
from cmtp.engine.task import Task
from cmtp.mining import files
from cmtp.mining.curated import curated
from cmtp.mining.exact import Matrix
from cmtp.mining.lists import Lists, load
from cmtp.mining.negatives import Negative, find_negatives
from cmtp.mining.pool import Pool, Queries, Vectors, codes, distinct, lowest, mean_of
from cmtp.mining.rescore import CrossEncoder, load_cross_encoder
from cmtp.mining.select import task_of
from cmtp.mining.words import WordIndex
from cmtp.recipe import MineSettings
from cmtp.schema import FINETUNE
from cmtp.shards.order import order_keys

_BELONGS = pa.schema([("query", pa.string()), ("doc_id", pa.string()), ("row", pa.int64())])
"""A passage's row, and a query and a document it belongs to."""


def search_block(task: Task, store: Store, number: int, start: int, size: int) -> tuple[pa.Table, dict[str, Any]]:
    """The finetune rows of queries `start` to `start + size` of pool `number`, and facts for the manifest."""
    settings = files.settings(task)
    parts = [store.read_table(path) for path in files.paths(store, task.folder, "queries", number)]
    every = pa.concat_tables(parts).unify_dictionaries()
    some = lowest(order_keys(every["pair_id"], task.settings["seed"]))
    centre = mean_of(files.matrix(every["vector"].take(pa.array(some))))
    block = every.slice(start, size).combine_chunks()
    del parts, every
    pool, documents = read_pool(store, task.folder, number, settings, task.settings["seed"])
    texts, passages = files.one_array(block["query"]), files.one_array(block["passage"])
    relations = block["relation"].cast(pa.string()).to_pylist()
    queries = Queries(
        ids=block["pair_id"].to_pylist(),
        texts=texts,
        vectors=files.matrix(block["vector"]),
        passages=passages,
        positives=files.matrix(block["positive"]),
        scores=block["score"].to_numpy(),
        doc=codes(block["doc_id"], documents),
        query=codes(texts, pool.queries),
        positive=codes(passages, pool.queries),
        row=codes(passages, pool.passages),
        symmetric=np.array([task_of(relation) == "symmetric" for relation in relations]),
        centre=centre,
    )
    facts: dict[str, Any] = {}
    rescore: CrossEncoder | None = None
    if settings.cross_encoder is not None:
        rescore = load_cross_encoder(settings.cross_encoder)
        facts["cross_encoder"] = {"name": settings.cross_encoder, "weights": rescore.weights_hash}
    given = None
    labelled = files.paths(store, task.folder, "curated", number)
    if labelled:
        encoder = load_encoder(task.settings["encoder"])
        given, disputed = curated((store.read_table(path) for path in labelled), queries, pool, encoder, rescore)
        facts["curated"] = {"disputed": disputed}
    words = _words(store.root, task.folder, number) if settings.miner != "dense" else None
    found, positive, counts = find_negatives(queries, pool, settings, task.settings["seed"], words, rescore, given)
    facts["candidates"] = dict(counts)
    return _finetune_rows(block, found, positive, settings), facts


def read_pool(store: Store, folder: str, number: int, settings: MineSettings, seed: int) -> tuple[Pool, pa.Array]:
    """A pool, and its documents in order of their codes."""
    paths = files.paths(store, folder, "pools", number)
    rows = pa.concat_tables([store.read_table(path, ["pair_id", "query", "passage", "doc_id"]) for path in paths])
    passages, row, first = distinct(files.one_array(rows["passage"]))
    if rows.num_rows > settings.exact_rows:
        vectors: Vectors = Lists(load(store, files.index_path(folder, number)), row, first)
    else:
        held = files.read_vectors(store, paths)
        vectors = Matrix(held if len(first) == len(held) else held[first])
    # What dedup found again elsewhere belongs there, too.
    twins = [_known(store.read_table(path), rows["pair_id"]) for path in files.paths(store, folder, "twins", number)]
    own = rows.select(["query", "doc_id"]).append_column("row", pa.array(row))
    own = pa.concat_tables([one.cast(_BELONGS) for one in (own, *[_at(one, row) for one in twins])])
    queries, asked, _ = distinct(files.one_array(own["query"]))
    documents, doc, _ = distinct(files.one_array(own["doc_id"]))
    at = own["row"].to_numpy()
    centre = mean_of(vectors.take(row[lowest(order_keys(rows["pair_id"], seed))]))
    return Pool.of(passages, vectors, queries, [(doc, at)], [(asked, at)], centre), documents


def _known(twins: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """The twins of a pool's rows, with the number of the row."""
    at = pc.index_in(twins["kept_id"], ids.combine_chunks())
    return twins.select(["query", "doc_id"]).append_column("row", at.cast(pa.int64())).filter(pc.is_valid(at))


def _at(twins: pa.Table, row: np.ndarray) -> pa.Table:
    return twins.set_column(2, "row", pa.array(row[twins["row"].to_numpy()]))


@lru_cache(maxsize=1)
def _words(root: str, folder: str, number: int) -> WordIndex:
    """A pool's passages by words; a worker keeps it for the blocks that follow."""
    store = Store(root)
    paths = files.paths(store, folder, "pools", number)
    passages = pa.concat_tables([store.read_table(path, ["passage"]) for path in paths])["passage"]
    return WordIndex(distinct(files.one_array(passages))[0])


def _finetune_rows(
    block: pa.Table, found: list[list[Negative]], positive: np.ndarray, settings: MineSettings
) -> pa.Table:
    tasks = [task_of(relation) for relation in block["relation"].cast(pa.string()).to_pylist()]
    columns = {
        "pair_id": block["pair_id"],
        "query": block["query"],
        "pos": pa.array([[text] for text in block["passage"].to_pylist()], pa.list_(pa.string())),
        "neg": pa.array([[one.text for one in row] for row in found], pa.list_(pa.string())),
        "pos_scores": pa.array([[round(score, 5)] for score in positive.tolist()], pa.list_(pa.float32())),
        "neg_scores": pa.array([[round(one.score, 5) for one in row] for row in found], pa.list_(pa.float32())),
        "neg_ranks": pa.array([[one.rank for one in row] for row in found], pa.list_(pa.int32())),
        "neg_kinds": pa.array([[one.kind for one in row] for row in found], pa.list_(pa.string())),
        "instruction": pa.array([getattr(settings.instruction, task) for task in tasks]),
        "task": pa.array(tasks),
        "relation": block["relation"],
        "source": block["source"],
    }
    return pa.table([columns[name] for name in FINETUNE.names], names=FINETUNE.names).cast(FINETUNE)
