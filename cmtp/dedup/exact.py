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
from cmtp.dedup.records import KeyRows, Use
from cmtp.dedup.settings import DedupWork
from cmtp.dedup.verdicts import Match, Reason, Verdicts
from cmtp.engine.task import Job, Result
from cmtp.kernels.tables import repeated


def decide_pairs(job: Job[DedupWork], index: int) -> Result:
    """Reject the copies of a pair in one range of pair keys; send the other rows out by query."""
    layout = Layout.load(job.store, job.folder)
    rows = layout.keys.read(index)
    losers = find_losers(rows, (rows.pair_a, rows.pair_b), layout.own_rows, cap=1, order=rows.copy_order)
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
    """Reject the rows beyond `max_per_passage` and `max_per_answer` in one range of passage keys.

    1. Leave out the rows that went as near-duplicates of another query in the meantime, for they must not take a
       passage with them.
    2. Reject those whose passage an older release has.
    3. Of the others the titles are counted by themselves, and the questions by themselves. Questions that were written
       for the passage all stay.
    """
    layout = Layout.load(job.store, job.folder)
    rows = layout.survivors("query").read(index)
    read, read_bytes = len(rows), rows.nbytes
    if job.settings.near == "query+passage":
        rows = rows.take(~np.isin(rows.row, layout.verdict_rows("near-query")))
    older = rows.row >= layout.own_rows
    issued = rows.take(np.isin(rows.passage_a, rows.passage_a[older]))
    verdicts = [_beyond(issued, layout.own_rows, cap=1, match=Match.PASSAGE)]
    verdicts[0] = verdicts[0].take(verdicts[0].reason == Reason.IN_OLDER_RELEASE)
    rows = rows.take(~older & ~np.isin(rows.row, verdicts[0].row))
    for use, cap, match in (
        (Use.TITLED, job.settings.max_per_passage, Match.PASSAGE),
        (Use.ASKED, job.settings.max_per_answer, Match.ANSWER),
    ):
        verdicts.append(_beyond(rows.take(rows.use == use), layout.own_rows, cap=cap, match=match))
    layout.write_verdicts("passage", index, Verdicts.concat(verdicts))
    return Result(rows=read, bytes=read_bytes)


def _beyond(rows: KeyRows, own_rows: int, *, cap: int, match: Match) -> Verdicts:
    losers = find_losers(rows, (rows.passage_a, rows.passage_b), own_rows, cap)
    return _verdicts(rows, losers, _all(losers, Reason.DUPLICATE_PASSAGE), _all(losers, match))


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


def find_losers(
    rows: KeyRows, key: tuple[Array, Array], own_rows: int, cap: int, order: list[Array] | None = None
) -> Losers:
    """Rows beyond the first `cap` of their key.

    1. Find the rows whose key occurs more than once, by its first half.
    2. Sort them by key, then by `order`. Rows of older releases come first there.
    3. A row loses if `cap` rows of its key come before it. Rows of older releases never lose.

    Args:
        rows: rows in any order.
        key: uint64[rows] each: the two halves of the key.
        own_rows: rows of the build itself; higher row numbers are of older releases.
        cap: rows of one key that stay.
        order: columns, the most significant first; None: those of the policy.
    """
    shared = repeated(key[0])
    columns = [key[0], key[1], *(rows.policy_order if order is None else order)]
    shared = shared[np.lexsort([column[shared] for column in reversed(columns)])]
    first = np.ones(len(shared), bool)
    first[1:] = (key[0][shared][1:] != key[0][shared][:-1]) | (key[1][shared][1:] != key[1][shared][:-1])
    group, heads = np.cumsum(first) - 1, np.flatnonzero(first)
    sizes = np.diff(np.append(heads, len(shared)))
    older = rows.row[shared] >= own_rows
    place = np.arange(len(shared)) - heads[group]
    beyond = (place >= cap) & ~older
    to_older = np.zeros(int(beyond.sum()), bool)
    if older.any():
        filled = np.add.reduceat(older.astype(np.int64), heads) >= cap
        to_older = filled[group[beyond]]
    others = np.ones(len(rows), bool)
    others[shared[beyond]] = False
    return Losers(shared[beyond], shared[heads[group[beyond]]], sizes[group[beyond]], to_older, others)
