"""The first task on every partition: its texts are read and hashed once, for all exchanges."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup import policy
from cmtp.dedup.candidates import Sketchable, send_bands
from cmtp.dedup.contamination import load_index
from cmtp.dedup.exchange import U64, Array, key_range
from cmtp.dedup.index import find_overlaps
from cmtp.dedup.layout import Layout, near_sides
from cmtp.dedup.records import KeyRows, OrderRows, uses_of
from cmtp.dedup.settings import DedupWork
from cmtp.dedup.verdicts import Match, Reason, Verdicts
from cmtp.engine.task import Job, Result
from cmtp.ids import id_halves
from cmtp.relations import relations_where
from cmtp.schema import SIDES, Side
from cmtp.text.compare import Folded, fold
from cmtp.text.hashes import hash_texts, pair_keys

_ASK_QUESTIONS: Final = relations_where(lambda relation: relation.query == "question")
"""The relations that `near: query+passage` looks at. Titles of different texts may be alike."""


def send_keys(job: Job[DedupWork], index: int) -> Result:
    """Read one partition, reject what needs no other row, and send the rest out by key.

    1. Bring both sides into comparison form and hash them. Rows that the screen takes go no further: they pass dedup.
    2. Reject the rows that evaluation files hold, and those whose query is their passage. Rows of an older release are
       never rejected.
    3. Leave every row's place in the policy for the tasks that compare texts.
    4. Send the remaining rows out by band, for the search for near-duplicates.
    5. Send them out by the key of the pair, for the exact exchanges.
    """
    layout = Layout.load(job.store, job.folder)
    settings = job.settings
    older = index >= layout.own
    table = layout.read_pairs(index, ["pair_id", "query", "passage", "relation", "source", "doc_id"])
    folded = {side: fold(table[side]) for side in SIDES}
    hashes = {side: hash_texts(table[side], folded[side]) for side in SIDES}
    row = (layout.starts[index] + np.arange(table.num_rows)).astype(np.uint32)
    stays, left = layout.eligible(index)
    if not older:
        verdicts = _verdicts(layout, settings, row, folded, hashes)
        verdicts = verdicts.take(stays[verdicts.row - layout.starts[index]])
        layout.write_verdicts("keys", index, verdicts)
        stays[np.isin(row, verdicts.row)] = False
    id_high, id_low = id_halves(table["pair_id"])
    lengths = folded["passage"].lengths
    rank = policy.ranks(table["passage"], table["source"], lengths, settings, left=left, older=older)
    text = pair_keys(table["query"], table["passage"])
    order = OrderRows(row, rank, policy.document_keys(table["doc_id"], text), text)
    layout.order.write(index, order)
    for side in near_sides(settings.near):
        wanted = stays & _has_relation(table, _ASK_QUESTIONS) if side == "query" else stays
        send_bands(layout, index, side, Sketchable(folded[side], wanted, order.order), settings)
    query, passage = hashes["query"], hashes["passage"]
    swapped = (query[:, 0] > passage[:, 0]) | ((query[:, 0] == passage[:, 0]) & (query[:, 1] > passage[:, 1]))
    low, high = np.where(swapped[:, None], passage, query), np.where(swapped[:, None], query, passage)
    rows = KeyRows(
        row=row,
        rank=rank,
        document=order.document,
        text=text,
        origin=id_halves(table["doc_id"])[0],
        id_high=id_high,
        id_low=id_low,
        use=uses_of(table),
        swapped=swapped.astype(np.uint8),
        pair_a=_blend(low[:, 0], high[:, 0]),
        pair_b=_blend(low[:, 1], high[:, 1]),
        query_a=query[:, 0],
        query_b=query[:, 1],
        passage_a=passage[:, 0],
        passage_b=passage[:, 1],
    )
    if not stays.all():
        rows = rows.take(stays)
    layout.keys.write(index, rows, key_range(rows.pair_a, layout.key_ranges))
    return Result(rows=table.num_rows, bytes=table.nbytes)


def _verdicts(
    layout: Layout, settings: DedupWork, row: Array, folded: dict[Side, Folded], hashes: dict[Side, U64]
) -> Verdicts:
    """Verdicts on a partition's rows that need no other row. Contamination is named before all other reasons."""
    same = (hashes["query"] == hashes["passage"]).all(axis=1)
    verdicts = Verdicts.alone(row[same], Reason.QUERY_EQUALS_PASSAGE)
    if not settings.references.evaluation:
        return verdicts
    index = load_index(layout, settings.decontaminate_ngram)
    limit = settings.decontaminate_share
    query, passage = (find_overlaps(folded[side], hashes[side], index, limit) for side in SIDES)
    by_query = query.text >= 0  # the query is named where both sides are contaminated
    text = np.where(by_query, query.text, passage.text)
    hit = np.flatnonzero(text >= 0)
    contaminated = Verdicts.alone(
        row[hit],
        Reason.CONTAMINATED,
        match=np.where(by_query, Match.QUERY, Match.PASSAGE).astype(np.uint8)[hit],
        score=np.where(by_query, query.share, passage.share)[hit],
        evaluation_text=text[hit].astype(np.uint32),
    )
    return Verdicts.concat([verdicts.except_on(contaminated.row), contaminated])


def _has_relation(table: pa.Table, names: tuple[str, ...]) -> Array:
    """bool[rows]: whether the relation of each pair is one of these."""
    return pc.is_in(table["relation"].cast(pa.string()), pa.array(names)).to_numpy()  # type: ignore[no-any-return]


def _blend(low: Array, high: Array) -> Array:
    """One hash of two, by wrapping multiplication and addition; the order of the two counts."""
    mixed = low * np.uint64(0x9E3779B185EBCA87) + (high ^ (high >> np.uint64(29))) * np.uint64(0xC2B2AE3D27D4EB4F)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)))
