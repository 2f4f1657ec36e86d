"""Verdicts: how they travel to the partition of the row they concern, and how they are applied there."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp import schema
from cmtp.dedup import policy
from cmtp.dedup.contamination import evaluation_texts
from cmtp.dedup.exchange import arrays, read_all, read_range, write_ranges
from cmtp.dedup.layout import Layout
from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task

REASONS: Final = (
    "contaminated",
    "query_equals_passage",
    "duplicate_pair",
    "duplicate_swapped",
    "duplicate_query",
    "near_duplicate_query",
    "duplicate_passage",
    "near_duplicate",
    "in_older_release",
)
"""Reject reasons of this stage; a verdict holds the place in this list."""

HOW: Final = ("pair", "swapped pair", "query", "passage", "near query", "near passage")
"""What a row has in common with the one it lost to; a verdict holds the place in this list."""

_SAME_PASSAGE: Final = tuple(map(REASONS.index, ("duplicate_pair", "duplicate_passage")))
"""A row with such a verdict has the passage of the row it lost to."""


class Verdicts(NamedTuple):
    """Rejected rows, one entry each.

    Attributes:
        row: uint32, number of the row.
        kept: uint32, number of the row it lost to; the row itself where it lost to none.
        kept_high: uint64, upper half of the pair_id of `kept`.
        kept_low: uint64, lower half.
        reason: uint8, place in REASONS.
        how: uint8, place in HOW.
        copies: uint32, rows of the group that the row belongs to; place of the evaluation text where contaminated.
        jaccard: float32, similarity to `kept`, or share of n-grams where contaminated; NaN: none was measured.
    """

    row: np.ndarray
    kept: np.ndarray
    kept_high: np.ndarray
    kept_low: np.ndarray
    reason: np.ndarray
    how: np.ndarray
    copies: np.ndarray
    jaccard: np.ndarray

    @classmethod
    def lost(
        cls,
        row: np.ndarray,
        reason: str,
        how: np.ndarray | None = None,
        copies: np.ndarray | None = None,
        jaccard: np.ndarray | None = None,
    ) -> Verdicts:
        """Verdicts on rows that lost to no other row."""
        many = len(row)
        return cls(
            row=row,
            kept=row,
            kept_high=np.zeros(many, np.uint64),
            kept_low=np.zeros(many, np.uint64),
            reason=np.full(many, REASONS.index(reason), np.uint8),
            how=np.zeros(many, np.uint8) if how is None else how,
            copies=np.ones(many, np.uint32) if copies is None else copies.astype(np.uint32),
            jaccard=np.full(many, np.nan, np.float32) if jaccard is None else jaccard,
        )

    def without(self, rows: np.ndarray) -> Verdicts:
        """Those on other rows."""
        stays = ~np.isin(self.row, rows)
        return Verdicts(*[values[stays] for values in self])

    def joined(self, other: Verdicts) -> Verdicts:
        """These and the others."""
        return Verdicts(*[np.concatenate(pair) for pair in zip(self, other, strict=True)])

    def write(self, store: Store, layout: Layout, name: str, index: int) -> None:
        """Write them as an exchange by partition, `exchange/verdicts-NAME/part-INDEX`."""
        path = layout.file(f"verdicts-{name}", index)
        write_ranges(store, path, self._asdict(), layout.partition_of(self.row), layout.own)


def near_verdicts(store: Store, layout: Layout, side: str) -> list[str]:
    """Files of the verdicts on the near-duplicates of a side; none where they were not looked for."""
    path = f"{layout.folder}/groups-{side}.json"
    jobs = len(store.read_json(path)["jobs"]) if store.exists(path) else 0
    return layout.files(f"verdicts-near-{side}", jobs)


def verdict_rows(store: Store, files: list[str]) -> np.ndarray:
    """Numbers of all rows that the verdicts in the files are on: uint32."""
    return np.concatenate([np.empty(0, np.uint32), *(read_all(store, [file])["row"].to_numpy() for file in files)])


def settle(task: Task, store: Store) -> Result:
    """Let every row whose passage lives on in a kept row point to that row, and not to a copy that went itself.

    A copy of a passage whose own copy turned out to be a near-duplicate resembles the row that stayed just as well.
    Other verdicts are left as they are: a row never points to one that it does not resemble.

    Memory: 34 bytes per verdict, twice.
    """
    layout = Layout.load(store, task.folder)
    table = read_all(store, task.inputs)
    found = Verdicts(*arrays(table, Verdicts._fields))
    order = np.argsort(found.row, kind="stable")
    found = Verdicts(*[values[order] for values in found])
    del table, order
    row, reason = found.row, found.reason
    older = REASONS.index("in_older_release")
    passes = np.isin(reason, (*_SAME_PASSAGE, REASONS.index("near_duplicate")))
    passes |= (reason == older) & (found.how == HOW.index("near passage"))
    open_rows = np.flatnonzero(np.isin(reason, _SAME_PASSAGE))
    for _ in REASONS:  # a chain is at most as long as the exchanges that can lose a row
        place = np.searchsorted(row, found.kept[open_rows])
        place = np.minimum(place, max(len(row) - 1, 0))
        on = (row[place] == found.kept[open_rows]) & passes[place]
        open_rows, place = open_rows[on], place[on]
        if not len(open_rows):
            break
        for values in (found.kept, found.kept_high, found.kept_low):
            values[open_rows] = values[place]
        reissued = reason[place] == older  # the passage is in an older release, so the copy is too
        for values in (found.reason, found.how, found.jaccard):
            values[open_rows[reissued]] = values[place[reissued]]
    found.write(store, layout, "settled", 0)
    return Result(rows=len(row))


def apply(task: Task, store: Store) -> Result:
    """Write what one partition keeps and what it rejects."""
    layout = Layout.load(store, task.folder)
    job = StageJob(store, task.folder, layout.inputs, task.settings)
    table = store.read_table(task.inputs[0])
    verdicts = read_range(store, [layout.file("verdicts-settled", 0)], task.index)
    found = Verdicts(*arrays(verdicts, Verdicts._fields))
    rows = found.row.astype(np.int64) - layout.starts[task.index]
    stays = np.ones(table.num_rows, bool)
    stays[rows] = False
    kept = (table.filter(pa.array(stays)) if len(rows) else table).cast(schema.PAIR)
    rejects = _rejects(store, layout, table.take(pa.array(rows)), found, task.settings)
    store.write_table(job.kept(task.index), kept)
    store.write_table(job.rejects(task.index), rejects)
    ledger = Ledger()
    ledger.take(table)
    ledger.keep(kept)
    ledger.reject(rejects)
    return Result(ledger=ledger, rows=table.num_rows, bytes=table.nbytes)


def _rejects(store: Store, layout: Layout, table: pa.Table, found: Verdicts, settings: dict[str, Any]) -> pa.Table:
    nowhere = (found.kept == found.row) | (found.kept >= layout.own_rows)
    kept_id = pc.if_else(
        pa.array(nowhere), pa.scalar(None, pa.string()), pa.array(policy.id_texts(found.kept_high, found.kept_low))
    )
    columns = {
        "stage": pa.array(["dedup"] * table.num_rows, pa.string()),
        "reason": pa.DictionaryArray.from_arrays(pa.array(found.reason.astype(np.int32)), pa.array(REASONS)),
        "evidence": pa.array(_evidence(store, layout, found, settings), pa.string()),
        "score": pa.array(found.jaccard, pa.float32(), from_pandas=True),  # NaN becomes null
        "kept_id": kept_id,
    }
    taken = [columns.get(name, table[name] if name in table.column_names else None) for name in schema.REJECTS.names]
    return pa.table(taken, names=schema.REJECTS.names).cast(schema.REJECTS)


def _evidence(store: Store, layout: Layout, found: Verdicts, settings: dict[str, Any]) -> list[str]:
    """JSON per row: what it has in common with what, how many rows the group has, and what was allowed."""
    forms = {
        "query_equals_passage": '{{"rule": "the comparison forms of query and passage are equal"}}',
        "duplicate_pair": '{{"copies": {copies}}}',
        "duplicate_swapped": '{{"copies": {copies}}}',
        "duplicate_query": f'{{{{"copies": {{copies}}, "max_per_query": {settings["max_per_query"]}}}}}',
        "duplicate_passage": f'{{{{"copies": {{copies}}, "max_per_passage": {settings["max_per_passage"]}}}}}',
    }
    forms["near_duplicate"] = forms["near_duplicate_query"] = (
        f'{{{{"jaccard": {{jaccard:.4f}}, "threshold": {settings["threshold"]}, "cluster_size": {{copies}}}}}}'
    )
    texts = [forms.get(name) for name in REASONS]
    rows = zip(found.reason.tolist(), found.copies.tolist(), found.jaccard.tolist(), strict=True)
    out = [(texts[which] or "").format(copies=many, jaccard=value) for which, many, value in rows]
    for name, tell in (("contaminated", _matched), ("in_older_release", _older)):
        some = np.flatnonzero(found.reason == REASONS.index(name))
        if len(some):
            told = tell(store, layout, Verdicts(*[values[some] for values in found]), settings)
            for place, value in zip(some.tolist(), told, strict=True):
                out[place] = json.dumps(value, ensure_ascii=False)
    return out


def _matched(store: Store, layout: Layout, found: Verdicts, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Which evaluation text was met, of which file, and how."""
    texts = evaluation_texts(store, layout).take(pa.array(found.copies)).to_pylist()
    told = []
    for text, how, share in zip(texts, found.how.tolist(), found.jaccard.tolist(), strict=True):
        if share == share:
            match = {"ngram": settings["decontaminate_ngram"], "share": round(share, 4)}
            match["limit"] = settings["decontaminate_share"]
        else:
            match = {"rule": "the comparison forms are equal"}
        told.append({"evaluation": text["file"], "side": HOW[how], **match, "text": text["text"]})
    return told


def _older(store: Store, layout: Layout, found: Verdicts, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Which row of which release has it."""
    names = layout.releases_of(found.kept)
    ids = policy.id_texts(found.kept_high, found.kept_low)
    told: list[dict[str, Any]] = []
    for name, pair_id, how, jaccard in zip(names, ids, found.how.tolist(), found.jaccard.tolist(), strict=True):
        told.append({"release": name, "pair_id": pair_id, "match": HOW[how]})
        if jaccard == jaccard:
            told[-1] |= {"jaccard": round(jaccard, 4), "threshold": settings["threshold"]}
    return told
