"""The search of a block of a pool's queries: read the pool, find positives and negatives, make rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.columns import vectors_of
from cmtp.encoders.registry import load_encoder
from cmtp.engine.figures import Figures, same, total, totals
from cmtp.mining.cross_encoder import CrossEncoder, Rescore, load_cross_encoder
from cmtp.mining.curated import curated_negatives
from cmtp.mining.dense import Hits
from cmtp.mining.files import FOUND_ROWS, PoolFiles, read_pool
from cmtp.mining.hubs import SPARE_NEGATIVES
from cmtp.mining.miners import OpenMiner, open_miners
from cmtp.mining.negatives import Mined, Negative, find_negatives
from cmtp.mining.pool import Pool, Queries
from cmtp.mining.queries import read_centre
from cmtp.mining.rules import NEGATIVE_RULES
from cmtp.mining.selection import unfit
from cmtp.mining.settings import MineSettings, MineWork
from cmtp.relations import RELATIONS
from cmtp.schema import FINETUNE

SEVERAL_DOCUMENTS = 3
"""Passages in other documents from which a query that is not labelled names none of them: 总结, 無題."""


class Positives(NamedTuple):
    """The passages that belong to a query.

    Attributes:
        texts: its own passage first, the others by score.
        scores: cosines with the query, or the cross-encoder's scores.
    """

    texts: list[str]
    scores: list[float]


class GivenHits:
    """A `Miner` that has searched already."""

    def __init__(self, hits: Hits) -> None:
        self._hits = hits

    def nearest(self, queries: Queries, k: int) -> Hits:
        """See `Miner`."""
        return self._hits


def search_block(files: PoolFiles, number: int, settings: MineWork) -> tuple[pa.Table, Figures]:
    """What a block of a pool's queries found, and figures for the manifest.

    1. The miners search for all queries.
    2. A pair that is not labelled goes when its own passage is not among the first, or when its query names several.
    3. The rules choose negatives, more than a row keeps (`cmtp.mining.hubs`).

    Args:
        files: the pool's.
        number: of the block.
        settings: of the mine stage.

    Returns:
        Rows of the schema FINETUNE with ``labelled`` and ``neg_rows``. Figures: ``candidates`` (those that the rules
        took), ``not_chosen`` (``not_found``, ``ambiguous_query``) and, where there are any, ``curated`` and
        ``cross_encoder``.
    """
    rows = files.store.read_table(files.paths("blocks")[number]).combine_chunks()
    pool = read_pool(files, settings.exact_rows, settings.seed)
    vectors, positives = vectors_of(rows["vector"], np.float32), vectors_of(rows["positive"], np.float32)
    queries = Queries.of(rows, pool, vectors, positives, read_centre(files))
    figures: Figures = {}
    rescore: CrossEncoder | None = None
    if settings.cross_encoder is not None:
        rescore = load_cross_encoder(settings.cross_encoder)
        figures["cross_encoder"] = {"name": same(settings.cross_encoder), "weights": same(rescore.weights_hash)}
    miners = search(queries, pool, settings)
    labelled = rows["labelled"].to_numpy(zero_copy_only=False)
    unclear = ~labelled & (other_documents(queries, pool) >= SEVERAL_DOCUMENTS)
    lost = ~labelled & ~unclear & ~found_early(queries, miners[0][1], settings.max_positive_rank)
    figures["not_chosen"] = {"ambiguous_query": total(int(unclear.sum())), "not_found": total(int(lost.sum()))}
    left = np.flatnonzero(~(unclear | lost))
    rows, queries, labelled = rows.take(pa.array(left)), queries.take(left), labelled[left]
    miners = [
        (kind, Hits(hits.rows[left], None if hits.scores is None else hits.scores[left])) for kind, hits in miners
    ]
    curated: list[list[Negative]] | None = None
    if files.paths("curated"):
        encoder = load_encoder(settings.encoder)
        curated, disputed = curated_negatives(files.tables("curated"), queries, pool, encoder, rescore)
        figures["curated"] = {"disputed": total(disputed)}
    mined = find_negatives(
        queries,
        pool,
        settings.model_copy(update={"negatives": SPARE_NEGATIVES * settings.negatives}),
        seed=settings.seed,
        miners=[OpenMiner(kind, GivenHits(hits)) for kind, hits in miners],
        rescore=rescore,
        curated=curated,
    )
    figures["candidates"] = totals({name: mined.counts[name] for name in NEGATIVE_RULES})
    belonging = all_positives(queries, pool, np.where(labelled[:, None], -2, miners[0][1].rows), settings)
    return _found_rows(rows, _scored(belonging, mined, queries, rescore), mined, settings), figures


def search(queries: Queries, pool: Pool, settings: MineSettings) -> list[tuple[str, Hits]]:
    """What each miner finds, with the kind of its negatives; all hits have cosines."""
    k = min(settings.last_rank, len(pool.passages))
    found = []
    for kind, miner in open_miners(settings.miner, pool):
        hits = miner.nearest(queries, k)
        scores = pool.vectors.score(queries.vectors, hits.rows) if hits.scores is None else hits.scores
        found.append((kind, Hits(hits.rows, scores)))
    return found


def found_early(queries: Queries, hits: Hits, most: int | None) -> np.ndarray:
    """Whether fewer than `most` other passages are nearer to the query than its own: [n] bool."""
    if most is None:
        return np.ones(len(queries.ids), bool)
    assert hits.scores is not None, "search() scores all hits"
    nearer = (hits.scores > queries.scores[:, None]) & (hits.rows != queries.row[:, None]) & (hits.rows >= 0)
    return nearer.sum(axis=1) < most  # type: ignore[no-any-return]


def other_documents(queries: Queries, pool: Pool) -> np.ndarray:
    """How many passages of each query stand in other documents than its own passage: [n] int64."""
    codes, rows = pool.queries_of.of_codes(queries.query)
    here = pool.documents_of.has(queries.doc[codes], rows[:, None])[:, 0]
    return np.bincount(codes[~here], minlength=len(queries.ids))


def all_positives(queries: Queries, pool: Pool, among: np.ndarray, settings: MineSettings) -> list[Positives]:
    """All passages of the pool that belong to each query.

    Args:
        queries: n of them.
        pool: says which passages belong to a query.
        among: [n, k] int64, rows that the others are taken from; -2 in the first column: from all.
        settings: of the recipe.
    """
    place, rows = pool.queries_of.of_codes(queries.query)
    other = rows != queries.row[place]
    place, rows = place[other], rows[other]
    free = among[place, 0] == -2
    near = (among[place] == rows[:, None]).any(axis=1)
    texts = pa.table({"query": queries.texts.take(pa.array(place)), "passage": pool.passages.take(pa.array(rows))})
    fit = unfit(texts.append_column("relation", pa.array(["title_body"] * len(rows), pa.string())), settings) < 0
    keep = free | (near & fit)
    place, rows = place[keep], rows[keep]
    scores = pool.vectors.score(queries.vectors[place], rows[:, None])[:, 0]
    order = np.lexsort((rows, -scores, place))
    positives = [
        Positives([text], [score])
        for text, score in zip(queries.passages.to_pylist(), queries.scores.tolist(), strict=True)
    ]
    passages = pool.passages.take(pa.array(rows[order])).to_pylist()
    for i, text, score in zip(place[order].tolist(), passages, scores[order].tolist(), strict=True):
        positives[i].texts.append(text)
        positives[i].scores.append(score)
    return positives


def _scored(positives: list[Positives], mined: Mined, queries: Queries, rescore: Rescore | None) -> list[Positives]:
    """The positives with the scores of whatever scored the negatives."""
    if rescore is None:
        return positives
    texts = queries.texts.to_pylist()
    again = [
        rescore([query] * (len(one.texts) - 1), one.texts[1:]).tolist()
        for query, one in zip(texts, positives, strict=True)
    ]
    own = mined.positive_scores.tolist()
    return [Positives(one.texts, [first, *rest]) for one, first, rest in zip(positives, own, again, strict=True)]


def _found_rows(rows: pa.Table, positives: Sequence[Positives], mined: Mined, settings: MineSettings) -> pa.Table:
    """Rows of the schema FINETUNE, ``labelled`` and ``neg_rows``; scores are rounded to five digits."""
    tasks = [RELATIONS[relation].task for relation in rows["relation"].cast(pa.string()).to_pylist()]
    negatives = mined.negatives
    columns = {
        "pair_id": rows["pair_id"],
        "query": rows["query"],
        "pos": pa.array([one.texts for one in positives], pa.list_(pa.string())),
        "neg": pa.array([[one.text for one in row] for row in negatives], pa.list_(pa.string())),
        "pos_scores": pa.array([_rounded(one.scores) for one in positives], pa.list_(pa.float32())),
        "neg_scores": pa.array([_rounded([one.score for one in row]) for row in negatives], pa.list_(pa.float32())),
        "neg_ranks": pa.array([[one.rank for one in row] for row in negatives], pa.list_(pa.int32())),
        "neg_kinds": pa.array([[one.kind for one in row] for row in negatives], pa.list_(pa.string())),
        "instruction": pa.array([getattr(settings.instruction, task) for task in tasks], pa.string()),
        "task": pa.array(tasks, pa.string()),
        "relation": rows["relation"],
        "source": rows["source"],
    }
    table = pa.table([columns[name] for name in FINETUNE.names], names=FINETUNE.names).cast(FINETUNE)
    found = pa.array([[one.row for one in row] for row in negatives], pa.list_(pa.int64()))
    return table.append_column("labelled", rows["labelled"]).append_column(FOUND_ROWS, found)


def _rounded(scores: list[float]) -> list[float]:
    return [round(score, 5) for score in scores]
