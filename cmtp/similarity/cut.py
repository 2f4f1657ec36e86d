"""The step that looks at the sample and finds the cut of every group, and the band of a cascade."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.similarity.bands import Sample, choose
from cmtp.similarity.calibrate import calibrate, shuffle
from cmtp.similarity.cuts import WHOLE, Centre, Cut, combined, cuts_path, cuts_to_table, score, weigh
from cmtp.similarity.groups import codes, matrix
from cmtp.similarity.sample import chosen_path, sample_path

Vectors = tuple[np.ndarray, np.ndarray]
"""Of queries and passages, [n, dim] each."""


def cut(task: Task, store: Store) -> Result:
    """Merge the samples, shuffle them, find the cuts. Facts: the calibration of every group; the bands of a cascade."""
    (parts,) = task.inputs
    settings = task.settings
    cascade = settings["cascade"] is not None
    rows = pa.concat_tables([store.read_table(sample_path(task.folder, i)) for i in range(parts)]).combine_chunks()
    chosen = store.read_table(chosen_path(task.folder))
    names = chosen["group"].to_pylist()
    group, keys = codes(rows["group"], names), rows["key"].to_numpy()
    order = np.lexsort((keys, group))
    rows, group, keys = rows.take(pa.array(order)), group[order], keys[order]
    left, right = shuffle(group, keys, codes(rows["doc_id"]))
    first = matrix(rows["query"]), matrix(rows["passage"])
    last = (matrix(rows["dear_query"]), matrix(rows["dear_passage"])) if cascade else first
    cuts: dict[str, Cut] = {}
    samples: dict[str, Sample] = {}
    population = dict(zip(names, chosen["rows"].to_pylist(), strict=True))
    facts: dict[str, Any] = {}
    for code, name in [*enumerate(names), (-1, WHOLE)]:
        here = np.flatnonzero((group == code) | (code < 0))
        wrong = np.flatnonzero((group[left] == code) | (code < 0))
        if min(len(here), len(wrong)) < settings["min_sample"]:
            continue
        pairs, shuffled = (here, here), (left[wrong], right[wrong])
        centre = _centre(last, here) if settings["threshold"] is None else None
        true, false = _scores(last, pairs, centre), _scores(last, shuffled, centre)
        cheap = _centre(first, here) if cascade else None
        weight = 0.0
        if cascade:
            cheap_true, cheap_false = _scores(first, pairs, cheap), _scores(first, shuffled, cheap)
            if settings["threshold"] is None:
                weight = weigh((true, false), (cheap_true, cheap_false), settings)
            true, false = combined(true, cheap_true, weight), combined(false, cheap_false, weight)
        threshold = settings["threshold"]
        if threshold is None:
            found = calibrate(true, false, settings["shuffled_share"], settings["max_loss"])
            threshold = found.threshold
            facts.setdefault("calibration", {})[name] = found.to_json()
        cuts[name] = Cut(threshold, centre, cheap=cheap, weight=weight)
        if cascade:
            limit = np.float32(threshold)
            rows_of = population.pop(name, 0)
            samples[name] = Sample(cheap_true, true >= limit, rows_of, cheap_false, false >= limit)
    if WHOLE in samples:
        samples[WHOLE] = replace(samples[WHOLE], rows=sum(population.values()))  # of the groups without their own
    if cascade:
        facts["cascade"] = _set_bands(cuts, {name: one for name, one in samples.items() if one.rows}, settings)
    store.write_table(cuts_path(task.folder), cuts_to_table(cuts))
    return Result(rows=rows.num_rows, facts=facts)


def _centre(vectors: Vectors, rows: np.ndarray) -> Centre:
    return vectors[0][rows].mean(axis=0), vectors[1][rows].mean(axis=0)


def _scores(vectors: Vectors, rows: tuple[np.ndarray, np.ndarray], centre: Centre | None) -> np.ndarray:
    return score(vectors[0][rows[0]], vectors[1][rows[1]], centre)


def _set_bands(cuts: dict[str, Cut], samples: dict[str, Sample], settings: dict[str, Any]) -> dict[str, Any]:
    """Put the bands into the cuts; groups without one are left to the expensive encoder whole. Returns the facts."""
    if not samples:
        return {"agreement": 1.0, "in_band": 1.0}
    choice = choose(samples, settings["agreement"])
    for name, band in choice.bands.items():
        cuts[name] = replace(cuts[name], low=band.low, high=band.high)
    bands = {name: band.to_json() for name, band in choice.bands.items()}
    return {
        "agreement": choice.agreement,
        "shuffled_agreement": choice.shuffled_agreement,
        "in_band": choice.share,
        "bands": bands,
    }
