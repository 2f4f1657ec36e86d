"""Near-duplicates, part 2: from edges to batches of rows whose texts one task compares.

1. `group_edges` joins the edges into components. A row can only be a copy of a row of its component.
2. Small components fill up batches of `SLOT_ROWS` rows. A larger component is a batch of its own and is cut into slots,
   runs of rows in policy order, which its task goes through one after the other.
3. `gather_texts` sends the texts of each partition to their slots.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.dedup.components import assign_batches, count_members, join_edges
from cmtp.dedup.exchange import U64, Array
from cmtp.dedup.layout import Batches, Layout
from cmtp.dedup.records import MemberRows, TextRows, Use, uses_of
from cmtp.dedup.settings import DedupWork
from cmtp.engine.figures import most, total
from cmtp.engine.task import Job, Result
from cmtp.ids import id_halves
from cmtp.schema import Side
from cmtp.text.compare import fold
from cmtp.text.hashes import hash_folded

SLOT_ROWS: Final = 32_768
"""Rows whose texts a verifying task holds at a time, about."""


def group_edges(job: Job[DedupWork], side: Side) -> Result:
    """Join the edges into components, the components into batches, and send edges and rows there.

    Memory: twelve bytes per row of the build, one file of edges at a time, and the order of one large component.
    """
    layout = Layout.load(job.store, job.folder)
    component = np.arange(layout.total_rows, dtype=np.uint32)
    size = np.zeros(len(component), np.uint32)
    count = 0
    for edges in layout.edges(side).parts(0):
        join_edges(component, size, edges.better, edges.worse)
        count += len(edges)
    count_members(component, size)
    batch, slots, largest = _batches(component, size, SLOT_ROWS)
    batches = Batches([0, *np.cumsum(slots).tolist()])
    layout.write_batches(side, batches)
    cuts = _cuts(layout, batch, slots)
    for index in range(layout.partitions):
        first, end = layout.starts[index], layout.starts[index + 1]
        rows = np.flatnonzero(batch[first:end] >= 0) + first
        slot = np.array(batches.starts)[batch[rows]]
        if cuts:
            slot += _slots_within(layout, index, rows, batch[rows], cuts)
        layout.members(side).write(index, MemberRows(rows.astype(np.uint32), slot.astype(np.uint32)))
    target = layout.batch_edges(side)
    for index, edges in enumerate(layout.edges(side).parts(0)):
        target.write(index, edges, batch[edges.better])
    return Result(rows=count, figures={"jobs": total(len(batches)), "largest": most(int(largest))})


def _cuts(layout: Layout, batch: Array, slots: Array) -> dict[int, U64]:
    """For each batch of several slots, the policy order at which each slot after the first begins."""
    cuts = {}
    for number in np.flatnonzero(slots > 1).tolist():
        parts = []
        for rows in layout.order.parts(0):
            parts.append(rows.order[batch[rows.row] == number])
        order = np.concatenate(parts)
        order.sort()
        cuts[number] = order[np.arange(1, slots[number]) * len(order) // slots[number]]
    return cuts


def _slots_within(layout: Layout, index: int, rows: Array, batch: Array, cuts: dict[int, U64]) -> Array:
    """Which slot of its batch each row of a partition belongs to, counted from 0: int64[rows].

    Args:
        layout: of the job.
        index: of the partition.
        rows: numbers of the rows.
        batch: of each of the rows.
        cuts: as `_cuts` gives them.
    """
    known = layout.order.read_writer(index)
    order = known.order[np.searchsorted(known.row, rows)]
    within = np.zeros(len(rows), np.int64)
    for number, cut in cuts.items():
        members = batch == number
        within[members] = np.searchsorted(cut, order[members], side="right")
    return within


def _batches(component: Array, size: Array, most: int) -> tuple[Array, Array, int]:
    """The batch of every row (int32; -1: of none), the slots of every batch, the size of the largest component."""
    batch = np.full(len(component), -1, np.int32)
    slots = np.empty(2 + 3 * int(size.sum(dtype=np.int64)) // most, np.int64)
    count, largest = assign_batches(component, size, most, batch, slots)
    return batch, slots[:count], largest


def gather_texts(job: Job[DedupWork], index: int, side: Side) -> Result:
    """Send the texts of one partition's rows that are in a component to the slot that will compare them."""
    layout = Layout.load(job.store, job.folder)
    settings = job.settings
    members = layout.members(side).read_writer(index)
    members = members.take(np.argsort(members.slot, kind="stable"))  # before the texts are taken: they are copied once
    subjects = side == "passage" and settings.same_subject
    table = layout.read_pairs(
        index, ["pair_id", "doc_id", "relation", "query", *(["passage"] if side == "passage" else [])]
    )
    table = table.take(pa.array(members.row.astype(np.int64) - layout.starts[index]))
    id_high, id_low = id_halves(table["pair_id"])
    ranked, sketches = layout.order.read_writer(index), layout.sketches(side).read_writer(index)
    ranked = ranked.take(np.searchsorted(ranked.row, members.row))
    sketch = sketches.take(np.searchsorted(sketches.row, members.row)).sketch
    document_matters = not settings.near_within_document and index < layout.own
    texts = TextRows(
        row=members.row,
        document=id_halves(table["doc_id"])[1] if document_matters else id_low,
        use=_compared_uses(table) if side == "passage" else np.zeros(table.num_rows, np.uint64),
        rank=ranked.rank,
        document_key=ranked.document,
        text_key=ranked.text,
        id_high=id_high,
        id_low=id_low,
        sketch=sketch,
        text=table[side],
        query=table["query"] if subjects else pa.nulls(table.num_rows, pa.string()),
    )
    layout.texts(side).write(index, texts, members.slot)
    return Result(rows=len(members), bytes=table.nbytes)


def _compared_uses(table: pa.Table) -> U64:
    """uint64[rows]: see `TextRows.use`."""
    uses = uses_of(table)
    out, written = uses.astype(np.uint64), uses == Use.WRITTEN
    out[written] = hash_folded(fold(table["query"].filter(pa.array(written))))[:, 0] | np.uint64(1 << 63)
    return out
