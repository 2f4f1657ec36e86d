"""Near-duplicates, first third: from band keys to pairs of rows that may resemble each other.

Rows that share a band key become edges. Nothing is decided here. The steps work on one side of the pairs, the query or
the passage, which their tasks' inputs name last.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cmtp.dedup.exact import EXCHANGES
from cmtp.dedup.exchange import arrays, read_all, read_range, write_ranges
from cmtp.dedup.kernel import window_edges
from cmtp.dedup.keyed import grouped
from cmtp.dedup.layout import Layout
from cmtp.dedup.verdicts import near_verdicts, verdict_rows
from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task

WINDOW: Final = 12
"""A row of a band is compared with the best row of the band and the `WINDOW` before it in policy order: all pairs of a
small band, and linear cost in a band of millions. Rows that are alike share further bands, most of them small."""

LARGE: Final = 256
"""Rows from which a band is large: what its rows share is a paragraph that hundreds have, and tells little."""

LARGE_WINDOW: Final = 3
"""`WINDOW` of a large band."""


def exclude(task: Task, store: Store) -> Result:
    """Note in a bit each which rows were rejected before the search for near-duplicates of a side.

    Memory: about two bytes per row of the build, and eight per verdict.
    """
    layout = Layout.load(store, task.folder)
    side = task.inputs[-1]
    files = layout.files("verdicts-keys", layout.own)
    for name in EXCHANGES:
        if not (side == "query" and name == "passage"):
            files += layout.files(f"verdicts-{name}", layout.key_ranges)
    if side == "passage":
        files += near_verdicts(store, layout, "query")
    gone = np.zeros(layout.starts[-1], bool)
    gone[verdict_rows(store, files)] = True
    rows = int(gone.sum())
    bits = np.packbits(gone, bitorder="little")
    del gone
    write_ranges(store, layout.file(f"excluded-{side}", 0), {"bits": bits}, np.zeros(len(bits), np.uint16), 1)
    return Result(rows=rows)


def match(task: Task, store: Store) -> Result:
    """Find the rows of one key range that share a band."""
    layout = Layout.load(store, task.folder)
    side = task.inputs[-1]
    (gone,) = arrays(read_all(store, [layout.file(f"excluded-{side}", 0)]), ["bits"])
    parts = []
    for path in layout.files(f"bands-{side}", layout.partitions):
        columns = arrays(read_range(store, [path], task.index), ["key", "order", "row"])
        row = columns[2]
        stays = (gone[row >> np.uint32(3)] >> (row & np.uint32(7)).astype(np.uint8)) & 1 == 0
        parts.append(columns if stays.all() else [values[stays] for values in columns])
    key, order, row = map(np.concatenate, zip(*parts, strict=True))
    few, starts = grouped(key, order)  # rows come in ascending order, which decides between equal ones
    edges = distinct(_edges(row[few], starts))
    better, worse = (edges >> np.uint64(32)).astype(np.uint32), edges.astype(np.uint32)
    path = layout.file(f"edges-{side}", task.index)
    write_ranges(store, path, {"a": better, "b": worse}, np.zeros(len(edges)), 1)
    return Result(rows=len(key), bytes=20 * len(key), facts={"edges": len(edges)})


def distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values in ascending order; sorts in place, which is several times faster than numpy's unique."""
    values.sort()
    new = np.ones(len(values), bool)
    new[1:] = values[1:] != values[:-1]
    return values[new]


def _edges(row: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """uint64[edges] of rows in policy order within each band; `starts`: where the bands start."""
    many = window_edges(row, starts, WINDOW, LARGE, LARGE_WINDOW, np.empty(0, np.uint64))
    out = np.empty(many, np.uint64)
    if many:
        window_edges(row, starts, WINDOW, LARGE, LARGE_WINDOW, out)
    return out
