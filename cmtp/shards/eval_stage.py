"""The eval stage: keeps documents out of the tables that are trained on, with all that says the same.

A document is never held out alone. Its query may be another's too, and its passages may stand in another version of
it. So documents with a query in common are held out together or not at all, and what training holds of them all the
same is neither trained on nor searched for. Files below the stage's folder, and who writes them::

    step       task               reads                          writes
    1 keys     one per partition  pairs                          keys/part: document and query of each row, as hashes
    2 draw     one                keys/                          drawn.parquet: the documents that may be held out
    3 collect  one per partition  pairs, drawn                   passages/part: their passages
    4 compare  one per partition  pairs, passages/               holders/part: which documents hold these passages
    5 settle   one                all but the pairs              held.parquet: documents; known.parquet: rows left out
    6 part     one per partition  pairs, held, known             kept/part, rejects/part
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import codes_in, distinct
from cmtp.engine.figures import Figures, plain_values, same, total, totals
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Result, Task, task
from cmtp.order import order_keys
from cmtp.partition import write_verdicts
from cmtp.settings import RecipeBase
from cmtp.shards.clusters import HeldPassages, clusters_by_query, holders, index_passages, settle_held
from cmtp.shards.settings import EvalSettings
from cmtp.text.compare import fold
from cmtp.text.hashes import hash_folded

SCORED_ON: Final = "held_out"
"""Reason of the rows that models are scored on."""

KNOWN: Final = "held_out_known"
"""Reason of the rows of held-out documents whose query or passage stands in training as well."""

LARGE_CLUSTER: Final = 0.1
"""Share of the documents wanted that one cluster may have; a cluster of `LEAST_CLUSTER` may always be held out."""

LEAST_CLUSTER: Final = 5

NAMED_TEST: Final = re.compile(
    r"(?:^|[^0-9a-z])(?:test|dev|valid|validation|testset|devset|eval)(?:[^a-z/][^/]*)?"
    r"\.(?:jsonl?|csv|tsv|txt|parquet|arrow|xml|xlsx?)(?:\.[a-z0-9]+)?$",
    re.IGNORECASE,
)
"""A file of records that calls itself a test: dev.json, cmrc2018_test.jsonl.gz. Articles about tests are none."""


class EvalStage(Stage[EvalSettings]):
    """Rejects the pairs of held-out documents: those called ``held_out`` are the set that models are scored on.

    The stage comes after similarity, so that held-out pairs have passed the same tests as pairs for training. It comes
    before mine, so that their passages are not negatives of other queries.
    """

    name: ClassVar[str] = "eval"
    settings: ClassVar[type[EvalSettings]] = EvalSettings

    def wanted(self, recipe: RecipeBase) -> bool:
        """Not in a recipe that holds nothing out."""
        return recipe.of(EvalSettings).share != 0

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> EvalSettings:
        """See Stage."""
        return recipe.of(EvalSettings)

    def steps(self, job: Job[EvalSettings], inputs: list[str]) -> Iterator[list[Task]]:
        """See the module."""
        parts = [*enumerate(inputs)]
        yield [task(write_keys, job, f"keys-{index:05d}", index, part) for index, part in parts]
        yield [task(draw_documents, job, "draw", len(inputs))]
        if job.store.rows(job.path(DRAWN)):
            yield [task(collect_passages, job, f"collect-{index:05d}", index, part) for index, part in parts]
            yield [task(compare_passages, job, f"compare-{index:05d}", index, part) for index, part in parts]
        yield [task(settle, job, "settle", len(inputs))]
        yield [task(part_rows, job, f"part-{index:05d}", index, part) for index, part in parts]

    def warning(self, run: StageRun) -> str | None:
        """See Stage: files that call themselves test or dev and are trained on."""
        files = plain_values(run.figures).get("named_test", {})
        if not files:
            return None
        names = ", ".join(sorted(files, key=lambda name: (-files[name], name))[:3])
        return (
            f"{sum(files.values()):,} pairs come from {len(files)} files that call themselves test or dev ({names}): "
            "they are trained on; leave the files out if a model is to be scored on them"
        )


DRAWN: Final = "drawn.parquet"
HELD: Final = "held.parquet"
KNOWN_ROWS: Final = "known.parquet"


def held_documents(store: Store, folder: str) -> pa.ChunkedArray:
    """Ids of the documents that the eval stage in a folder has held out."""
    return store.read_table(f"{folder}/{HELD}")["doc_id"]


def write_keys(job: Job[EvalSettings], index: int, part: str) -> Result:
    """Document and query of each row, as hashes. Figures: rows of files that call themselves test."""
    rows = job.store.read_table(part, ["doc_id", "query", "origin"])
    files, code, _ = distinct(pc.replace_substring_regex(rows["origin"], r"#[^#]*$", ""))
    counts = np.bincount(code, minlength=len(files)).tolist()
    named = {name: n for name, n in zip(files.to_pylist(), counts, strict=True) if NAMED_TEST.search(name)}
    query = hash_folded(fold(rows["query"]))[:, 0]
    job.store.write_table(_keys_path(job, index), pa.table({"doc_id": rows["doc_id"], "query": query}))
    return Result(rows=rows.num_rows, figures={"named_test": totals(named)} if named else {})


def _keys_path(job: Job[EvalSettings], index: int) -> str:
    return job.path(f"keys/part-{index:05d}.parquet")


def _read_keys(job: Job[EvalSettings], partitions: int) -> pa.Table:
    return pa.concat_tables([job.store.read_table(_keys_path(job, index)) for index in range(partitions)])


def draw_documents(job: Job[EvalSettings], partitions: int) -> Result:
    """Draw clusters of documents that have a query in common: by a seeded hash of the lowest id in each.

    Figures: the share that was asked for.
    """
    keys = _read_keys(job, partitions)
    ids = pc.unique(keys["doc_id"]).sort()
    cluster = clusters_by_query(codes_in(keys["doc_id"], ids), keys["query"].to_numpy(), len(ids))
    share = job.settings.share_of(len(ids))
    names = order_keys(ids.take(pa.array(cluster)), job.settings.seed)
    most = max(LARGE_CLUSTER * share * len(ids), LEAST_CLUSTER)
    drawn = (names < np.uint64(share * 2.0**64)) & (np.bincount(cluster, minlength=len(ids))[cluster] <= most)
    table = pa.table({"doc_id": ids, "cluster": cluster}).filter(pa.array(drawn))
    job.store.write_table(job.path(DRAWN), table)
    figures: Figures = {"share": same(share), "seed": same(job.settings.seed), "drawn": total(table.num_rows)}
    return Result(rows=keys.num_rows, figures=figures)


def collect_passages(job: Job[EvalSettings], index: int, part: str) -> Result:
    """Write the rows of the drawn documents."""
    rows = job.store.read_table(part, ["pair_id", "doc_id", "passage", "query"])
    drawn = job.store.read_table(job.path(DRAWN))
    rows = rows.filter(pc.is_in(rows["doc_id"], drawn["doc_id"].combine_chunks()))
    job.store.write_table(_passages_path(job, index), rows)
    return Result(rows=rows.num_rows)


def _passages_path(job: Job[EvalSettings], index: int) -> str:
    return job.path(f"passages/part-{index:05d}.parquet")


def _read_passages(store: Store, folder: str) -> pa.Table:
    return pa.concat_tables([store.read_table(path) for path in store.list(f"{folder}/passages")]).combine_chunks()


@lru_cache(maxsize=1)
def _index(root: str, folder: str) -> HeldPassages:
    """The index of the drawn documents' passages. A worker keeps it, because every partition needs it."""
    return index_passages(_read_passages(Store(root), folder)["passage"].combine_chunks())


def compare_passages(job: Job[EvalSettings], index: int, part: str) -> Result:
    """Which rows hold passages of the drawn documents. Writes passage and document, each pair once."""
    rows = job.store.read_table(part, ["doc_id", "passage"])
    found = holders(fold(rows["passage"]), _index(job.store.root, job.folder))
    table = pa.table({"passage": found[:, 1], "doc_id": rows["doc_id"].take(pa.array(found[:, 0]))})
    each_once = table.group_by(["passage", "doc_id"], use_threads=False).aggregate([])
    job.store.write_table(_holders_path(job, index), each_once)
    return Result(rows=rows.num_rows, bytes=rows.nbytes)


def _holders_path(job: Job[EvalSettings], index: int) -> str:
    return job.path(f"holders/part-{index:05d}.parquet")


def settle(job: Job[EvalSettings], partitions: int) -> Result:
    """Decide which documents are held out, and which of their rows are known in training.

    Figures: documents held out, and those that were drawn and are trained on because too much of them is known.
    """
    drawn = job.store.read_table(job.path(DRAWN))
    ids, known_rows = drawn["doc_id"].combine_chunks(), pa.array([], pa.string())
    held = np.zeros(0, bool)
    if len(ids):
        rows = _read_passages(job.store, job.folder)
        keys = _read_keys(job, partitions)
        owner = codes_in(rows["doc_id"], ids)
        found = pa.concat_tables([job.store.read_table(_holders_path(job, index)) for index in range(partitions)])
        passage, document = found["passage"].to_numpy(), codes_in(found["doc_id"], ids)
        query, asks = hash_folded(fold(rows["query"]))[:, 0], keys["query"].to_numpy()
        outside = document < 0
        in_training = np.bincount(passage[outside], minlength=rows.num_rows) > 0
        known_query = np.isin(query, asks[codes_in(keys["doc_id"], ids) < 0])
        other = ~outside & (document != owner[passage])
        edges = np.stack([passage[other], document[other]], 1)
        weight = np.bincount(owner[known_query], minlength=len(ids)) / np.maximum(np.bincount(owner), 1)
        settled = settle_held(owner, in_training, weight, edges, drawn["cluster"].to_numpy())
        held = settled.documents
        trained = codes_in(keys["doc_id"], ids.filter(pa.array(held))) < 0
        known = settled.known | np.isin(query, asks[trained])
        known_rows = rows["pair_id"].filter(pa.array(known & held[owner])).combine_chunks()
    job.store.write_table(job.path(HELD), pa.table({"doc_id": ids.filter(pa.array(held)) if len(held) else ids}))
    job.store.write_table(job.path(KNOWN_ROWS), pa.table({"pair_id": known_rows}))
    return Result(rows=0, figures={"held": total(int(held.sum())), "returned": total(int((~held).sum()))})


def part_rows(job: Job[EvalSettings], index: int, part: str) -> Result:
    """Part the rows of one partition by their document."""
    rows = job.store.read_table(part)
    held = pc.is_in(rows["doc_id"], held_documents(job.store, job.folder).combine_chunks())
    rejected = rows.filter(held)
    known = pc.is_in(rejected["pair_id"], job.store.read_table(job.path(KNOWN_ROWS))["pair_id"].combine_chunks())
    reason = [KNOWN if one else SCORED_ON for one in known.to_pylist()]
    evidence = json.dumps({"share": job.settings.share, "seed": job.settings.seed})
    return write_verdicts(
        job,
        index,
        rows,
        kept=rows.filter(pc.invert(held)),
        rejected=rejected,
        stage=EvalStage.name,
        reason=reason,
        evidence=[evidence] * len(reason),
    )
