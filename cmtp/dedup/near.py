"""Near-duplicates, first third: from texts to pairs of rows that may resemble each other.

MinHash signatures give band keys, rows that share a band key become edges. Nothing is decided here. The steps work on
one side of the pairs, the query or the passage, which their tasks' inputs name last.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup import policy
from cmtp.dedup.exact import excluded
from cmtp.dedup.exchange import arrays, key_range, read_range, repeated, write_ranges
from cmtp.dedup.kernel import band_keys, signatures
from cmtp.dedup.layout import Layout
from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.text.compare import fold

ASKED: Final = ("question_answer", "question_passage", "similar_question")
"""Relations whose queries are questions: the ones that `near: query+passage` looks at. Titles of different texts may be
alike."""

WINDOW: Final = 12
"""A row of a band is compared with the best row of the band and the `WINDOW` before it in policy order: all pairs of a
small band, and linear cost in a band of millions. Rows that are alike share further bands, most of them small."""

LARGE: Final = 256
"""Rows from which a band is large: what its rows share is a paragraph that hundreds have, and tells little."""

LARGE_WINDOW: Final = 3
"""`WINDOW` of a large band."""


def sketch(task: Task, store: Store) -> Result:
    """Send out the band keys of one partition's rows that were not rejected before."""
    layout = Layout.load(store, task.folder)
    settings, side = task.settings, task.inputs[-1]
    table = layout.read(store, task.index, list(dict.fromkeys(["pair_id", side, "passage", "source", "relation"])))
    open_rows = ~excluded(layout, store, task.index, side)
    if side == "query":
        open_rows &= pc.is_in(table["relation"].cast(pa.string()), pa.array(ASKED)).to_numpy()
    left = np.flatnonzero(open_rows)
    if len(left) < table.num_rows:
        table = table.take(pa.array(left))
    rows = (left + layout.starts[task.index]).astype(np.uint32)
    folded = fold(table[side])
    lengths = folded.lengths if side == "passage" else fold(table["passage"]).lengths
    rank = policy.ranks(table["passage"], table["source"], lengths, settings, task.index >= layout.own)
    order = policy.compact(rank, policy.id_halves(table["pair_id"])[0])
    write_ranges(store, layout.file(f"order-{side}", task.index), {"row": rows, "order": order}, np.zeros(len(rows)), 1)
    some = folded.lengths > 0  # a text of nothing but punctuation has no shingles to share
    bands = settings["bands"]
    signature = signatures(folded, settings["permutations"], settings["shingle"], settings["seed"])
    keys = band_keys(signature if some.all() else signature[some], bands).ravel()
    columns = {"key": keys, "order": np.repeat(order[some], bands), "row": np.repeat(rows[some], bands)}
    ranges = layout.band_ranges(bands)
    write_ranges(store, layout.file(f"bands-{side}", task.index), columns, key_range(keys, ranges), ranges)
    return Result(rows=table.num_rows, bytes=table.nbytes)


def match(task: Task, store: Store) -> Result:
    """Find the rows of one key range that share a band."""
    layout = Layout.load(store, task.folder)
    side = task.inputs[-1]
    table = read_range(store, layout.files(f"bands-{side}", layout.partitions), task.index)
    (key,) = arrays(table, ["key"])
    few = repeated(key)
    key = key[few]
    order, row = arrays(table.select(["order", "row"]).take(pa.array(few)), ["order", "row"])
    few = np.lexsort((row, order, key))
    edges = distinct(_edges(key[few], row[few]))
    better, worse = (edges >> np.uint64(32)).astype(np.uint32), edges.astype(np.uint32)
    path = layout.file(f"edges-{side}", task.index)
    write_ranges(store, path, {"a": better, "b": worse}, np.zeros(len(edges)), 1)
    return Result(rows=table.num_rows, bytes=table.nbytes, facts={"edges": len(edges)})


def distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values in ascending order; sorts in place, which is several times faster than numpy's unique."""
    values.sort()
    new = np.ones(len(values), bool)
    new[1:] = values[1:] != values[:-1]
    return values[new]


@numba.njit(cache=True, nogil=True)
def _window_edges(key, row, window, large, large_window, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the edges of all bands, better row in the upper half, or only count them where `out` is empty."""
    count = first = 0
    while first < len(key):
        last = first
        while last < len(key) and key[last] == key[first]:
            last += 1
        reach = window if last - first < large else large_window
        for i in range(first + 1, last):
            nearest = max(first, i - reach)
            if len(out) == 0:
                count += i - nearest + (nearest > first)
                continue
            if nearest > first:
                out[count] = np.uint64(row[first]) << np.uint64(32) | np.uint64(row[i])
                count += 1
            for j in range(nearest, i):
                out[count] = np.uint64(row[j]) << np.uint64(32) | np.uint64(row[i])
                count += 1
        first = last
    return count


def _edges(key: np.ndarray, row: np.ndarray) -> np.ndarray:
    """uint64[edges] of rows sorted by key and policy order."""
    many = _window_edges(key, row, WINDOW, LARGE, LARGE_WINDOW, np.empty(0, np.uint64))
    out = np.empty(many, np.uint64)
    if many:
        _window_edges(key, row, WINDOW, LARGE, LARGE_WINDOW, out)
    return out
