"""Near-duplicates, part 3: the texts of each batch are brought together and compared by true Jaccard similarity.

A task holds the small columns of all rows of its batch (about 200 bytes per row, a sketch of the signature included).
Texts and shingles are held for one slot at a time, and for the rows of earlier slots that its rows are compared with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.columns import bytes_of
from cmtp.dedup.candidates import sorted_distinct
from cmtp.dedup.exchange import Array
from cmtp.dedup.jaccard import Clusters, CopyLimits, Neighbours, Rows, Sets, least_slots, promising, rows_of, sets_of
from cmtp.dedup.layout import Layout, near_decision
from cmtp.dedup.policy import is_cut
from cmtp.dedup.records import Edges, TextRows
from cmtp.dedup.settings import DedupWork
from cmtp.dedup.subjects import subjects_of
from cmtp.dedup.verdicts import Match, Reason, Verdicts
from cmtp.engine.figures import totals
from cmtp.engine.task import Job, Result
from cmtp.schema import Side
from cmtp.text.compare import Folded, fold

_LOWER: Final = np.uint64(0xFFFFFFFF)
_UPPER: Final = np.uint64(32)

NEIGHBOURS_HELD: Final = 8_000_000
"""Pairs of neighbours that are collected before those found twice are dropped."""


class _Batch:
    """The rows of one batch in policy order, and their texts slot by slot.

    Attributes:
        row: uint32[rows], their numbers.
        id_high: uint64[rows], upper halves of their pair_ids.
        id_low: uint64[rows], lower halves.
        cut: uint8[rows], 1 where the similarity cut takes the row.
        rows: what is held of every row.
        starts: position of the first row of each slot; the last entry is the number of rows.
    """

    def __init__(self, layout: Layout, side: Side, slots: range, shingle: int) -> None:
        self._texts, self._slots, self._shingle = layout.texts(side), slots, shingle
        self._held: tuple[Folded, Folded, TextRows] | None = None  # of a batch of one slot, which is most of them
        self.starts = [0]
        parts: list[Rows] = []
        ids: list[tuple[Array, Array, Array, Array]] = []
        for slot in slots:
            texts = self._read(slot)
            folded = fold(texts.text)
            older = texts.row >= layout.own_rows
            sketch = bytes_of(texts.sketch)
            parts.append(rows_of(folded, texts.document, use=texts.use, fixed=older, sketch=sketch))
            ids.append((texts.row, texts.id_high, texts.id_low, is_cut(texts.rank)))
            self.starts.append(self.starts[-1] + len(texts))
            if len(slots) == 1:
                self._held = folded, fold(texts.query), texts
        self.row, self.id_high, self.id_low, self.cut = map(np.concatenate, zip(*ids, strict=True))
        self.rows = Rows(*map(np.concatenate, zip(*parts, strict=True)))

    def _read(self, slot: int) -> TextRows:
        texts = self._texts.read(slot)
        return texts.take(np.lexsort(texts.policy_order[::-1]))

    def sets(self, rows: Array) -> Sets:
        """The shingles of some rows, given in ascending order; slots without such a row are not read."""
        if self._held is not None:
            folded, queries = (side.take(rows) for side in self._held[:2])
            texts = self._held[2].take(rows)
            subjects = subjects_of(texts.text, texts.query, folded, queries)
            return sets_of(folded, subjects, rows, len(self.row), self._shingle)
        parts = []
        for number, slot in enumerate(self._slots):
            first, last = np.searchsorted(rows, self.starts[number : number + 2])
            if first < last:
                parts.append(self._read(slot).take(rows[first:last] - self.starts[number]))
        if not parts:
            parts = [self._read(self._slots[0]).take(np.empty(0, np.int64))]
        text, query = _joined(part.text for part in parts), _joined(part.query for part in parts)
        folded = fold(text)
        return sets_of(folded, subjects_of(text, query, folded, fold(query)), rows, len(self.row), self._shingle)


def _joined(columns: Iterable[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Columns of one type, one after the other."""
    given = list(columns)
    return pa.chunked_array([chunk for column in given for chunk in column.chunks], given[0].type)


def verify_batch(job: Job[DedupWork], index: int, side: Side) -> Result:
    """Compare the rows of one batch, and reject those that a better row resembles.

    1. Read the small columns of all rows, in policy order.
    2. Read the edges. Keep those that neither the guards nor the sketches rule out.
    3. Slot by slot, read the texts that are compared and decide about the slot's rows, from the best to the worst.
    """
    layout = Layout.load(job.store, job.folder)
    settings = job.settings
    batch = _Batch(layout, side, layout.batches(side).slots_of(index), settings.shingle)
    limits = _limits(settings)
    neighbours = _neighbours(layout.batch_edges(side).parts(index), batch, limits)
    clusters = Clusters(len(batch.row))
    compared = np.zeros(len(batch.row), bool)
    compared[neighbours.rows] = True
    compared |= np.diff(neighbours.starts) > 0
    for start, end in zip(batch.starts[:-1], batch.starts[1:], strict=True):
        needed = np.zeros(len(batch.row), bool)
        needed[start:end] = compared[start:end]
        edges = slice(neighbours.starts[start], neighbours.starts[end])
        needed[clusters.keeper[neighbours.rows[edges]]] = True  # decided rows of earlier slots
        clusters.decide(range(start, end), batch.rows, batch.sets(np.flatnonzero(needed)), neighbours, limits)
    layout.write_verdicts(near_decision(side), index, _verdicts(batch, clusters, side, layout.own_rows))
    figures = totals({"comparisons": clusters.comparisons, "edges": len(neighbours.rows)})
    return Result(rows=len(batch.row), figures=figures)


def _limits(settings: DedupWork) -> CopyLimits:
    slots = least_slots(settings.permutations, settings.threshold)
    return CopyLimits(settings.threshold, settings.number_chars, settings.same_amounts, slots)


def _neighbours(parts: Iterable[Edges], batch: _Batch, limits: CopyLimits) -> Neighbours:
    """For each row, the better rows that share a band with it and may be copies.

    Edges are read file by file, and those that cannot be copies are dropped at once.
    """
    by_row = np.argsort(batch.row).astype(np.uint32)
    numbers = batch.row[by_row]
    pairs, collected = np.empty(0, np.uint64), [np.empty(0, np.uint64)]
    for edges in parts:
        a, b = (by_row[np.searchsorted(numbers, row)] for row in (edges.better, edges.worse))
        worse, better = np.maximum(a, b), np.minimum(a, b)
        stays = promising(batch.rows, better, worse, limits)
        collected.append(worse[stays].astype(np.uint64) << _UPPER | better[stays])
        if sum(map(len, collected)) > NEIGHBOURS_HELD:
            pairs = sorted_distinct(np.concatenate([pairs, *collected]))
            collected = []
    pairs = sorted_distinct(np.concatenate([pairs, *collected]))
    starts = np.searchsorted(pairs >> _UPPER, np.arange(len(batch.row) + 1).astype(np.uint64))
    return Neighbours(starts.astype(np.int64), (pairs & _LOWER).astype(np.int32))


def _verdicts(batch: _Batch, clusters: Clusters, side: Side, own_rows: int) -> Verdicts:
    lost = np.flatnonzero(clusters.keeper != np.arange(len(batch.row)))
    kept = clusters.keeper[lost]
    sizes = np.bincount(clusters.keeper, minlength=len(batch.row))
    by_passage = side == "passage"
    reason = Reason.NEAR_DUPLICATE if by_passage else Reason.NEAR_DUPLICATE_QUERY
    match = Match.NEAR_PASSAGE if by_passage else Match.NEAR_QUERY
    return Verdicts(
        row=batch.row[lost],
        kept=batch.row[kept],
        kept_id_high=batch.id_high[kept],
        kept_id_low=batch.id_low[kept],
        kept_cut=batch.cut[kept],
        reason=np.where(batch.row[kept] >= own_rows, Reason.IN_OLDER_RELEASE, reason).astype(np.uint8),
        match=np.full(len(lost), match, np.uint8),
        group_size=sizes[kept].astype(np.uint32),
        score=clusters.similarity[lost],
        evaluation_text=np.zeros(len(lost), np.uint32),
    )
