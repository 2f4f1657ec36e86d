"""A cascade: which pairs the cheap encoder decides, and the vectors of the expensive one for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.shards.order import order_keys
from cmtp.similarity.cuts import Cut, cut_of, read_cuts, score
from cmtp.similarity.encode import Encoded
from cmtp.similarity.groups import group_names
from cmtp.similarity.sample import chosen_path, in_sample
from cmtp.similarity.vectors import SIDES, Dear


@dataclass(frozen=True)
class Parted:
    """A partition's pairs as the first encoder, which saw them all, parts them.

    Attributes:
        score: [n] by the first encoder.
        low: [n] rejected below; from there up to high the expensive encoder decides, where there is one.
        high: [n] kept from there on.
        dear: [n] whether the expensive encoder decides: in the band, or sampled, so that it is known anyway.
        groups: rows of every group, and its cut.
    """

    score: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dear: np.ndarray
    groups: list[tuple[np.ndarray, Cut]]


def part_pairs(task: Task, store: Store, index: int, rows: pa.Table, cuts: dict[str, Cut]) -> Parted:
    """Score pairs (at least pair_id, source, relation) by the first encoder."""
    settings = task.settings
    cascade = settings["cascade"] is not None
    encoded = Encoded(settings["encoded"], index)
    scores = encoded.scores(store)
    value = scores["similarity"].to_numpy().copy()
    low, high = np.empty_like(value), np.empty_like(value)
    names = group_names(rows)
    groups = []
    for name in names.unique().to_pylist():
        at = np.flatnonzero(pc.equal(names, name).to_numpy())
        cut = cut_of(name, cuts, settings)
        centre = cut.cheap if cascade else cut.centre
        if centre is not None:
            query = encoded.vectors(store, "query", scores["query_row"].to_numpy()[at])
            passage = encoded.vectors(store, "passage", scores["passage_row"].to_numpy()[at])
            value[at] = score(query, passage, centre, value[at])
        low[at], high[at] = (cut.low, cut.high) if cascade else (cut.threshold, cut.threshold)
        groups.append((at, cut))
    dear = np.zeros(len(value), bool)
    if cascade:
        keys = order_keys(rows["pair_id"], settings["seed"])
        dear = ((value >= low) & (value < high)) | in_sample(names, keys, store.read_table(chosen_path(task.folder)))
    return Parted(value, low, high, dear, groups)


def band(task: Task, store: Store) -> Result:
    """Encode the pairs of a partition that the expensive encoder decides."""
    part, index = task.inputs
    rows = store.read_table(part, ["pair_id", "source", "relation", "query", "passage"])
    parted = part_pairs(task, store, index, rows, read_cuts(task, store))
    Dear.of(task, index).encode(store, "band", rows.select(list(SIDES)).filter(pa.array(parted.dear)))
    return Result(rows=int(parted.dear.sum()))
