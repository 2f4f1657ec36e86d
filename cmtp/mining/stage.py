"""The mine stage, an exchange: rank → plan → collect by source → search by source and block of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.mining.negatives import Negative, Pool, Queries, codes, find_negatives
from cmtp.mining.select import Cut, best_cut, plan_from_json, plan_to_json, pool_cut
from cmtp.recipe import MineSettings
from cmtp.schema import FINETUNE, SYMMETRIC_RELATIONS
from cmtp.shards.order import order_keys
from cmtp.similarity.encode import Encoded

HERE = "cmtp.mining.stage"
BLOCK = 4096
"""Queries per search task: enough that reading the pool is small beside searching it."""

_QUERY_COLUMNS = ["pair_id", "query", "passage", "relation", "source", "doc_id", "similarity"]
_POOL_COLUMNS = ["query", "passage", "doc_id"]


class MineStage:
    """Writes ``finetune/part-*.parquet`` (schema FINETUNE); hands all pairs on. Reads the vectors of EncodeStage."""

    name: ClassVar[str] = "mine"
    code: ClassVar[tuple[str, ...]] = ("cmtp.mining", "cmtp.dedup", "cmtp.text", "cmtp.shards.order")
    rejects_rows: ClassVar[bool] = False

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage. The folder of the encode stage is in ``settings["encoded"]``."""

        def task(function: str, name: str, inputs: list[Any]) -> Task:
            return Task(f"{HERE}:{function}", job.folder, name, inputs, job.settings)

        ranks = [f"{job.folder}/ranks/part-{i:05d}.parquet" for i in range(len(job.inputs))]
        plan = f"{job.folder}/plan.json"
        yield [task("rank", f"rank-{i:05d}", [p, r]) for i, (p, r) in enumerate(zip(job.inputs, ranks, strict=True))]
        yield [task("plan", "plan-00000", [ranks, plan])]
        yield [task("collect", f"collect-{i:05d}", [part, i, plan]) for i, part in enumerate(job.inputs)]
        searches: list[Task] = []
        for number, _ in enumerate(plan_from_json(job.store.read_json(plan))[1]):
            queries = job.store.list(f"{job.folder}/queries/{number:05d}")
            total = sum(job.store.rows(path) for path in queries)
            for start in range(0, total, BLOCK):
                out = f"{job.folder}/finetune/part-{len(searches):05d}.parquet"
                searches.append(task("search", f"search-{len(searches):05d}", [number, start, out]))
        yield searches


def rank(task: Task, store: Store) -> Result:
    """Order keys and similarities of a partition; every row passes, so the ledger is kept here."""
    part, out = task.inputs
    rows = store.read_table(part, ["pair_id", "source", "relation", "similarity"])
    result = Result(rows=rows.num_rows)
    result.ledger.take(rows)
    result.ledger.keep(rows)
    keys = pa.array(order_keys(rows["pair_id"], task.settings["seed"]))
    store.write_table(out, rows.drop_columns(["pair_id"]).append_column("key", keys))
    return result


def plan(task: Task, store: Store) -> Result:
    """Find the cuts: which rows are queries, which passages are in the pools."""
    ranks, out = task.inputs
    settings = _settings(task)
    rows = pa.concat_tables([store.read_table(path) for path in ranks]).unify_dictionaries().combine_chunks()
    source, relation = rows["source"].cast(pa.string()), rows["relation"].cast(pa.string())
    keys, similarity = rows["key"].to_numpy(), rows["similarity"].to_numpy()
    cuts: dict[tuple[str, str], Cut] = {}
    pools: dict[str, int | None] = {}
    for name in pc.unique(source).to_pylist():
        of_source = pc.equal(source, name).to_numpy()
        pools[name] = pool_cut(keys[of_source], settings.max_pool)
        for kind in pc.unique(relation.filter(pa.array(of_source))).to_pylist():
            group = of_source & pc.equal(relation, kind).to_numpy()
            cuts[name, kind] = best_cut(similarity[group], keys[group], settings.share, settings.max_queries)
    store.write_json(out, plan_to_json(cuts, pools))
    return Result(rows=rows.num_rows)


def collect(task: Task, store: Store) -> Result:
    """Write a partition's queries and pool passages, with their vectors, into a folder per source."""
    part, index, plan_path = task.inputs
    cuts, pools = plan_from_json(store.read_json(plan_path))
    rows = store.read_table(part, _QUERY_COLUMNS)
    source, relation = rows["source"].cast(pa.string()), rows["relation"].cast(pa.string())
    keys, similarity = order_keys(rows["pair_id"], task.settings["seed"]), rows["similarity"].to_numpy()
    encoded = Encoded(task.settings["encoded"], index)
    scores = encoded.scores(store)
    at = pc.index_in(rows["pair_id"], scores["pair_id"].combine_chunks())  # similarity kept some of the encoded rows
    scores = scores.take(at)
    for number, (name, last) in enumerate(pools.items()):
        of_source = pc.equal(source, name).to_numpy()
        if not of_source.any():
            continue
        in_pool = of_source if last is None else of_source & (keys <= np.uint64(last))
        chosen = np.zeros_like(of_source)
        for kind in pc.unique(relation.filter(pa.array(of_source))).to_pylist():
            group = of_source & pc.equal(relation, kind).to_numpy()
            chosen |= group & cuts[name, kind].holds(similarity, keys)
        for folder, mask, columns, side in (
            ("pools", in_pool, _POOL_COLUMNS, "passage"),
            ("queries", chosen, _QUERY_COLUMNS, "query"),
        ):
            if mask.any():
                some = rows.filter(pa.array(mask)).select(columns)
                vector_rows = scores[f"{side}_row"].to_numpy()[mask]
                vectors = encoded.vectors(store, side, vector_rows)  # type: ignore[arg-type]
                some = some.append_column("vector", _vector_column(vectors))
                some = some.append_column("score", scores["similarity"].filter(pa.array(mask)))
                store.write_table(f"{task.folder}/{folder}/{number:05d}/part-{index:05d}.parquet", some)
    return Result(rows=rows.num_rows, bytes=rows.nbytes)


def search(task: Task, store: Store) -> Result:
    """Find the negatives of a block of a source's queries. Facts: counts of find_negatives."""
    number, start, out = task.inputs
    settings = _settings(task)
    block = _read_all(store, f"{task.folder}/queries/{number:05d}").slice(start, BLOCK).combine_chunks()
    pool_rows, vectors = _read_pool(store, f"{task.folder}/pools/{number:05d}")
    docs, questions = pc.unique(pool_rows["doc_id"]), pc.unique(pool_rows["query"])
    pool = Pool.of(
        passages=_one(pool_rows["passage"]),
        vectors=vectors,
        doc=codes(pool_rows["doc_id"], docs),
        query=codes(pool_rows["query"], questions),
    )
    queries = Queries(
        ids=block["pair_id"].to_pylist(),
        vectors=_matrix(block["vector"]),
        passages=_one(block["passage"]),
        scores=block["score"].to_numpy(),
        doc=codes(block["doc_id"], docs),
        query=codes(block["query"], questions),
    )
    found, counts = find_negatives(queries, pool, settings, task.settings["seed"])
    table = _finetune_rows(block, found, pool, settings)
    store.write_table(out, table)
    return Result(rows=block.num_rows, bytes=block.nbytes, facts={"candidates": counts})


def _finetune_rows(block: pa.Table, found: list[list[Negative]], pool: Pool, settings: MineSettings) -> pa.Table:
    relations = block["relation"].cast(pa.string()).to_pylist()
    symmetric = [relation in SYMMETRIC_RELATIONS for relation in relations]
    flat = pa.array([one.row for row in found for one in row], pa.int64())
    offsets = pa.array(np.concatenate([[0], np.cumsum([len(row) for row in found])]), pa.int32())
    columns = {
        "pair_id": block["pair_id"],
        "query": block["query"],
        "pos": pa.array([[text] for text in block["passage"].to_pylist()], pa.list_(pa.string())),
        "neg": pa.ListArray.from_arrays(offsets, pool.passages.take(flat)),
        "pos_scores": pa.array([[score] for score in block["score"].to_pylist()], pa.list_(pa.float32())),
        "neg_scores": pa.array([[round(one.score, 5) for one in row] for row in found], pa.list_(pa.float32())),
        "neg_ranks": pa.array([[one.rank for one in row] for row in found], pa.list_(pa.int32())),
        "neg_kinds": pa.array([["mined" if one.rank > 0 else "random" for one in row] for row in found]),
        "instruction": pa.array(["" if same else settings.instruction for same in symmetric]),
        "task": pa.array(["symmetric" if same else "retrieval" for same in symmetric]),
        "relation": block["relation"],
        "source": block["source"],
    }
    return pa.table([columns[name] for name in FINETUNE.names], names=FINETUNE.names).cast(FINETUNE)


def _settings(task: Task) -> MineSettings:
    return MineSettings.model_validate({name: task.settings[name] for name in MineSettings.model_fields})


def _read_all(store: Store, folder: str) -> pa.Table:
    return pa.concat_tables([store.read_table(path) for path in store.list(folder)]).unify_dictionaries()


def _read_pool(store: Store, folder: str) -> tuple[pa.Table, np.ndarray]:
    """A source's pool: its texts, and its vectors [m, dim] in one piece, of which no second copy is held."""
    paths = store.list(folder)
    tables, start = [], 0
    vectors = np.empty((0, 0), np.float32)
    for path in paths:
        rows = store.read_table(path)
        some = _matrix(rows["vector"])
        if start == 0:
            vectors = np.empty((sum(map(store.rows, paths)), some.shape[1]), np.float32)
        vectors[start : start + len(some)] = some
        start += len(some)
        tables.append(rows.drop_columns(["vector", "score"]))
    return pa.concat_tables(tables), vectors


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _vector_column(vectors: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """[n, dim] float32 of a column of vectors."""
    flat = _one(column)
    return np.ascontiguousarray(flat.flatten().to_numpy().reshape(len(flat), flat.type.list_size))
