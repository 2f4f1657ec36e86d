"""The last choice of a pool's negatives: no passage serves too many queries, and weak rows with too few give none.

Near everything lies a passage that is near nothing in particular: a list of article numbers, a sentence of boilerplate.
It would be a negative of hundreds of queries. Such a passage stays with the queries it is nearest to, so each query is
given more negatives by the search than it may keep.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import rank_in_group
from cmtp.engine.figures import Figures, totals
from cmtp.mining.files import FOUND_ROWS, PoolFiles
from cmtp.mining.negatives import KINDS
from cmtp.mining.settings import MineWork
from cmtp.order import order_keys
from cmtp.schema import FINETUNE

SPARE_NEGATIVES: Final = 2
"""Times as many negatives as a row may keep that the search finds for it."""

LEAST_USES: Final = 1
"""Queries of a source that a passage may serve however few rows the source has."""

_LISTS: Final = ("neg", "neg_scores", "neg_ranks", "neg_kinds")


class Uses(NamedTuple):
    """The negatives of all queries of a pool, one after the other.

    Attributes:
        query: [u] int64, place of the query.
        passage: [u] int64, row of the pool.
        score: [u] float32.
        kind: [u] str.
    """

    query: np.ndarray
    passage: np.ndarray
    score: np.ndarray
    kind: np.ndarray


def allowed(uses: Uses, source: np.ndarray, keys: np.ndarray, share: float) -> np.ndarray:
    """Which uses a passage may keep: those with the queries nearest to it, per source of the queries.

    Args:
        uses: u of them.
        source: [n] int64, code of each query's source.
        keys: [n] uint64, order keys of the queries: they decide between equal scores.
        share: of a source's queries that a passage may serve; `LEAST_USES` at least.

    Returns:
        [u] bool; labelled negatives are always allowed.
    """
    of = source[uses.query]
    order = np.lexsort((keys[uses.query], -uses.score, uses.passage, of))
    group = np.zeros(len(order), np.int64)
    if len(order):
        new = (np.diff(of[order]) != 0) | (np.diff(uses.passage[order]) != 0)
        group[1:] = np.cumsum(new)
    rank = np.empty(len(order), np.int64)
    rank[order] = rank_in_group(group)
    most = np.maximum((np.bincount(source) * share).astype(np.int64), LEAST_USES)
    return (rank < most[of]) | (uses.kind == "curated")  # type: ignore[no-any-return]


def settle_block(files: PoolFiles, number: int, settings: MineWork) -> tuple[pa.Table, Figures]:
    """The finetune rows of a block of a pool's queries.

    Args:
        files: the pool's.
        number: of the block, in order of the pool's blocks.
        settings: of the mine stage.

    Returns:
        Rows of the schema FINETUNE; and figures: ``rows`` (see `_shortfall`), ``candidates`` (negatives of each kind),
        ``chosen`` (rows of each source and relation) and ``not_chosen`` (``few_negatives``).
    """
    paths = files.paths("found")
    every = [files.store.read_table(path, ["pair_id", "source", FOUND_ROWS, *_LISTS[1:]]) for path in paths]
    first = sum(table.num_rows for table in every[:number])
    uses, source, keys = _read_uses(pa.concat_tables(every).unify_dictionaries(), settings.seed)
    rows = files.store.read_table(paths[number])
    inside = (uses.query >= first) & (uses.query < first + rows.num_rows)
    keep = allowed(uses, source, keys, settings.hub_share)[inside] if rows.num_rows else np.zeros(0, bool)
    query, kinds = uses.query[inside] - first, uses.kind[inside]
    # The first `negatives` of each row that are left, and all labelled ones.
    before = np.cumsum(keep) - keep
    starts = np.searchsorted(query, np.arange(rows.num_rows))
    rank = before - before[np.minimum(starts, max(len(before) - 1, 0))][query] if len(query) else before
    keep &= (rank < settings.negatives) | (kinds == "curated")
    searched = np.bincount(query[keep & (kinds != "random")], minlength=rows.num_rows)
    enough = rows["labelled"].to_numpy() | (searched >= settings.min_negatives)
    rows = _with_negatives(rows, query, keep).filter(pa.array(enough))
    keep &= enough[query]
    counts = np.bincount(query[keep], minlength=len(enough))[enough]
    short = np.maximum(settings.negatives - counts, 0)
    return rows.select(FINETUNE.names).cast(FINETUNE), {
        "rows": totals(_shortfall(counts, settings.negatives)),
        "candidates": totals(dict.fromkeys(KINDS, 0) | Counter(kinds[keep].tolist()) | {"short": int(short.sum())}),
        "chosen": totals(_by_group(rows)),
        "not_chosen": totals({"few_negatives": int((~enough).sum())}),
    }


def _read_uses(rows: pa.Table, seed: int) -> tuple[Uses, np.ndarray, np.ndarray]:
    lengths = np.diff(_offsets(rows[FOUND_ROWS]))
    uses = Uses(
        np.repeat(np.arange(rows.num_rows), lengths),
        _flat(rows[FOUND_ROWS]),
        _flat(rows["neg_scores"]),
        _flat(rows["neg_kinds"]),
    )
    source = rows["source"].combine_chunks().indices.to_numpy().astype(np.int64)
    return uses, source, order_keys(rows["pair_id"], seed)


def _offsets(lists: pa.ChunkedArray) -> np.ndarray:
    lengths = pc.list_value_length(lists).to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _flat(lists: pa.ChunkedArray) -> np.ndarray:
    return pc.list_flatten(lists).to_numpy()  # type: ignore[no-any-return]


def _with_negatives(rows: pa.Table, query: np.ndarray, keep: np.ndarray) -> pa.Table:
    """The rows with those of their negatives that stay."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(query[keep], minlength=rows.num_rows))]).astype(np.int32)
    for name in _LISTS:
        values = pc.list_flatten(rows[name]).combine_chunks().filter(pa.array(keep))
        column = pa.ListArray.from_arrays(pa.array(offsets), values)
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def _by_group(rows: pa.Table) -> dict[str, int]:
    pairs = zip(*(rows[name].cast(pa.string()).to_pylist() for name in ("source", "relation")), strict=True)
    return {"/".join(pair): n for pair, n in Counter(pairs).items()}


def _shortfall(lengths: np.ndarray, wanted: int) -> dict[str, int]:
    """How many rows there are, and how many have no negatives, or too few."""
    none = int((lengths == 0).sum())
    return {"all": len(lengths), "without_negatives": none, "with_too_few": int((lengths < wanted).sum()) - none}
