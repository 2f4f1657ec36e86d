"""Near-duplicates, last third: the texts of each job are brought together and compared by true Jaccard.

A job's rows are all held by what is small of them (about 200 bytes each, a sketch of the signature included); texts and
shingles are held for one slot at a time, and for the rows of earlier slots that its rows are compared with.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from cmtp.dedup.exchange import arrays, read_range
from cmtp.dedup.jaccard import Clusters, Limits, Rows, Sets, least_slots, promising, rows_of, sets_of
from cmtp.dedup.layout import Layout
from cmtp.dedup.near import distinct
from cmtp.dedup.verdicts import HOW, REASONS, Verdicts
from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.text.compare import Folded, fold

_LOWER: Final = np.uint64(0xFFFFFFFF)
_UPPER: Final = np.uint64(32)

NEIGHBOURS_HELD: Final = 8_000_000
"""Pairs of neighbours that are collected before those found twice are dropped."""


class _Job:
    """The rows of one job in policy order, and their texts slot by slot."""

    def __init__(self, store: Store, layout: Layout, side: str, slots: range, settings: dict[str, Any]) -> None:
        self._store, self._settings, self._slots = store, settings, slots
        self._files = layout.files(f"texts-{side}", layout.partitions)
        self._folded: tuple[Folded, Folded] | None = None  # of a job of one slot, which is most of them
        self.starts = [0]
        parts: list[Rows] = []
        columns: list[list[np.ndarray]] = []
        for slot in slots:
            table = self._read(slot)
            row, document, id_high, id_low = arrays(table, ["row", "document", "id_high", "id_low"])
            columns.append([row, id_high, id_low])
            folded = fold(table["text"])
            parts.append(rows_of(folded, document, row >= layout.own_rows, _bytes(table["sketch"])))
            self.starts.append(self.starts[-1] + len(row))
            if len(slots) == 1:
                self._folded = folded, self._queries(table)
        self.row, self.id_high, self.id_low = map(np.concatenate, zip(*columns, strict=True))
        self.rows = Rows(*map(np.concatenate, zip(*parts, strict=True)))

    def _read(self, slot: int) -> pa.Table:
        table = read_range(self._store, self._files, slot)
        order = np.lexsort([table[name].to_numpy() for name in ("id_low", "id_high", "rank")])
        return table.take(pa.array(order))

    def _queries(self, table: pa.Table) -> Folded:
        if "query" in table.column_names:
            return fold(table["query"])
        return Folded(np.empty(0, np.int32), np.zeros(table.num_rows + 1, np.int64))

    def sets(self, rows: np.ndarray) -> Sets:
        """The shingles of some rows, given in ascending order; slots without such a row are not read."""
        width = self._settings["shingle"]
        if self._folded is not None:
            folded, queries = (one.take(rows) for one in self._folded)
            return sets_of(folded, queries, rows, len(self.row), width)
        tables = []
        for place, slot in enumerate(self._slots):
            first, last = np.searchsorted(rows, self.starts[place : place + 2])
            if first < last:
                tables.append(self._read(slot).take(pa.array(rows[first:last] - self.starts[place])))
        if not tables:
            tables = [self._read(self._slots[0]).slice(0, 0)]
        table = pa.concat_tables(tables)
        return sets_of(fold(table["text"]), self._queries(table), rows, len(self.row), width)


def _bytes(column: pa.ChunkedArray) -> np.ndarray:
    """uint8[rows, width] of a column of binary values of one width."""
    width = column.type.byte_width
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8, len(chunk) * width, chunk.offset * width) for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, np.uint8), *parts]).reshape(-1, width)


def verify(task: Task, store: Store) -> Result:
    """Compare the rows of one job, and reject those that a better row resembles."""
    layout = Layout.load(store, task.folder)
    settings, side = task.settings, task.inputs[-1]
    first, many = store.read_json(f"{task.folder}/groups-{side}.json")["jobs"][task.index]
    job = _Job(store, layout, side, range(first, first + many), settings)
    slots = least_slots(settings["permutations"], settings["threshold"])
    limits = Limits(settings["threshold"], settings["number_chars"], settings["same_amounts"], slots)
    files = layout.files(f"grouped-{side}", layout.band_ranges(settings["bands"]))
    starts, neighbours = _neighbours(store, files, task.index, job, limits)
    found = Clusters(len(job.row))
    compared = np.zeros(len(job.row), bool)
    compared[neighbours] = True
    compared |= np.diff(starts) > 0
    for start, end in zip(job.starts[:-1], job.starts[1:], strict=True):
        needed = np.zeros(len(job.row), bool)
        needed[start:end] = compared[start:end]
        needed[found.keeper[neighbours[starts[start] : starts[end]]]] = True  # decided rows of earlier slots
        sets = job.sets(np.flatnonzero(needed))
        found.walk(start, end, job.rows, sets, starts, neighbours, limits)
    sizes = np.bincount(found.keeper, minlength=len(job.row))
    lost = np.flatnonzero(found.keeper != np.arange(len(job.row)))
    kept = found.keeper[lost]
    reason = np.full(
        len(lost), REASONS.index("near_duplicate" if side == "passage" else "near_duplicate_query"), np.uint8
    )
    reason[job.row[kept] >= layout.own_rows] = REASONS.index("in_older_release")
    Verdicts(
        row=job.row[lost],
        kept=job.row[kept],
        kept_high=job.id_high[kept],
        kept_low=job.id_low[kept],
        reason=reason,
        how=np.full(len(lost), HOW.index(f"near {side}"), np.uint8),
        copies=sizes[kept].astype(np.uint32),
        jaccard=found.similarity[lost],
    ).write(store, layout, f"near-{side}", task.index)
    facts = {"comparisons": found.comparisons, "edges": len(neighbours)}
    return Result(rows=len(job.row), facts=facts)


def _neighbours(store: Store, files: list[str], index: int, job: _Job, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    """For each row, the better rows that share a band with it and may be copies: int64[rows + 1] starts, int32 rows.

    Edges are read file by file, and those that the sketches rule out are dropped at once.
    """
    by_row = np.argsort(job.row).astype(np.uint32)
    numbers = job.row[by_row]
    pairs, held = np.empty(0, np.uint64), [np.empty(0, np.uint64)]
    for file in files:
        one, other = (
            by_row[np.searchsorted(numbers, end)] for end in arrays(read_range(store, [file], index), ["a", "b"])
        )
        worse, better = np.maximum(one, other), np.minimum(one, other)
        some = promising(job.rows, better, worse, limits)
        held.append(worse[some].astype(np.uint64) << _UPPER | better[some])
        if sum(map(len, held)) > NEIGHBOURS_HELD:
            pairs = distinct(np.concatenate([pairs, *held]))
            held = []
    pairs = distinct(np.concatenate([pairs, *held]))
    starts = np.searchsorted(pairs >> _UPPER, np.arange(len(job.row) + 1).astype(np.uint64))
    return starts.astype(np.int64), (pairs & _LOWER).astype(np.int32)
