"""The similarity stage: draw a sample of every source and relation, calibrate the cut, apply it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.embed.base import PRESETS
from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.errors import UsageError
from cmtp.schema import PAIR, REJECTS
from cmtp.shards.order import order_keys
from cmtp.similarity.calibrate import Calibration, calibrate, centred, shuffle
from cmtp.similarity.encode import Encoded

HERE = "cmtp.similarity.stage"

TEXT2VEC = 0.43
"""C-MTP's threshold for Text2Vec-Chinese (C-Pack, arXiv 2309.07597, §3.2). The sources do not agree on which of the two
models is meant; it says nothing for any other encoder."""

FALLBACK = {"static-zh": 0.08, "e5-small": 0.82} | dict.fromkeys((*PRESETS, *PRESETS.values()), TEXT2VEC)
"""Cut of an encoder where a build is too small to calibrate one: C-MTP's, or about where a tenth of the shuffled pairs
of mixed real text pass."""

WHOLE = "*"
"""Name of the group that holds all pairs: its cut serves groups too small for one of their own."""


class SimilarityStage:
    """Rejects pairs whose passage does not belong to the query. Reads the vectors of EncodeStage."""

    name: ClassVar[str] = "similarity"
    code: ClassVar[tuple[str, ...]] = ("cmtp.similarity", "cmtp.shards.order")
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage. The folder of the encode stage is in ``settings["encoded"]``."""

        def task(function: str, name: str, inputs: list[Any]) -> Task:
            return Task(f"{HERE}:{function}", job.folder, name, inputs, job.settings)

        samples = [f"{job.folder}/samples/part-{i:05d}.parquet" for i in range(len(job.inputs))]
        cuts = f"{job.folder}/cuts.parquet"
        if job.settings["threshold"] is None:
            yield [task("sample", f"sample-{i:05d}", [p, i, samples[i]]) for i, p in enumerate(job.inputs)]
            yield [task("cut", "cut-00000", [samples, cuts])]
        yield [
            task("apply", f"apply-{i:05d}", [p, i, cuts, job.kept(i), job.rejects(i)]) for i, p in enumerate(job.inputs)
        ]


def sample(task: Task, store: Store) -> Result:
    """Take the rows of each source and relation with the lowest order keys, with their vectors."""
    part, index, out = task.inputs
    encoded = Encoded(task.settings["encoded"], index)
    rows = store.read_table(part, ["pair_id", "source", "relation", "doc_id"])
    scores = encoded.scores(store)
    keys = order_keys(rows["pair_id"], task.settings["seed"])
    group = _codes(_groups(rows))
    order = np.lexsort((keys, group))
    first = _rank_in_group(group[order]) < task.settings["sample"]
    chosen = np.sort(order[first])
    table = pa.table(
        {
            "group": _groups(rows).take(pa.array(chosen)),
            "key": pa.array(keys[chosen]),
            "doc_id": rows["doc_id"].take(pa.array(chosen)),
            "similarity": scores["similarity"].take(pa.array(chosen)),
            "query": _vectors(encoded.vectors(store, "query", scores["query_row"].to_numpy()[chosen])),
            "passage": _vectors(encoded.vectors(store, "passage", scores["passage_row"].to_numpy()[chosen])),
        }
    )
    store.write_table(out, table)
    return Result(rows=rows.num_rows)


def cut(task: Task, store: Store) -> Result:
    """Merge the samples, shuffle them, find the cuts. Facts: the calibration of every group."""
    samples, out = task.inputs
    settings = task.settings
    rows = pa.concat_tables([store.read_table(path) for path in samples]).combine_chunks()
    names = rows["group"].unique().sort().to_pylist()
    group = _codes(rows["group"], names)
    keys = rows["key"].to_numpy()
    order = np.lexsort((keys, group))
    order = order[_rank_in_group(group[order]) < settings["sample"]]
    rows, group, keys = rows.take(pa.array(order)), group[order], keys[order]
    similarity = rows["similarity"].to_numpy()
    left, right = shuffle(group, keys, _codes(rows["doc_id"]))
    query, passage = _matrix(rows["query"]), _matrix(rows["passage"])
    cuts: dict[str, Calibration] = {}
    means: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for code, name in [(-1, WHOLE), *enumerate(names)]:
        of_group, of_shuffled = (group == code) | (code < 0), (group[left] == code) | (code < 0)
        if min(of_group.sum(), of_shuffled.sum()) >= settings["min_sample"]:
            centre = query[of_group].mean(axis=0), passage[of_group].mean(axis=0)
            true = centred(similarity[of_group], query[of_group], passage[of_group], *centre)
            wrong_query, wrong_passage = query[left[of_shuffled]], passage[right[of_shuffled]]
            dots = np.einsum("ij,ij->i", wrong_query, wrong_passage)
            shuffled = centred(dots, wrong_query, wrong_passage, *centre)
            cuts[name] = calibrate(true, shuffled, settings["shuffled_share"], settings["max_loss"])
            means[name] = centre
    facts = {"calibration": {name: found.to_json() for name, found in sorted(cuts.items())}}
    table = {
        "group": pa.array(list(cuts), pa.string()),
        "threshold": pa.array([found.threshold for found in cuts.values()], pa.float32()),
        "query_mean": _vectors(np.array([means[name][0] for name in cuts]).reshape(len(cuts), query.shape[1])),
        "passage_mean": _vectors(np.array([means[name][1] for name in cuts]).reshape(len(cuts), query.shape[1])),
    }
    store.write_table(out, pa.table(table))
    return Result(rows=rows.num_rows, facts=facts)


def apply(task: Task, store: Store) -> Result:
    """Part the rows of one partition at their group's cut."""
    part, index, cuts_path, kept_path, rejects_path = task.inputs
    rows = store.read_table(part)
    result = Result(rows=rows.num_rows, bytes=rows.nbytes)
    result.ledger.take(rows)
    encoded = Encoded(task.settings["encoded"], index)
    scores = encoded.scores(store)
    similarity = scores["similarity"]
    if task.settings["threshold"] is None:
        score, threshold = _calibrated(rows, encoded, scores, store, store.read_table(cuts_path), task.settings)
    else:
        score = similarity.to_numpy()
        threshold = np.full(rows.num_rows, task.settings["threshold"], np.float32)
    rows = rows.set_column(rows.schema.get_field_index("similarity"), PAIR.field("similarity"), similarity)
    keep = score >= threshold
    kept = rows.filter(pa.array(keep))
    rejected = _rejects(rows.filter(pa.array(~keep)), score[~keep], threshold[~keep], task.settings["encoder"])
    store.write_table(kept_path, kept)
    store.write_table(rejects_path, rejected)
    result.ledger.keep(kept)
    result.ledger.reject(rejected)
    return result


def _calibrated(
    rows: pa.Table, encoded: Encoded, scores: pa.Table, store: Store, cuts: pa.Table, settings: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Centred similarity and cut of each row: its group's, else that of all pairs, else the similarity itself and the
    encoder's fallback.
    """
    groups = _groups(rows)
    names = cuts["group"].to_pylist()
    score = scores["similarity"].to_numpy().copy()
    threshold = np.empty(rows.num_rows, np.float32)
    limits, query_means, passage_means = (
        cuts["threshold"].to_numpy(),
        _matrix(cuts["query_mean"]),
        _matrix(cuts["passage_mean"]),
    )
    for name in groups.unique().to_pylist():
        at = np.flatnonzero(pc.equal(groups, name).to_numpy())
        used = name if name in names else WHOLE
        if used not in names:
            threshold[at] = _fallback(settings["encoder"])
            continue
        place = names.index(used)
        query = encoded.vectors(store, "query", scores["query_row"].to_numpy()[at])
        passage = encoded.vectors(store, "passage", scores["passage_row"].to_numpy()[at])
        score[at] = centred(score[at], query, passage, query_means[place], passage_means[place])
        threshold[at] = limits[place]
    return score, threshold


def _fallback(encoder: str) -> float:
    if encoder not in FALLBACK:
        raise UsageError(
            f"no cut is known for the encoder {encoder}: set similarity.threshold, or lower similarity.min_sample so "
            "that this build is calibrated"
        )
    return FALLBACK[encoder]


def _rejects(rows: pa.Table, score: np.ndarray, threshold: np.ndarray, encoder: str) -> pa.Table:
    evidence = [
        json.dumps(
            {"similarity": round(value, 5), "score": round(own, 5), "threshold": round(limit, 3), "encoder": encoder}
        )
        for value, own, limit in zip(rows["similarity"].to_pylist(), score.tolist(), threshold.tolist(), strict=True)
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


def _groups(rows: pa.Table) -> pa.ChunkedArray:
    """source/relation of each row."""
    return pc.binary_join_element_wise(rows["source"].cast(pa.string()), rows["relation"].cast(pa.string()), "/")


def _codes(values: pa.ChunkedArray, names: list[str] | None = None) -> np.ndarray:
    dictionary = values.unique() if names is None else pa.array(names, pa.string())
    return pc.index_in(values, dictionary).to_numpy()  # type: ignore[no-any-return]


def _rank_in_group(group: np.ndarray) -> np.ndarray:
    """Place of each row in its group, from 0; rows of a group lie together."""
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))


def _vectors(vectors: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    flat = pa.concat_arrays(column.chunks)
    return flat.flatten().to_numpy().reshape(len(flat), flat.type.list_size)  # type: ignore[no-any-return]
