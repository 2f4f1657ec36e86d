"""Exact duplicates: one exchange each by pair, by query and by passage.

The order matters. Copies of a pair go first, swapped ones included. The cap on a query comes before the passages are
compared. Otherwise a passage under a boilerplate title could beat the same passage under a good title, and then vanish
with its own. Each exchange sees only the rows that the one before let stay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cmtp.dedup.exchange import U8, Array, key_range
from cmtp.dedup.layout import Layout
from cmtp.dedup.policy import is_cut
from cmtp.dedup.records import KeyRows
from cmtp.dedup.settings import DedupWork
from cmtp.dedup.verdicts import Match, Reason, Verdicts
from cmtp.engine.task import Job, Result
from cmtp.kernels.tables import repeated


def decide_pairs(job: Job[DedupWork], index: int) -> Result:
    """Reject the copies of a pair in one range of pair keys; send the other rows out by query."""
    layout = Layout.load(job.store, job.folder)
    rows = layout.keys.read(index)
    losers = find_losers(rows, (rows.pair_a, rows.pair_b), layout.own_rows, cap=1)
    swapped = rows.swapped[losers.row] != rows.swapped[losers.kept]
    reason = np.where(swapped, Reason.DUPLICATE_SWAPPED, Reason.DUPLICATE_PAIR).astype(np.uint8)
    match = np.where(swapped, Match.SWAPPED_PAIR, Match.PAIR).astype(np.uint8)
    layout.write_verdicts("pair", index, _verdicts(rows, losers, reason, match))
    left = rows.take(losers.others)
    layout.survivors("pair").write(index, left, key_range(left.query_a, layout.key_ranges))
    return Result(rows=len(rows), bytes=rows.nbytes)


def decide_queries(job: Job[DedupWork], index: int) -> Result:
    """Reject the rows beyond `max_per_query` in one range of query keys; send the other rows out by passage."""
    layout = Layout.load(job.store, job.folder)
    rows = layout.survivors("pair").read(index)
    losers = find_losers(rows, (rows.query_a, rows.query_b), layout.own_rows, cap=job.settings.max_per_query)
    reason, match = _all(losers, Reason.DUPLICATE_QUERY), _all(losers, Match.QUERY)
    layout.write_verdicts("query", index, _verdicts(rows, losers, reason, match))
    left = rows.take(losers.others)
    layout.survivors("query").write(index, left, key_range(left.passage_a, layout.key_ranges))
    return Result(rows=len(rows), bytes=rows.nbytes)


def decide_passages(job: Job[DedupWork], index: int) -> Result:
    """Reject the rows beyond `max_per_passage` in one range of passage keys.

    Rows that went as near-duplicates of another query in the meantime are left out, for they must not take a passage
    with them.
    """
    layout = Layout.load(job.store, job.folder)
    rows = layout.survivors("query").read(index)
    read, read_bytes = len(rows), rows.nbytes
    if job.settings.near == "query+passage":
        rows = rows.take(~np.isin(rows.row, layout.verdict_rows("near-query")))
    cap = job.settings.max_per_passage
    losers = find_losers(rows, (rows.passage_a, rows.passage_b), layout.own_rows, cap, units=rows.dedup_unit)
    reason, match = _all(losers, Reason.DUPLICATE_PASSAGE), _all(losers, Match.PASSAGE)
    layout.write_verdicts("passage", index, _verdicts(rows, losers, reason, match))
    return Result(rows=read, bytes=read_bytes)


class Losers(NamedTuple):
    """Rows beyond those that may share a key, as positions.

    Attributes:
        row: int64[losers], the losing rows.
        kept: int64[losers], the best row of each one's key.
        group_size: int64[losers], how many rows have that key.
        to_older: bool[losers], whether rows of older releases alone fill what may share the key.
        others: bool[rows], the rows that do not lose.
    """

    row: Array
    kept: Array
    group_size: Array
    to_older: Array
    others: Array


def _all(losers: Losers, value: Reason | Match) -> U8:
    return np.full(len(losers.row), value, np.uint8)


def _verdicts(rows: KeyRows, losers: Losers, reason: U8, match: U8) -> Verdicts:
    return Verdicts(
        row=rows.row[losers.row],
        kept=rows.row[losers.kept],
        kept_id_high=rows.id_high[losers.kept],
        kept_id_low=rows.id_low[losers.kept],
        kept_cut=is_cut(rows.rank[losers.kept]),
        reason=np.where(losers.to_older, Reason.IN_OLDER_RELEASE, reason).astype(np.uint8),
        match=match,
        group_size=losers.group_size.astype(np.uint32),
        score=np.full(len(losers.row), np.nan, np.float32),
        evaluation_text=np.zeros(len(losers.row), np.uint32),
    )


def find_losers(rows: KeyRows, key: tuple[Array, Array], own_rows: int, cap: int, units: Array | None = None) -> Losers:
    """Rows beyond those of the first `cap` units of their key.

    1. Find the rows whose key occurs more than once, by its first half.
    2. Sort them by key, then by policy. Rows of older releases come first there.
    3. Number the units of each key in the order in which they come: 0, 0, 1, 0, 2 for the units A, A, B, A, C.
    4. A row loses if the number of its unit is not below `cap`. Rows of older releases never lose.

    Args:
        rows: rows in any order.
        key: uint64[rows] each: the two halves of the key.
        own_rows: rows of the build itself; higher row numbers are of older releases.
        cap: units of one key whose rows stay.
        units: integers[rows]; rows of one unit count as one. None: each row is a unit of its own.
    """
    shared = repeated(key[0])
    shared = shared[np.lexsort([column[shared] for column in (*reversed(rows.policy_order), key[1], key[0])])]
    first = np.ones(len(shared), bool)
    first[1:] = (key[0][shared][1:] != key[0][shared][:-1]) | (key[1][shared][1:] != key[1][shared][:-1])
    group, heads = np.cumsum(first) - 1, np.flatnonzero(first)
    sizes = np.diff(np.append(heads, len(shared)))
    older = rows.row[shared] >= own_rows
    ordinal = _unit_ordinals(group, heads, (rows.row if units is None else units)[shared])
    beyond = (ordinal >= cap) & ~older
    to_older = np.zeros(int(beyond.sum()), bool)
    if older.any():
        filled = np.maximum.reduceat(np.where(older, ordinal + 1, 0), heads) >= cap
        to_older = filled[group[beyond]]
    others = np.ones(len(rows), bool)
    others[shared[beyond]] = False
    return Losers(shared[beyond], shared[heads[group[beyond]]], sizes[group[beyond]], to_older, others)


def _unit_ordinals(group: Array, heads: Array, unit: Array) -> Array:
    """For each row, how many other units come before its own in its group: int64[rows].

    Args:
        group: int64[rows], ascending from 0.
        heads: where each group starts.
        unit: integers[rows].
    """
    rows = np.arange(len(group))
    by_unit = np.lexsort((rows, unit, group))
    starts = np.ones(len(rows), bool)
    starts[1:] = (group[by_unit][1:] != group[by_unit][:-1]) | (unit[by_unit][1:] != unit[by_unit][:-1])
    first_of_unit = np.empty(len(rows), np.int64)  # the first row of each row's unit in its group
    first_of_unit[by_unit] = by_unit[starts][np.cumsum(starts) - 1]
    before = np.cumsum(first_of_unit == rows) - 1
    return np.asarray(before[first_of_unit] - before[heads[group]])
