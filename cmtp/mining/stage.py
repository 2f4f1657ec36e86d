"""The mine stage, an exchange: rank → plan → collect by pool → search by pool and block of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.mining import files
from cmtp.mining.curated import labelled_negatives
from cmtp.mining.lists import build, save
from cmtp.mining.search import search_block
from cmtp.mining.select import Cut, best_cut, plan_from_json, plan_to_json, pool_cut, pool_of
from cmtp.shards.order import order_keys
from cmtp.similarity.encode import Encoded

HERE = "cmtp.mining.stage"
BLOCK = 4096
"""Queries per search task: enough that reading the pool is small beside searching it."""

MEASURED = 256
"""Queries that the recall of an approximate search is measured with."""

SAME_PASSAGE = ("duplicate_pair", "duplicate_passage", "near_duplicate")
"""Dedup's reasons for a row whose passage lives on in the row it lost to."""

_QUERY_COLUMNS = ["pair_id", "query", "passage", "relation", "source", "doc_id", "similarity"]
_POOL_COLUMNS = ["pair_id", "query", "passage", "doc_id"]
_TWIN_COLUMNS = ["kept_id", "query", "doc_id"]


class MineStage:
    """Writes ``finetune/part-*.parquet`` (schema FINETUNE); hands all pairs on. Reads the vectors of EncodeStage.

    Settings: `cmtp.mining.settings.mine_settings`.
    """

    name: ClassVar[str] = "mine"
    code: ClassVar[tuple[str, ...]] = (
        "cmtp.mining",
        "cmtp.dedup",
        "cmtp.encoders",
        "cmtp.filters",
        "cmtp.text",
        "cmtp.shards.order",
        "cmtp.similarity.encode",
    )
    rejects_rows: ClassVar[bool] = False

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage."""

        def task(function: str, name: str, inputs: list[Any]) -> Task:
            return Task(f"{HERE}:{function}", job.folder, name, inputs, job.settings)

        ranks = [f"{job.folder}/ranks/part-{i:05d}.parquet" for i in range(len(job.inputs))]
        plan = f"{job.folder}/plan.json"
        yield [task("rank", f"rank-{i:05d}", [p, r]) for i, (p, r) in enumerate(zip(job.inputs, ranks, strict=True))]
        yield [task("plan", "plan-00000", [ranks, plan])]
        collect = [task("collect", f"collect-{i:05d}", [part, i, plan]) for i, part in enumerate(job.inputs)]
        lost = job.store.list(job.settings["deduped"])
        collect += [task("twins", f"twins-{i:05d}", [path, plan]) for i, path in enumerate(lost)]
        set_aside = job.store.list(job.settings["extracted"]) if job.settings["curated"] else ()
        collect += [task("curate", f"curate-{i:05d}", [path, plan]) for i, path in enumerate(set_aside)]
        yield collect
        indices: list[Task] = []
        searches: list[Task] = []
        for number, _ in enumerate(plan_from_json(job.store.read_json(plan))[1]):
            if files.count(job.store, job.folder, "pools", number) > job.settings["exact_rows"]:
                indices.append(task("index", f"index-{number:05d}", [number]))
            for start in range(0, files.count(job.store, job.folder, "queries", number), BLOCK):
                out = f"{job.folder}/finetune/part-{len(searches):05d}.parquet"
                searches.append(task("search", f"search-{len(searches):05d}", [number, start, out]))
        yield indices
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
    """Find the cuts: which rows are queries, which passages are in the pools. Facts: rows of each pool."""
    ranks, out = task.inputs
    settings = files.settings(task)
    rows = pa.concat_tables([store.read_table(path) for path in ranks]).unify_dictionaries().combine_chunks()
    keys, similarity = rows["key"].to_numpy(), rows["similarity"].to_numpy()
    cuts: dict[tuple[str, str], Cut] = {}
    pools: dict[tuple[str, str], int | None] = {}
    facts: dict[str, int] = {}
    for name, relations in _groups(rows).items():
        pooled = np.zeros(rows.num_rows, bool)
        for relation, group in relations.items():
            cuts[name[0], relation] = best_cut(similarity[group], keys[group], settings.share, settings.max_queries)
            pooled |= group
        pools[name] = pool_cut(keys[pooled], settings.max_pool)
        facts["/".join(name)] = min(int(pooled.sum()), settings.max_pool)
    store.write_json(out, plan_to_json(cuts, pools))
    return Result(rows=rows.num_rows, facts={"pools": facts})


def collect(task: Task, store: Store) -> Result:
    """Write a partition's queries and pool passages, with their vectors, into a folder per pool."""
    part, index, plan_path = task.inputs
    cuts, pools = plan_from_json(store.read_json(plan_path))
    rows = store.read_table(part, _QUERY_COLUMNS)
    keys, similarity = order_keys(rows["pair_id"], task.settings["seed"]), rows["similarity"].to_numpy()
    encoded = Encoded(task.settings["encoded"], index)
    scores = encoded.scores(store)
    at = pc.index_in(rows["pair_id"], scores["pair_id"].combine_chunks())  # similarity kept some of the encoded rows
    scores = scores.take(at)
    groups = _groups(rows)
    for number, (name, last) in enumerate(pools.items()):
        in_pool, chosen = np.zeros(rows.num_rows, bool), np.zeros(rows.num_rows, bool)
        for relation, group in groups.get(name, {}).items():
            in_pool |= group if last is None else group & (keys <= np.uint64(last))
            chosen |= group & cuts[name[0], relation].holds(similarity, keys)
        for kind, mask, columns, sides in (
            ("pools", in_pool, _POOL_COLUMNS, {"vector": "passage"}),
            ("queries", chosen, _QUERY_COLUMNS, {"vector": "query", "positive": "passage"}),
        ):
            if mask.any():
                some = rows.filter(pa.array(mask)).select(columns)
                for column, side in sides.items():
                    vectors = encoded.vectors(store, side, scores[f"{side}_row"].to_numpy()[mask])  # type: ignore[arg-type]
                    some = some.append_column(column, files.vector_column(vectors))
                some = some.append_column("score", scores["similarity"].filter(pa.array(mask)))
                store.write_table(files.path(task.folder, kind, number, index), some)
    return Result(rows=rows.num_rows, bytes=rows.nbytes)


def twins(task: Task, store: Store) -> Result:
    """Which passages of a pool dedup found again elsewhere: there they belong to another query and document, too."""
    source, plan_path = task.inputs
    rows = store.read_table(source, [*_TWIN_COLUMNS, "source", "relation", "reason"])
    same = pc.is_in(rows["reason"].cast(pa.string()), pa.array(SAME_PASSAGE))
    rows = rows.filter(pc.and_(same, pc.is_valid(rows["kept_id"])))
    _part(rows, _TWIN_COLUMNS, "twins", plan_path, task, store)
    return Result(rows=rows.num_rows, facts={"known_again": rows.num_rows})


def curate(task: Task, store: Store) -> Result:
    """Labelled negatives, by pool. Facts: how many were labelled, and left out."""
    source, plan_path = task.inputs
    rows, counts = labelled_negatives(source, task, store)
    _part(rows, ["query", "passage"], "curated", plan_path, task, store)
    return Result(rows=counts["labelled"], facts={"curated": counts})


def _part(rows: pa.Table, columns: list[str], kind: str, plan_path: str, task: Task, store: Store) -> None:
    """Write rows into a folder per pool."""
    groups = _groups(rows)
    for number, name in enumerate(plan_from_json(store.read_json(plan_path))[1]):
        if name in groups:
            mask = np.logical_or.reduce(list(groups[name].values()))
            store.write_table(
                files.path(task.folder, kind, number, task.index), rows.filter(pa.array(mask)).select(columns)
            )


def index(task: Task, store: Store) -> Result:
    """Inverted lists of a large pool. Facts: their size, and the recall measured."""
    (number,) = task.inputs
    seed, settings = task.settings["seed"], files.settings(task)
    paths = files.paths(store, task.folder, "queries", number)
    keys = [order_keys(store.read_table(path, ["pair_id"])["pair_id"], seed) for path in paths]
    last = pool_cut(np.concatenate(keys), MEASURED)
    sample = []
    for path, own in zip(paths, keys, strict=True):
        vectors = files.matrix(store.read_table(path, ["vector"])["vector"])
        sample.append(vectors if last is None else vectors[own <= np.uint64(last)])
    pools = files.paths(store, task.folder, "pools", number)

    def blocks() -> Iterator[np.ndarray]:
        for path in pools:
            yield files.matrix(store.read_table(path, ["vector"])["vector"])

    total = files.count(store, task.folder, "pools", number)
    found, facts = build(blocks, total, np.concatenate(sample), settings.last_rank, settings.recall, seed)
    save(found, store, files.index_path(task.folder, number))
    names = list(plan_from_json(store.read_json(f"{task.folder}/plan.json"))[1])
    return Result(rows=total, facts={"approximate": {"/".join(names[number]): facts}})


def search(task: Task, store: Store) -> Result:
    """Find the negatives of a block of a pool's queries. Facts: what became of the candidates."""
    number, start, out = task.inputs
    table, facts = search_block(task, store, number, start, BLOCK)
    store.write_table(out, table)
    return Result(rows=table.num_rows, bytes=table.nbytes, facts=facts)


def _groups(rows: pa.Table) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """The rows of each source and pool, by relation: bool [n] each, in order of their names."""
    source, relation = rows["source"].cast(pa.string()), rows["relation"].cast(pa.string())
    groups: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for name in sorted(pc.unique(source).to_pylist()):
        of_source = pc.equal(source, name).to_numpy()
        for kind in sorted(pc.unique(relation.filter(pa.array(of_source))).to_pylist()):
            group = of_source & pc.equal(relation, kind).to_numpy()
            groups.setdefault((name, pool_of(kind)), {})[kind] = group
    return groups
