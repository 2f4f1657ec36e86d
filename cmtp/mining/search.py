"""The search of a block of a pool's queries: read the pool, find negatives, make finetune rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cmtp.columns import vectors_of
from cmtp.encoders.registry import load_encoder
from cmtp.engine.figures import Figures, same, total, totals
from cmtp.mining.cross_encoder import CrossEncoder, load_cross_encoder
from cmtp.mining.curated import curated_negatives
from cmtp.mining.files import PoolFiles, read_pool
from cmtp.mining.negatives import Mined, Negative, find_negatives
from cmtp.mining.pool import Queries, lowest, mean_of
from cmtp.mining.settings import MineSettings, MineWork
from cmtp.order import order_keys
from cmtp.relations import RELATIONS
from cmtp.schema import FINETUNE


@dataclass(frozen=True)
class QueryBlock:
    """Queries `start` to `start + size` of a pool."""

    start: int
    size: int


def search_block(files: PoolFiles, block: QueryBlock, settings: MineWork) -> tuple[pa.Table, Figures]:
    """The finetune rows of a block of a pool's queries, and figures for the manifest.

    Figures: ``rows`` (see `_shortfall`), ``candidates`` (`Mined.counts`), and, where there are any, ``curated`` and
    ``cross_encoder``.
    """
    rows, centre = _read_queries(files, block, settings.seed)
    pool = read_pool(files, settings.exact_rows, settings.seed)
    vectors, positives = vectors_of(rows["vector"], np.float32), vectors_of(rows["positive"], np.float32)
    queries = Queries.of(rows, pool, vectors, positives, centre)
    figures: Figures = {}
    rescore: CrossEncoder | None = None
    if settings.cross_encoder is not None:
        rescore = load_cross_encoder(settings.cross_encoder)
        figures["cross_encoder"] = {"name": same(settings.cross_encoder), "weights": same(rescore.weights_hash)}
    curated: list[list[Negative]] | None = None
    if files.paths("curated"):
        encoder = load_encoder(settings.encoder)
        curated, disputed = curated_negatives(files.tables("curated"), queries, pool, encoder, rescore)
        figures["curated"] = {"disputed": total(disputed)}
    mined = find_negatives(queries, pool, settings, seed=settings.seed, rescore=rescore, curated=curated)
    figures["candidates"] = totals(mined.counts)
    figures["rows"] = totals(_shortfall(mined, len(pool.passages), settings))
    return _finetune_rows(rows, mined, settings), figures


def _shortfall(mined: Mined, passages: int, settings: MineSettings) -> dict[str, int]:
    """How many rows there are, how many have no negatives or too few, and how many of those because the pool is small.

    A pool is small when the ranks from `first_rank` on hold fewer passages than `negatives`.
    """
    lengths = [len(negatives) for negatives in mined.negatives]
    none, few = lengths.count(0), sum(0 < length < settings.negatives for length in lengths)
    small = passages - settings.first_rank + 1 < settings.negatives
    return {
        "all": len(lengths),
        "without_negatives": none,
        "with_too_few": few,
        "short_in_small_pools": none + few if small else 0,
    }


def _read_queries(files: PoolFiles, block: QueryBlock, seed: int) -> tuple[pa.Table, np.ndarray | None]:
    """The block's rows (QUERY_COLUMNS and vectors), and the mean of all queries' vectors."""
    every = pa.concat_tables(files.tables("queries")).unify_dictionaries()
    sample = lowest(order_keys(every["pair_id"], seed))
    centre = mean_of(vectors_of(every["vector"].take(pa.array(sample)), np.float32))
    return every.slice(block.start, block.size).combine_chunks(), centre


def _finetune_rows(rows: pa.Table, mined: Mined, settings: MineSettings) -> pa.Table:
    """Rows of the schema FINETUNE; scores are rounded to five digits."""
    tasks = [RELATIONS[relation].task for relation in rows["relation"].cast(pa.string()).to_pylist()]
    columns = {
        "pair_id": rows["pair_id"],
        "query": rows["query"],
        "pos": pa.array([[text] for text in rows["passage"].to_pylist()], pa.list_(pa.string())),
        "neg": pa.array([[one.text for one in row] for row in mined.negatives], pa.list_(pa.string())),
        "pos_scores": pa.array([[round(score, 5)] for score in mined.positive_scores.tolist()], pa.list_(pa.float32())),
        "neg_scores": pa.array(
            [[round(one.score, 5) for one in row] for row in mined.negatives], pa.list_(pa.float32())
        ),
        "neg_ranks": pa.array([[one.rank for one in row] for row in mined.negatives], pa.list_(pa.int32())),
        "neg_kinds": pa.array([[one.kind for one in row] for row in mined.negatives], pa.list_(pa.string())),
        "instruction": pa.array([getattr(settings.instruction, task) for task in tasks]),
        "task": pa.array(tasks),
        "relation": rows["relation"],
        "source": rows["source"],
    }
    return pa.table([columns[name] for name in FINETUNE.names], names=FINETUNE.names).cast(FINETUNE)
