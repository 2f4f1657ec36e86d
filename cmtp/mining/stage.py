"""The mine stage, an exchange: pairs are regrouped by pool, and each pool is searched by its queries.

A pool holds the passages of one source and one kind of task, so that a search never leaves either. Files below the
stage's folder, and who writes them::

    step      task                 reads                         writes
    1 rank    one per partition    pairs                         ranks/part: order key, similarity, source, relation
    2 plan    one                  ranks/                        plan.json: which rows are queries, which are in pools
    3 collect one per partition    pairs, their vectors, plan    pools/POOL/part, queries/POOL/part
      copies  one per file of dedup's rejects                    copies/POOL/part: what else a passage belongs to
      curate  one per file of extract's rejects                  curated/POOL/part: labelled negatives
    4 index   one per large pool   pools/POOL, queries/POOL      indices/POOL: inverted lists
    5 search  one per pool and     all of the pool               finetune/part
              block of its queries

`plan` decides which pairs become finetune rows, `search` which negatives they get. Columns are listed in
`cmtp.mining.files`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import vector_column, vectors_of
from cmtp.dedup.verdicts import Reason
from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.mining import dense
from cmtp.mining.curated import labelled_negatives
from cmtp.mining.files import COPY_COLUMNS, CURATED_COLUMNS, POOL_COLUMNS, QUERY_COLUMNS, Kind, PoolFiles
from cmtp.mining.plan import Plan, groups_of, make_plan, sample_cut
from cmtp.mining.search import Block, search_block
from cmtp.recipe import MineSettings
from cmtp.shards.order import order_keys
from cmtp.similarity.encode import Encoded

HERE = "cmtp.mining.stage"
BLOCK = 4096
"""Queries per search task: enough that reading the pool is small beside searching it."""

MEASURED = 256
"""Queries that the recall of an approximate search is measured with."""

SAME_PASSAGE = [reason.label for reason in (Reason.DUPLICATE_PAIR, Reason.DUPLICATE_PASSAGE, Reason.NEAR_DUPLICATE)]
"""Dedup's reasons for a row whose passage is that of the row it lost to, or nearly."""


class MineStage:
    """Writes ``finetune/part-*.parquet`` (schema FINETUNE); hands all pairs on. Reads the vectors of EncodeStage.

    Settings: `cmtp.mining.settings.mine_settings`.
    """

    name: ClassVar[str] = "mine"
    code: ClassVar[tuple[str, ...]] = (
        "cmtp.mining",
        "cmtp.kernels",
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
        collecting = [task("collect", f"collect-{i:05d}", [part, i, plan]) for i, part in enumerate(job.inputs)]
        lost = job.store.list(job.settings["deduped"])
        collecting += [task("copies", f"copies-{i:05d}", [path, plan]) for i, path in enumerate(lost)]
        set_aside = job.store.list(job.settings["extracted"]) if job.settings["curated"] else ()
        collecting += [task("curate", f"curate-{i:05d}", [path, plan]) for i, path in enumerate(set_aside)]
        yield collecting
        indexing: list[Task] = []
        searching: list[Task] = []
        for number, _ in enumerate(read_plan(job.store, job.folder).pools):
            files = PoolFiles(job.store, job.folder, number)
            if files.count("pools") > job.settings["exact_rows"]:
                indexing.append(task("index", f"index-{number:05d}", [number]))
            for start in range(0, files.count("queries"), BLOCK):
                out = f"{job.folder}/finetune/part-{len(searching):05d}.parquet"
                searching.append(task("search", f"search-{len(searching):05d}", [number, start, out]))
        yield indexing
        yield searching


def read_plan(store: Store, folder: str) -> Plan:
    """What the task `plan` decided."""
    return Plan.from_json(store.read_json(f"{folder}/plan.json"))


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
    settings = mine_settings_of(task)
    rows = pa.concat_tables([store.read_table(path) for path in ranks]).unify_dictionaries().combine_chunks()
    keys = rows["key"].to_numpy()
    found, sizes = make_plan(rows, keys, settings.share, settings.max_queries, settings.max_pool)
    store.write_json(out, found.to_json())
    return Result(rows=rows.num_rows, facts={"pools": {"/".join(name): size for name, size in sizes.items()}})


def collect(task: Task, store: Store) -> Result:
    """Write a partition's queries and pool passages, with their vectors, into a folder per pool."""
    part, index, plan_path = task.inputs
    plan = Plan.from_json(store.read_json(plan_path))
    rows = store.read_table(part, QUERY_COLUMNS)
    keys, similarity = order_keys(rows["pair_id"], task.settings["seed"]), rows["similarity"].to_numpy()
    encoded = Encoded(task.settings["encoded"], index)
    scores = encoded.scores(store)
    encoded_row = pc.index_in(rows["pair_id"], scores["pair_id"].combine_chunks())  # later stages kept some of the rows
    scores = scores.take(encoded_row)
    groups = groups_of(rows)

    def write(files: PoolFiles, kind: Kind, mask: np.ndarray, columns: list[str], sides: dict[str, Any]) -> None:
        if not mask.any():
            return
        some = rows.filter(pa.array(mask)).select(columns)
        for column, side in sides.items():
            vectors = encoded.vectors(store, side, scores[f"{side}_row"].to_numpy()[mask])
            some = some.append_column(column, vector_column(vectors.astype(np.float16)))
        some = some.append_column("score", scores["similarity"].filter(pa.array(mask)))
        store.write_table(files.path(kind, index), some)

    for number, pool in enumerate(plan.pools):
        pooled, chosen = np.zeros(rows.num_rows, bool), np.zeros(rows.num_rows, bool)
        for relation, group in groups.get(pool, {}).items():
            pooled |= group & plan.passages(pool, keys)
            chosen |= group & plan.queries(pool[0], relation, similarity, keys)
        files = PoolFiles(store, task.folder, number)
        write(files, "pools", pooled, POOL_COLUMNS, {"vector": "passage"})
        write(files, "queries", chosen, QUERY_COLUMNS, {"vector": "query", "positive": "passage"})
    return Result(rows=rows.num_rows, bytes=rows.nbytes)


def copies(task: Task, store: Store) -> Result:
    """Which passages of a pool dedup found again elsewhere: there they belong to another query and document, too."""
    source, plan_path = task.inputs
    rows = store.read_table(source, [*COPY_COLUMNS, "source", "relation", "reason"])
    same = pc.is_in(rows["reason"].cast(pa.string()), pa.array(SAME_PASSAGE))
    rows = rows.filter(pc.and_(same, pc.is_valid(rows["kept_id"])))
    write_by_pool(rows.select([*COPY_COLUMNS, "source", "relation"]), "copies", plan_path, task, store)
    return Result(rows=rows.num_rows, facts={"known_again": rows.num_rows})


def curate(task: Task, store: Store) -> Result:
    """Labelled negatives, by pool. Facts: how many were labelled, and left out."""
    source, plan_path = task.inputs
    rejects = store.read_table(source)
    rows, counts = labelled_negatives(rejects, task.settings["filter"], task.settings["decontaminate"])
    write_by_pool(rows, "curated", plan_path, task, store)
    return Result(rows=counts["labelled"], facts={"curated": counts})


def write_by_pool(rows: pa.Table, kind: Kind, plan_path: str, task: Task, store: Store) -> None:
    """Write rows, without source and relation, into a folder per pool."""
    columns = COPY_COLUMNS if kind == "copies" else CURATED_COLUMNS
    groups = groups_of(rows)
    for number, pool in enumerate(Plan.from_json(store.read_json(plan_path)).pools):
        if pool in groups:
            mask = np.logical_or.reduce(list(groups[pool].values()))
            path = PoolFiles(store, task.folder, number).path(kind, task.index)
            store.write_table(path, rows.filter(pa.array(mask)).select(columns))


def index(task: Task, store: Store) -> Result:
    """Inverted lists of a large pool. Facts: their size, and the recall measured."""
    (number,) = task.inputs
    seed, settings = task.settings["seed"], mine_settings_of(task)
    files = PoolFiles(store, task.folder, number)
    recall = dense.Recall(sample_queries(files, seed), settings.last_rank, settings.recall)
    total = files.count("pools")
    lists, facts = dense.build(files.vectors, total, recall, seed)
    dense.save(lists, store, files.index_path)
    name = list(read_plan(store, task.folder).pools)[number]
    return Result(rows=total, facts={"approximate": {"/".join(name): facts}})


def sample_queries(files: PoolFiles, seed: int) -> np.ndarray:
    """Vectors of the MEASURED queries with the lowest order keys, [·, dim] float32."""
    keys = [order_keys(table["pair_id"], seed) for table in files.tables("queries", ["pair_id"])]
    last = sample_cut(np.concatenate(keys), MEASURED)
    sample = []
    for own, table in zip(keys, files.tables("queries", ["vector"]), strict=True):
        vectors = vectors_of(table["vector"], np.float32)
        sample.append(vectors if last is None else vectors[own <= np.uint64(last)])
    return np.concatenate(sample)


def search(task: Task, store: Store) -> Result:
    """Find the negatives of a block of a pool's queries. Facts: what became of the candidates."""
    number, start, out = task.inputs
    files = PoolFiles(store, task.folder, number)
    settings, encoder, seed = mine_settings_of(task), task.settings["encoder"], task.settings["seed"]
    table, facts = search_block(files, Block(start, BLOCK), settings, encoder, seed)
    store.write_table(out, table)
    return Result(rows=table.num_rows, bytes=table.nbytes, facts=facts)


def mine_settings_of(task: Task) -> MineSettings:
    """The recipe's mine settings of a task."""
    return MineSettings.model_validate({name: task.settings[name] for name in MineSettings.model_fields})
