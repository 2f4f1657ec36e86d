"""The last step: every pair of a partition gets its score and its verdict."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.schema import PAIR, REJECTS
from cmtp.similarity.cascade import part_pairs
from cmtp.similarity.cuts import combined, read_cuts, score
from cmtp.similarity.encode import Encoded
from cmtp.similarity.vectors import Dear


def apply(task: Task, store: Store) -> Result:
    """Write kept/ and rejects/. Facts: with a cascade, how many pairs each encoder decided."""
    part, index, kept_path, rejects_path = task.inputs
    rows = store.read_table(part)
    result = Result(rows=rows.num_rows, bytes=rows.nbytes)
    result.ledger.take(rows)
    settings, cuts = task.settings, read_cuts(task, store)
    parted = part_pairs(task, store, index, rows, cuts)
    value, threshold = parted.score.copy(), np.where(parted.score < parted.low, parted.low, parted.high)
    if settings["cascade"] is not None:
        dear = Dear.of(task, index)
        for at, cut in parted.groups:
            at = at[parted.dear[at]]
            if len(at):
                texts = rows.select(["query", "passage"]).take(pa.array(at))
                value[at] = combined(score(*dear.vectors(store, texts), cut.centre), parted.score[at], cut.weight)
                threshold[at] = cut.threshold
        by_dear = int(parted.dear.sum())
        counts = {settings["encoder"]: by_dear, settings["cascade"]: rows.num_rows - by_dear}
        result.facts = {"cascade": {"pairs_decided": counts}}
    similarity = Encoded(settings["encoded"], index).scores(store)["similarity"]
    rows = rows.set_column(rows.schema.get_field_index("similarity"), PAIR.field("similarity"), similarity)
    keep = value >= threshold
    kept = rows.filter(pa.array(keep))
    names = np.where(parted.dear, settings["encoder"], settings["cascade"] or settings["encoder"])
    rejected = _rejects(rows.filter(pa.array(~keep)), value[~keep], threshold[~keep], names[~keep])
    store.write_table(kept_path, kept)
    store.write_table(rejects_path, rejected)
    result.ledger.keep(kept)
    result.ledger.reject(rejected)
    return result


def _rejects(rows: pa.Table, score: np.ndarray, threshold: np.ndarray, encoder: np.ndarray) -> pa.Table:
    cosines, scores, limits = rows["similarity"].to_pylist(), score.tolist(), threshold.tolist()
    evidence = [
        json.dumps({"similarity": round(a, 5), "score": round(b, 5), "threshold": round(c, 5), "encoder": name})
        for a, b, c, name in zip(cosines, scores, limits, encoder.tolist(), strict=True)
    ]
    made = {
        "stage": pa.array(["similarity"] * rows.num_rows, pa.string()),
        "reason": pa.array(["low_similarity"] * rows.num_rows, pa.string()),
        "evidence": pa.array(evidence, pa.string()),
        "score": pa.array(score, pa.float32()),
        "kept_id": pa.nulls(rows.num_rows, pa.string()),
    }
    columns = [made[name] if name in made else rows[name] for name in REJECTS.names]
    return pa.table(columns, names=REJECTS.names).cast(REJECTS)
