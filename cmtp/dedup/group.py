"""Near-duplicates, second third: from edges to jobs, sets of components whose texts are compared by one task.

A component that is too large to be held is cut into slots, runs of rows in policy order: its job goes through them one
after the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.dedup import policy
from cmtp.dedup.components import assign_jobs, count_members, join_edges
from cmtp.dedup.exchange import arrays, read_all, write_ranges
from cmtp.dedup.layout import Layout
from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task

SLOT_ROWS: Final = 32_768
"""Rows whose texts a verifying task holds at a time, about."""


def group(task: Task, store: Store) -> Result:
    """Join the edges into components, give the components to jobs, send edges and members there.

    Memory: twelve bytes per row of the build, one file of edges at a time, and the order of one large component.
    """
    layout = Layout.load(store, task.folder)
    side = task.inputs[-1]
    files = layout.files(f"edges-{side}", layout.band_ranges(task.settings["bands"]))
    parent = np.arange(layout.starts[-1], dtype=np.uint32)
    size = np.zeros(len(parent), np.uint32)
    edges = 0
    for file in files:
        a, b = arrays(read_all(store, [file]), ["a", "b"])
        join_edges(parent, size, a, b)
        edges += len(a)
    count_members(parent, size)
    job, slots, largest = _jobs(parent, size, SLOT_ROWS)
    first = np.append(0, np.cumsum(slots))
    jobs = [[int(start), int(many)] for start, many in zip(first[:-1], slots, strict=True)]
    cuts = _cuts(store, layout, job, np.flatnonzero(slots > 1), slots)
    for index in range(layout.partitions):
        rows = np.flatnonzero(job[layout.starts[index] : layout.starts[index + 1]] >= 0) + layout.starts[index]
        slot = first[job[rows]]
        if cuts:
            slot += _slots_within(store, layout, index, rows, job[rows], cuts)
        columns = {"row": rows.astype(np.uint32), "slot": slot.astype(np.uint32)}
        write_ranges(store, layout.file(f"members-{side}", index), columns, np.zeros(len(rows)), 1)
    for index, file in enumerate(files):
        a, b = arrays(read_all(store, [file]), ["a", "b"])
        path = layout.file(f"grouped-{side}", index)
        write_ranges(store, path, {"a": a, "b": b}, job[a], max(1, len(jobs)))
    store.write_json(f"{task.folder}/groups-{side}.json", {"jobs": jobs, "slots": int(first[-1])})
    return Result(rows=edges, facts={"jobs": len(jobs), "largest": int(largest)})


def _cuts(store: Store, layout: Layout, job: np.ndarray, large: np.ndarray, slots: np.ndarray) -> dict[int, np.ndarray]:
    """For each job of several slots, the policy orders at which a slot begins but for the first."""
    cuts = {}
    for one in large.tolist():
        orders = []
        for index in range(layout.partitions):
            row, order = arrays(read_all(store, [layout.file("order", index)]), ["row", "order"])
            orders.append(order[job[row] == one])
        ordered = np.concatenate(orders)
        ordered.sort()
        cuts[one] = ordered[np.arange(1, slots[one]) * len(ordered) // slots[one]]
    return cuts


def _slots_within(
    store: Store, layout: Layout, index: int, rows: np.ndarray, job: np.ndarray, cuts: dict[int, np.ndarray]
) -> np.ndarray:
    """Which slot of its job each row of a partition belongs to."""
    row, order = arrays(read_all(store, [layout.file("order", index)]), ["row", "order"])
    order = order[np.searchsorted(row, rows)]
    within = np.zeros(len(rows), np.int64)
    for one, cut in cuts.items():
        mine = job == one
        within[mine] = np.searchsorted(cut, order[mine], side="right")
    return within


def _jobs(parent: np.ndarray, size: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The job of every row (int32; -1: of none), the slots of every job, the size of the largest component."""
    job = np.full(len(parent), -1, np.int32)
    slots = np.empty(2 + 3 * int(size.sum(dtype=np.int64)) // most, np.int64)
    jobs, largest = assign_jobs(parent, size, most, job, slots)
    return job, slots[:jobs], largest


def gather(task: Task, store: Store) -> Result:
    """Send the texts of one partition's rows that are in a component to the slot that will compare them."""
    layout = Layout.load(store, task.folder)
    settings, side = task.settings, task.inputs[-1]
    slots = store.read_json(f"{task.folder}/groups-{side}.json")["slots"]
    rows, target = arrays(read_all(store, [layout.file(f"members-{side}", task.index)]), ["row", "slot"])
    by_slot = np.argsort(target, kind="stable")  # before the texts are taken: they are copied once
    rows, target = rows[by_slot], target[by_slot]
    subjects = ["query"] if side == "passage" and settings["same_subject"] else []
    table = layout.read(store, task.index, ["pair_id", side, "doc_id", *subjects])
    table = table.take(pa.array(rows.astype(np.int64) - layout.starts[task.index]))
    id_high, id_low = policy.id_halves(table["pair_id"])
    row, order = arrays(read_all(store, [layout.file("order", task.index)]), ["row", "order"])
    sketches = read_all(store, [layout.file(f"sketch-{side}", task.index)])
    place = np.searchsorted(sketches["row"].to_numpy(), rows)
    older = task.index >= layout.own
    alone = settings["near_within_document"] or older
    columns = {
        "row": rows,
        "document": id_low if alone else policy.id_halves(table["doc_id"])[1],
        "rank": (order[np.searchsorted(row, rows)] >> np.uint64(32)).astype(np.uint32),
        "id_high": id_high,
        "id_low": id_low,
        "sketch": _joined(sketches["sketch"].take(pa.array(place))),
        "text": _joined(table[side]),
    }
    columns |= {name: _joined(table[name]) for name in subjects}
    write_ranges(store, layout.file(f"texts-{side}", task.index), columns, target, slots)
    return Result(rows=len(rows), bytes=table.nbytes)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    """One array of a column, which may have no chunks at all."""
    return pa.concat_arrays([pa.array([], column.type), *column.chunks])
