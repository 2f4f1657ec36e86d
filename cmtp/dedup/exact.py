"""Exact duplicates: one exchange each by pair, by query and by passage.

The order matters. Copies of a pair go first, swapped ones included. The cap on a query comes before the passages are
compared, so that a passage under a boilerplate title does not beat the same passage under a good one and then vanish
with the title. Each exchange sees only what the one before let through.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup import policy
from cmtp.dedup.bands import asked, near_sides, send_bands
from cmtp.dedup.contamination import load_index
from cmtp.dedup.exchange import arrays, key_range, read_range, write_ranges
from cmtp.dedup.index import contaminated
from cmtp.dedup.kernel import hash_texts
from cmtp.dedup.keyed import repeated
from cmtp.dedup.layout import Layout
from cmtp.dedup.verdicts import HOW, REASONS, Verdicts, near_verdicts, verdict_rows
from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.text.compare import Folded, fold


class Exchange(NamedTuple):
    """One exact exchange.

    Attributes:
        key: prefix of the two columns that hold the 128-bit key.
        cap: setting that says how many rows may share a key; None: one.
        reason: of the rows beyond.
        after: the exchange whose survivors this one reads.
    """

    key: str
    cap: str | None
    reason: str
    after: str


EXCHANGES: Final = {
    "pair": Exchange("pair", None, "duplicate_pair", "keys"),
    "query": Exchange("query", "max_per_query", "duplicate_query", "pair"),
    "passage": Exchange("passage", "max_per_passage", "duplicate_passage", "query"),
}
"""In the order they run."""

_POLICY: Final = ("rank", "id_high", "id_low")

QUESTIONS: Final = ("question_passage", "query_document")
"""Relations in which several people ask about one passage: their pairs share it on purpose."""

_OLDER: Final = np.uint64(0x5851F42D4C957F2D)
"""Changes the owner of an older release's row: a question about a passage of that release is one of another owner."""


def keys(task: Task, store: Store) -> Result:
    """Hash one partition's pairs; reject those found in evaluation files and those whose query is their passage; send
    the rest out by pair key, and by band for the search for near-duplicates. All rows of older releases go out.
    """
    layout = Layout.load(store, task.folder)
    settings = task.settings
    older = task.index >= layout.own
    table = layout.read(store, task.index, ["pair_id", "query", "passage", "relation", "source", "doc_id"])
    folded = {"query": fold(table["query"]), "passage": fold(table["passage"])}
    query, passage = (hash_texts(table[side], folded[side]) for side in ("query", "passage"))
    id_high, id_low = policy.id_halves(table["pair_id"])
    rows = (layout.starts[task.index] + np.arange(table.num_rows)).astype(np.uint32)
    stays = np.ones(len(rows), bool)
    if not older:
        same = (query == passage).all(axis=1)
        verdicts = Verdicts.lost(rows[same], "query_equals_passage")
        stays[same] = False
        if settings["references"]["evaluation"]:
            found = _contaminated(store, layout, settings, folded, {"query": query, "passage": passage}, rows)
            verdicts = verdicts.without(found.row).joined(found)
            stays[np.isin(rows, found.row)] = False
        verdicts.write(store, layout, "keys", task.index)
    rank = policy.ranks(table["passage"], table["source"], folded["passage"].lengths, settings, older)
    order = policy.compact(rank, id_high)
    write_ranges(store, layout.file("order", task.index), {"row": rows, "order": order}, np.zeros(len(rows)), 1)
    for side in near_sides(settings):
        some = stays & asked(table["relation"]) if side == "query" else stays
        send_bands(store, layout, side, task.index, folded[side], some, order, settings)
    swapped = (query[:, 0] > passage[:, 0]) | ((query[:, 0] == passage[:, 0]) & (query[:, 1] > passage[:, 1]))
    low, high = np.where(swapped[:, None], passage, query), np.where(swapped[:, None], query, passage)
    columns = {
        "row": rows,
        "rank": rank,
        "id_high": id_high,
        "id_low": id_low,
        "owner": id_high ^ _OLDER if older else _owners(table, id_high),
        "swapped": swapped.astype(np.uint8),
        "pair_a": _blend(low[:, 0], high[:, 0]),
        "pair_b": _blend(low[:, 1], high[:, 1]),
        "query_a": query[:, 0],
        "query_b": query[:, 1],
        "passage_a": passage[:, 0],
        "passage_b": passage[:, 1],
    }
    if not stays.all():
        columns = {name: values[stays] for name, values in columns.items()}
    target = key_range(columns["pair_a"], layout.key_ranges)
    write_ranges(store, layout.file("keys", task.index), columns, target, layout.key_ranges)
    return Result(rows=table.num_rows, bytes=table.nbytes)


def _contaminated(
    store: Store,
    layout: Layout,
    settings: dict[str, Any],
    folded: dict[str, Folded],
    hashes: dict[str, np.ndarray],
    rows: np.ndarray,
) -> Verdicts:
    """Verdicts on the rows of which either side is in an evaluation file; where both are, the query is named."""
    index = load_index(store, layout)
    width, limit = settings["decontaminate_ngram"], settings["decontaminate_share"]
    found = {side: contaminated(folded[side], hashes[side], index, width, limit) for side in folded}
    query = found["query"].text >= 0
    text, share = (np.where(query, a, b) for a, b in zip(found["query"], found["passage"], strict=True))
    how = np.where(query, HOW.index("query"), HOW.index("passage")).astype(np.uint8)
    hit = np.flatnonzero(text >= 0)
    return Verdicts.lost(rows[hit], "contaminated", how=how[hit], copies=text[hit], jaccard=share[hit])


def decide(task: Task, store: Store) -> Result:
    """Find the rows of one key range that lose to another, and send the others out by the next exchange's key."""
    layout = Layout.load(store, task.folder)
    name = task.name.rsplit("-", 1)[0]
    exchange = EXCHANGES[name]
    writers = layout.partitions if exchange.after == "keys" else layout.key_ranges
    table = read_range(store, layout.files(exchange.after, writers), task.index)
    columns = dict(zip(table.column_names, arrays(table, table.column_names), strict=True))
    if name == "passage" and (gone := verdict_rows(store, near_verdicts(store, layout, "query"))).size:
        stays = ~np.isin(columns["row"], gone)
        columns = {column: values[stays] for column, values in columns.items()}
    cap = int(task.settings[exchange.cap]) if exchange.cap else 1
    key = columns[f"{exchange.key}_a"], columns[f"{exchange.key}_b"]
    row = columns["row"]
    owner = columns["owner"] if name == "passage" else row
    older = row >= layout.own_rows
    lost = losers(*key, [columns[one] for one in _POLICY], owner, older, cap)
    reason = np.full(len(lost.row), REASONS.index(exchange.reason), np.uint8)
    how = np.full(len(lost.row), HOW.index(name), np.uint8)
    if name == "pair":
        swapped = columns["swapped"][lost.row] != columns["swapped"][lost.kept]
        reason[swapped] = REASONS.index("duplicate_swapped")
        how[swapped] = HOW.index("swapped pair")
    reason[lost.to_older] = REASONS.index("in_older_release")
    Verdicts(
        row=row[lost.row],
        kept=row[lost.kept],
        kept_high=columns["id_high"][lost.kept],
        kept_low=columns["id_low"][lost.kept],
        reason=reason,
        how=how,
        copies=lost.copies.astype(np.uint32),
        jaccard=np.full(len(reason), np.nan, np.float32),
    ).write(store, layout, name, task.index)
    following = [one for one in EXCHANGES.values() if one.after == name]
    if following:
        stays = np.ones(len(row), bool)
        stays[lost.row] = False
        columns = {column: values[stays] for column, values in columns.items()}
        target = key_range(columns[f"{following[0].key}_a"], layout.key_ranges)
        write_ranges(store, layout.file(name, task.index), columns, target, layout.key_ranges)
    return Result(rows=table.num_rows, bytes=table.nbytes)


class Losers(NamedTuple):
    """Rows beyond those that may share a key, as positions.

    Attributes:
        row: the losing rows.
        kept: the best row of each one's key.
        copies: how many rows have that key.
        to_older: whether rows of older releases alone fill what may share the key.
    """

    row: np.ndarray
    kept: np.ndarray
    copies: np.ndarray
    to_older: np.ndarray


def losers(
    key_a: np.ndarray, key_b: np.ndarray, order: list[np.ndarray], owner: np.ndarray, older: np.ndarray, cap: int
) -> Losers:
    """Rows beyond those of the first `cap` owners of their key; rows of older releases come first and never lose.

    Args:
        key_a: uint64[rows], with `key_b` the key.
        key_b: uint64[rows].
        order: columns that order rows of one key, most significant first; lower is better.
        owner: integers[rows]; rows of one owner count as one.
        older: bool[rows], whether the row is of an older release.
        cap: owners of one key whose rows stay.
    """
    few = repeated(key_a)  # only those need the full order
    few = few[np.lexsort((*[column[few] for column in reversed(order)], key_b[few], key_a[few]))]
    first = np.ones(len(few), bool)
    first[1:] = (key_a[few][1:] != key_a[few][:-1]) | (key_b[few][1:] != key_b[few][:-1])
    group = np.cumsum(first) - 1
    heads = np.flatnonzero(first)
    sizes = np.diff(np.append(heads, len(few)))
    ordinal = _ordinals(group, heads, owner[few])
    beyond = (ordinal >= cap) & ~older[few]
    if older.any() and len(few):
        filled = np.maximum.reduceat(np.where(older[few], ordinal + 1, 0), heads) >= cap
        to_older = filled[group[beyond]]
    else:
        to_older = np.zeros(int(beyond.sum()), bool)
    return Losers(few[beyond], few[heads[group[beyond]]], sizes[group[beyond]], to_older)


def _ordinals(group: np.ndarray, heads: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """For each row, how many other owners come before its own in its group: int64[rows].

    Args:
        group: int64[rows], ascending from 0.
        heads: where each group starts.
        owner: of each row.
    """
    rows = np.arange(len(group))
    by_owner = np.lexsort((rows, owner, group))
    starts = np.ones(len(rows), bool)
    starts[1:] = (group[by_owner][1:] != group[by_owner][:-1]) | (owner[by_owner][1:] != owner[by_owner][:-1])
    first = np.empty(len(rows), np.int64)  # the first row of each row's owner in its group
    first[by_owner] = by_owner[starts][np.cumsum(starts) - 1]
    before = np.cumsum(first == rows) - 1
    return before[first] - before[heads[group]]


def _owners(table: pa.Table, id_high: np.ndarray) -> np.ndarray:
    """uint64[rows]: the document for pairs of QUESTIONS, the pair itself for the others."""
    asked = pc.is_in(table["relation"].cast(pa.string()), pa.array(QUESTIONS)).to_numpy()
    return np.where(asked, policy.id_halves(table["doc_id"])[0], id_high)


def _blend(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """One hash of two, by wrapping multiplication and addition; the order of the two counts."""
    mixed = low * np.uint64(0x9E3779B185EBCA87) + (high ^ (high >> np.uint64(29))) * np.uint64(0xC2B2AE3D27D4EB4F)
    return mixed ^ (mixed >> np.uint64(32))
