"""The mine stage, an exchange: pairs are regrouped by pool, and each pool is searched by its queries.

A pool holds the passages of one source and one kind of task; sources with few passages share one. A search never leaves
its pool. Files below the stage's folder, and who writes them::

    step       task               reads                          writes
    1 rank     one per partition  pairs                          ranks/part: order key, similarity, source, relation
    2 plan     one                ranks/                         plan.json: which pairs are drawn, what pools hold
    3 collect  one per partition  pairs, their vectors, the plan pools/POOL/part, queries/POOL/part
      copies   one per file       dedup's rejects, the plan      copies/POOL/part: what else a passage belongs to
      curate   one per file       extract's rejects, the plan    curated/POOL/part: labelled negatives
    4 gather   one per pool       queries/POOL                   blocks/POOL/part: its queries, each text once
    5 index    one per large pool pools/POOL, blocks/POOL        indices/POOL: inverted lists
    6 search   one per block      the pool, the block            found/POOL/part: rows with negatives to spare
    7 settle   one per block      found/POOL                     finetune/part: rows whose negatives are no hubs

Each task from `plan` on leaves pairs out and counts why (``not_chosen``): with ``chosen`` the counts add up to all
pairs. Columns are listed in `cmtp.mining.files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import vector_column, vectors_of
from cmtp.dedup.references import evaluation_files
from cmtp.dedup.settings import DedupSettings
from cmtp.dedup.verdicts import Reason
from cmtp.encoders.hub import computed_identity
from cmtp.encoders.registry import check_encoder
from cmtp.engine.figures import plain_values, same, total, totals
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.filters.screen import filter_work
from cmtp.filters.settings import FilterSettings
from cmtp.mining import dense
from cmtp.mining.cross_encoder import check_cross_encoder
from cmtp.mining.curated import labelled_negatives
from cmtp.mining.files import (
    COPY_COLUMNS,
    CURATED_COLUMNS,
    POOL_COLUMNS,
    QUERY_COLUMNS,
    Kind,
    PoolFiles,
)
from cmtp.mining.hubs import settle_block
from cmtp.mining.miners import miner_cards, miner_identities
from cmtp.mining.plan import MiningPlan, groups_of, lowest_keys, plan_mining, sample_cut
from cmtp.mining.queries import gather_queries
from cmtp.mining.rules import NEGATIVE_RULES
from cmtp.mining.search import search_block
from cmtp.mining.selection import UNFIT, unfit
from cmtp.mining.settings import Decontamination, MineSettings, MineWork
from cmtp.order import order_keys
from cmtp.schema import Side
from cmtp.settings import RecipeBase
from cmtp.similarity.encode import Encoded, EncodeStage, encode_work
from cmtp.similarity.settings import EncodeWork, SimilaritySettings

MEASURED = 256
"""Queries that the recall of an approximate search is measured with."""

MANY_SHORT = 0.25
"""Share of finetune rows with too few negatives from which the stage warns."""

MANY_EMPTY = 0.05
"""Share of finetune rows without any negatives from which the stage warns: labelled rows stay without them, too."""

SAME_PASSAGE = [reason.label for reason in (Reason.DUPLICATE_PAIR, Reason.DUPLICATE_PASSAGE, Reason.NEAR_DUPLICATE)]
"""Dedup's reasons for a row whose passage is that of the row it lost to, or nearly."""


class MineEncodeStage(EncodeStage):
    """Encodes for the search, where another encoder searches than the one that scored all pairs."""

    name: ClassVar[str] = "mine-encode"

    def wanted(self, recipe: RecipeBase) -> bool:
        """See Stage."""
        return recipe.of(MineSettings).encoder not in (None, recipe.of(SimilaritySettings).encoder)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> EncodeWork:
        """See Stage."""
        encoder = recipe.of(MineSettings).encoder
        assert encoder is not None, "wanted() asks for another encoder"
        return encode_work(encoder)


class MineStage(Stage[MineWork]):
    """Writes ``finetune/part-*.parquet`` (schema FINETUNE); hands all pairs on. Reads the vectors of EncodeStage."""

    name: ClassVar[str] = "mine"
    settings: ClassVar[type[MineSettings]] = MineSettings
    reads: ClassVar[tuple[str, ...]] = ("extract", "dedup", "encode", "mine-encode")
    writes_rows: ClassVar[bool] = False

    def check(self, recipe: RecipeBase) -> None:
        """See Stage."""
        settings = recipe.of(MineSettings)
        if settings.encoder is not None:
            check_encoder("mine.encoder", settings.encoder)
        miner_cards(settings.miner)
        if settings.cross_encoder is not None:
            check_cross_encoder(settings.cross_encoder)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> MineWork:
        """See Stage."""
        settings, dedup = recipe.of(MineSettings), recipe.of(DedupSettings)
        encoded = before.get("mine-encode") or before["encode"]
        reranker = settings.cross_encoder
        return MineWork.extend(
            settings.model_copy(update={"encoder": settings.encoder or recipe.of(SimilaritySettings).encoder}),
            seed=recipe.seed,
            encoded=encoded.folder,
            extracted=before["extract"].rejects,
            deduped=before["dedup"].rejects,
            filter=filter_work(recipe.of(FilterSettings)),
            decontamination=Decontamination(
                evaluation=evaluation_files(dedup), ngram=dedup.decontaminate_ngram, share=dedup.decontaminate_share
            ),
            cross_encoder_weights=None if reranker is None else computed_identity(reranker),
            miner_identities=miner_identities(settings.miner),
        )

    def steps(self, job: Job[MineWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See Stage."""
        numbered = [*enumerate(inputs)]
        yield [task(rank_pairs, job, f"rank-{index:05d}", index, part) for index, part in numbered]
        yield [task(decide_plan, job, "plan", len(inputs))]
        lost = job.store.list(job.settings.deduped)
        labelled = job.store.list(job.settings.extracted) if job.settings.curated else ()
        yield [
            *(task(collect_pairs, job, f"collect-{index:05d}", index, part) for index, part in numbered),
            *(task(collect_copies, job, f"copies-{index:05d}", index, path) for index, path in enumerate(lost)),
            *(task(collect_labelled, job, f"curate-{index:05d}", index, path) for index, path in enumerate(labelled)),
        ]
        pools = [PoolFiles(job.store, job.folder, number) for number, _ in enumerate(read_plan(job).pools)]
        pools = [pool for pool in pools if pool.paths("queries")]
        yield [task(write_blocks, job, f"gather-{pool.number:05d}", pool.number) for pool in pools]
        large = [pool.number for pool in pools if pool.count("pools") > job.settings.exact_rows]
        yield [task(build_lists, job, f"index-{number:05d}", number) for number in large]
        blocks = [(pool.number, number) for pool in pools for number, _ in enumerate(pool.paths("blocks"))]
        for name, function in (("search", search_queries), ("settle", settle_rows)):
            yield [
                task(function, job, f"{name}-{part:05d}", part, pool, number)
                for part, (pool, number) in enumerate(blocks)
            ]

    def tables(self, run: StageRun) -> dict[str, list[str]]:
        """See Stage."""
        return {"finetune": run.files("finetune")}

    def warning(self, run: StageRun) -> str | None:
        """See Stage: rows without negatives, or many with too few, and the rule that took most."""
        return shortfall(plain_values(run.figures))


def shortfall(figures: Mapping[str, Mapping[str, int]]) -> str | None:
    """A line that says how many rows are short, and which rule took most candidates; None: few enough are short.

    Args:
        figures: of the mine stage, as in the manifest: ``rows`` (see `cmtp.mining.hubs`) and ``candidates``.
    """
    rows = figures.get("rows", {})
    none, few, every = (rows.get(name, 0) for name in ("without_negatives", "with_too_few", "all"))
    if none <= MANY_EMPTY * every and none + few <= MANY_SHORT * every:
        return None
    line = f"of {every:,} finetune rows {none:,} have no negatives and {few:,} have fewer than mine.negatives asks for"
    candidates = figures["candidates"]
    rule = max(NEGATIVE_RULES, key=lambda name: candidates[name])
    reason, settings = NEGATIVE_RULES[rule]
    return f"{line}; most candidates, {candidates[rule]:,}, were left out because {reason}: look at {settings}"


def read_plan(job: Job[MineWork]) -> MiningPlan:
    """What the task `plan` decided."""
    return MiningPlan.from_json(job.store.read_json(job.path("plan.json")))


def ranks_path(job: Job[MineWork], index: int) -> str:
    """Path of the order keys and similarities of partition `index`."""
    return job.path(f"ranks/part-{index:05d}.parquet")


def rank_pairs(job: Job[MineWork], index: int, part: str) -> Result:
    """Order keys and similarities of a partition; every row passes, so the ledger is kept here."""
    rows = job.store.read_table(part, ["pair_id", "source", "relation", "similarity"])
    result = Result(rows=rows.num_rows)
    result.ledger.take(rows)
    result.ledger.keep(rows)
    keys = pa.array(order_keys(rows["pair_id"], job.settings.seed))
    job.store.write_table(ranks_path(job, index), rows.drop_columns(["pair_id"]).append_column("key", keys))
    return result


def decide_plan(job: Job[MineWork], partitions: int) -> Result:
    """Which pairs are drawn, which passages are in the pools. Figures: rows of each pool, pairs that are not drawn."""
    ranks = [job.store.read_table(ranks_path(job, index)) for index in range(partitions)]
    rows = pa.concat_tables(ranks).unify_dictionaries().combine_chunks()
    planned = plan_mining(rows, rows["key"].to_numpy(), job.settings)
    job.store.write_json(job.path("plan.json"), planned.plan.to_json())
    sizes = {"/".join(pool): n for pool, n in planned.sizes.items()}
    return Result(rows=rows.num_rows, figures={"pools": totals(sizes), "not_chosen": totals(planned.not_drawn)})


def collect_pairs(job: Job[MineWork], index: int, part: str) -> Result:
    """Write a partition's queries and pool passages, with their vectors, into a folder per pool.

    Figures: pairs that were drawn and that a rule left out.
    """
    rows = job.store.read_table(part, QUERY_COLUMNS)
    keys, similarity = order_keys(rows["pair_id"], job.settings.seed), rows["similarity"].to_numpy()
    decided, groups = read_plan(job), groups_of(rows)
    drawn, labelled = np.zeros(rows.num_rows, bool), np.zeros(rows.num_rows, bool)
    for (source, _), relations in groups.items():
        for relation, group in relations.items():
            drawn |= group & decided.queries(source, relation, similarity, keys)
            labelled |= group & job.settings.is_labelled(source, relation)
    left_out = _leave_out(rows, drawn, labelled, job.settings)
    rows = rows.append_column("labelled", pa.array(labelled))
    write = VectorRows(job, index, rows).write
    for number, ((_, kind), pool) in enumerate(decided.pools.items()):
        pooled, queries = np.zeros(rows.num_rows, bool), np.zeros(rows.num_rows, bool)
        for source, last in pool.passages.items():
            group = np.logical_or.reduce([np.zeros(rows.num_rows, bool), *groups.get((source, kind), {}).values()])
            pooled |= group & lowest_keys(keys, last)
            queries |= group & drawn & (source in pool.searchers)
        files = PoolFiles(job.store, job.folder, number)
        write(files.path("pools", index), pooled, POOL_COLUMNS, {"vector": "passage"})
        columns = [*QUERY_COLUMNS, "labelled"]
        write(files.path("queries", index), queries, columns, {"vector": "query", "positive": "passage"})
    return Result(rows=rows.num_rows, bytes=rows.nbytes, figures={"not_chosen": totals(left_out)})


def _leave_out(rows: pa.Table, drawn: np.ndarray, labelled: np.ndarray, settings: MineWork) -> dict[str, int]:
    """Take back the pairs drawn that are not worth a row; returns how many, by reason."""
    weak = np.flatnonzero(drawn & ~labelled)
    reasons = unfit(rows.take(pa.array(weak)), settings)
    drawn[weak[reasons >= 0]] = False
    return {name: int((reasons == place).sum()) for place, name in enumerate(UNFIT)}


class VectorRows:
    """The rows of a partition with the vectors and scores that the encode stage gave them."""

    def __init__(self, job: Job[MineWork], index: int, rows: pa.Table) -> None:
        self._store, self._rows = job.store, rows
        self._encoded = Encoded(job.settings.encoded, index)
        scores = self._encoded.scores(job.store)
        # stages since dropped rows
        self._scores = scores.take(pc.index_in(rows["pair_id"], scores["pair_id"].combine_chunks()))

    def write(self, path: str, mask: np.ndarray, columns: Sequence[str], sides: Mapping[str, Side]) -> None:
        """Write some rows, with a column of vectors for each of `sides`, and ``score``; nothing if there are none."""
        if not mask.any():
            return
        chosen = self._rows.filter(pa.array(mask)).select(columns)
        for column, side in sides.items():
            vectors = self._encoded.vectors(self._store, side, self._scores[f"{side}_row"].to_numpy()[mask])
            chosen = chosen.append_column(column, vector_column(vectors.astype(np.float16)))
        score = self._scores["similarity"].filter(pa.array(mask))
        self._store.write_table(path, chosen.append_column("score", score))


def collect_copies(job: Job[MineWork], index: int, source: str) -> Result:
    """Which passages of a pool dedup found again elsewhere: there they belong to another query and document, too."""
    rows = job.store.read_table(source, [*COPY_COLUMNS, "source", "relation", "reason"])
    same_passage = pc.is_in(rows["reason"].cast(pa.string()), pa.array(SAME_PASSAGE))
    rows = rows.filter(pc.and_(same_passage, pc.is_valid(rows["kept_id"])))
    _write_by_pool(job, rows, "copies", index)
    return Result(rows=rows.num_rows, figures={"known_again": total(rows.num_rows)})


def collect_labelled(job: Job[MineWork], index: int, source: str) -> Result:
    """Labelled negatives, by pool. Figures: how many were labelled, and left out."""
    rejects = job.store.read_table(source)
    rows, counts = labelled_negatives(rejects, job.settings.filter, job.settings.decontamination)
    _write_by_pool(job, rows, "curated", index)
    return Result(rows=counts["labelled"], figures={"curated": totals(counts)})


def _write_by_pool(job: Job[MineWork], rows: pa.Table, kind: Kind, index: int) -> None:
    """Write rows, without source and relation, into a folder per pool."""
    columns = COPY_COLUMNS if kind == "copies" else CURATED_COLUMNS
    groups = groups_of(rows)
    for number, ((_, name), pool) in enumerate(read_plan(job).pools.items()):
        masks = [mask for source in pool.passages for mask in groups.get((source, name), {}).values()]
        if masks:
            path = PoolFiles(job.store, job.folder, number).path(kind, index)
            job.store.write_table(path, rows.filter(pa.array(np.logical_or.reduce(masks))).select(columns))


def write_blocks(job: Job[MineWork], number: int) -> Result:
    """Write the blocks of a pool's queries. Figures: rows that have the query of another, and those beyond the cap."""
    counts = gather_queries(PoolFiles(job.store, job.folder, number), job.settings)
    return Result(rows=0, figures={"not_chosen": totals(counts)})


def build_lists(job: Job[MineWork], number: int) -> Result:
    """Inverted lists of a large pool. Figures: their size, and the recall measured."""
    settings = job.settings
    files = PoolFiles(job.store, job.folder, number)
    recall = dense.Recall(_sample_queries(files, settings.seed), settings.last_rank, settings.recall)
    rows = files.count("pools")
    lists, measured = dense.build_index(files.vectors, rows, recall, settings.seed)
    dense.save(lists, job.store, files.index_path)
    name = "/".join(list(read_plan(job).pools)[number])
    return Result(rows=rows, figures={"approximate": {name: {key: same(value) for key, value in measured.items()}}})


def _sample_queries(files: PoolFiles, seed: int) -> np.ndarray:
    """Vectors of the MEASURED queries with the lowest order keys, [·, dim] float32."""
    keys = [order_keys(table["pair_id"], seed) for table in files.tables("blocks", ["pair_id"])]
    last = sample_cut(np.concatenate(keys), MEASURED)
    sample = []
    for own, table in zip(keys, files.tables("blocks", ["vector"]), strict=True):
        vectors = vectors_of(table["vector"], np.float32)
        sample.append(vectors if last is None else vectors[own <= np.uint64(last)])
    return np.concatenate(sample)


def search_queries(job: Job[MineWork], part: int, pool: int, number: int) -> Result:
    """Find positives and negatives of a block of a pool's queries. Figures: what became of rows and candidates."""
    files = PoolFiles(job.store, job.folder, pool)
    table, figures = search_block(files, number, job.settings)
    job.store.write_table(files.path("found", number), table)
    return Result(rows=table.num_rows, bytes=table.nbytes, figures=figures)


def settle_rows(job: Job[MineWork], part: int, pool: int, number: int) -> Result:
    """Write the finetune rows of a block. Figures: see `settle_block`."""
    table, figures = settle_block(PoolFiles(job.store, job.folder, pool), number, job.settings)
    job.store.write_table(job.path(f"finetune/part-{part:05d}.parquet"), table)
    return Result(rows=table.num_rows, bytes=table.nbytes, figures=figures)
