"""The score stage: does the passage belong to the query? It judges every pair that passes the screen, and rejects none.

An exchange over groups; a group is a source and a relation. Each step is a list of tasks, and this is what they read
and write in the stage's folder:

| step | tasks | reads | writes |
|---|---|---|---|
| draw | one per partition | the partition | candidates/: the texts with the lowest keys of each group |
| choose | one | candidates/ | chosen.parquet: the highest key that is in the sample of each group |
| sample | one per partition | the pairs' vectors | samples/: sampled pairs with their vectors |
| cut | one | samples/ | cuts.parquet: where each group is cut, and the band of a cascade |
| band | one per partition | cuts.parquet, vectors | first/: what the cheap encoder says of each pair |
| judge | one per partition | the partition, cuts.parquet, first/ | judged/: the verdicts, see `cmtp.partition` |

The sample is drawn from the texts, each counted once, so that copies of a file change no cut.

Vectors of all pairs come from the encode stage. The expensive encoder of a cascade encodes the sample in the step
"sample" and the pairs of a band in the step "band", into a folder of its own that later builds find again.

A pair is decided by the cut of its group (`cuts.group_cut`). With a cascade the cheap encoder decides outside the
group's band, the expensive one inside it and about sampled pairs. Steps that have nothing to do are left out: "band"
where there is no cascade, and all but "judge" where a fixed threshold decides alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.encoders.registry import encoder_card
from cmtp.engine.figures import totals
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.partition import RECORDED, judged_by, judged_path, passes, read_screened
from cmtp.settings import RecipeBase
from cmtp.similarity.cut_steps import cut_steps, encode_expensive, expensive_vectors, in_sample, read_cuts, sample_keys
from cmtp.similarity.cuts import GroupCut, combined, group_cut, pair_scores
from cmtp.similarity.encode import Encoded, expensive_work, gpu_processes
from cmtp.similarity.groups import group_names, rows_by_group
from cmtp.similarity.settings import SimilaritySettings, SimilarityWork

_REASON = "low_similarity"


class ScoreStage(Stage[SimilarityWork]):
    """Records which pairs' passages do not belong to their queries. Its settings are the similarity stage's."""

    name: ClassVar[str] = "score"
    reads: ClassVar[tuple[str, ...]] = ("screen", "encode")
    writes_rows: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> SimilarityWork:
        """See Stage."""
        settings, encode = recipe.of(SimilaritySettings), before["encode"]
        expensive = None if settings.cascade is None else expensive_work(settings, encode)
        return SimilarityWork.extend(
            settings,
            seed=recipe.seed,
            screened=judged_by("screen", before),
            encoded=encode.folder,
            uncalibrated_cut=uncalibrated_cut(settings),
            expensive=expensive,
        )

    def steps(self, job: Job[SimilarityWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See the module."""
        if job.settings.needs_sample:
            yield from cut_steps(job, inputs)
        if job.settings.expensive is not None:
            yield [task(judge_first, job, f"band-{index:05d}", index, part) for index, part in enumerate(inputs)]
        yield [task(judge_partition, job, f"judge-{index:05d}", index, part) for index, part in enumerate(inputs)]

    def summary(self, run: StageRun) -> str:
        """See Stage."""
        return "verdicts recorded"

    def warning(self, run: StageRun) -> str | None:
        """Says how many pairs were not cut, because no cut is known for them."""
        uncut = run.figures.get("not_cut")
        if not isinstance(uncut, dict):
            return None
        pairs = sum(figure.value for figure in uncut.values() if not isinstance(figure, dict))
        return (
            f"similarity kept {pairs:,} pairs without a cut: their sources are too small to calibrate one, and none is "
            "known for this encoder. Set similarity.threshold, or lower similarity.min_sample"
        )

    def keeps(self, settings: SimilarityWork) -> set[str]:
        """The vectors of a cascade's expensive encoder."""
        return {settings.expensive.cached} if settings.expensive and settings.expensive.cached else set()

    def processes(self, settings: SimilarityWork) -> int | None:
        """One per GPU where a cascade's expensive encoder computes there."""
        return None if settings.expensive is None else gpu_processes(settings.expensive.encoder)


def uncalibrated_cut(settings: SimilaritySettings) -> float | None:
    """See `SimilarityWork.uncalibrated_cut`."""
    return encoder_card(settings.encoder).fallback_cut if settings.threshold is None else settings.threshold


@dataclass(frozen=True)
class FirstVerdict:
    """What the encoder that sees all pairs says of the n pairs of a partition.

    Attributes:
        score: float32 [n].
        low: float32 [n], a pair with a lower score is rejected; from there up to `high` the expensive encoder decides.
        high: float32 [n], a pair is kept from there on.
        expensive: bool [n], whether the expensive encoder decides: in the band, or sampled, so that it is known anyway.
    """

    score: np.ndarray
    low: np.ndarray
    high: np.ndarray
    expensive: np.ndarray


def judge_first(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Judge a partition's pairs by the cheap encoder, and encode those that the expensive one decides.

    Columns: as of `FirstVerdict`.
    """
    columns = ["source", "relation", "query", "passage"]
    rows = read_screened(job.store, part, index, job.settings.screened, columns)
    verdict = _first_verdict(job, index, group_names(rows), read_cuts(job))
    encode_expensive(job, index, "band", rows.select(["query", "passage"]).filter(pa.array(verdict.expensive)))
    job.store.write_table(_first_path(job, index), pa.table(vars(verdict)))
    return Result(rows=int(verdict.expensive.sum()))


def judge_partition(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Record the verdict on every pair of a partition.

    Figures: with a cascade, how many pairs each encoder decided; pairs of groups for which no cut is known.
    """
    settings = job.settings
    columns = ["pair_id", "source", "relation", *(["query", "passage"] if settings.expensive is not None else [])]
    rows = read_screened(job.store, part, index, settings.screened, columns)
    names, cuts = group_names(rows), read_cuts(job)
    if settings.expensive is None:
        verdict = _first_verdict(job, index, names, cuts)
    else:
        table = job.store.read_table(_first_path(job, index))
        verdict = FirstVerdict(**{name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names})
    groups = [
        (name, members, group_cut(name, cuts, settings.uncalibrated_cut)) for name, members in rows_by_group(names)
    ]
    score, threshold = verdict.score.copy(), np.where(verdict.score < verdict.low, verdict.low, verdict.high)
    if verdict.expensive.any():
        vectors = expensive_vectors(job, index).open()
        for _, members, cut in groups:
            asked = members[verdict.expensive[members]]
            texts = rows.select(["query", "passage"]).take(pa.array(asked))
            score[asked] = combined(pair_scores(vectors.pairs(texts), cut.centre), score[asked], cut.weight)
            threshold[asked] = cut.threshold
    encoder = np.where(verdict.expensive, settings.encoder, settings.first_encoder)
    _record(job, index, part, rows["pair_id"], Scored(score, threshold, encoder))
    result = Result(rows=rows.num_rows)
    uncut = {name: len(members) for name, members, cut in groups if not cut.known}
    if uncut:
        result.figures["not_cut"] = totals(uncut)
    if settings.expensive is not None:
        by_expensive = int(verdict.expensive.sum())
        decided = {settings.encoder: by_expensive, settings.first_encoder: rows.num_rows - by_expensive}
        result.figures["cascade"] = {"pairs_decided": totals(decided)}
    return result


class Scored(NamedTuple):
    """What decides about the n pairs of a partition that pass the screen.

    Attributes:
        score: float32 [n].
        threshold: float32 [n], lowest score that is kept.
        encoder: str [n], name of the encoder that decides.
    """

    score: np.ndarray
    threshold: np.ndarray
    encoder: np.ndarray


def _record(job: Job[SimilarityWork], index: int, part: str, ids: pa.ChunkedArray, scored: Scored) -> None:
    """Write the verdicts on a partition: a row for each pair that passes the screen."""
    count = job.store.rows(part)
    row = np.flatnonzero(passes(job.store, job.settings.screened, index, count))
    similarity = Encoded(job.settings.encoded, index).scores(job.store)["similarity"].to_numpy()
    goes = scored.score < scored.threshold
    evidence = np.full(len(row), None, object)
    evidence[goes] = _evidence(similarity[goes], scored.score[goes], scored.threshold[goes], scored.encoder[goes])
    columns = {
        "row": pa.array(row, pa.int32()),
        "pair_id": ids,
        "reason": pa.array([_REASON if gone else None for gone in goes.tolist()], pa.string()),
        "evidence": pa.array(evidence, pa.string()),
        "score": pa.array(scored.score, pa.float32()),
    }
    job.store.write_table(judged_path(job.path("judged"), index), pa.table(columns, schema=RECORDED))


def _first_verdict(
    job: Job[SimilarityWork], index: int, names: pa.ChunkedArray, cuts: dict[str, GroupCut]
) -> FirstVerdict:
    settings, cascade = job.settings, job.settings.expensive is not None
    encoded = Encoded(settings.encoded, index).open(job.store)
    score = encoded.similarity.copy()
    low, high = np.empty_like(score), np.empty_like(score)
    for name, rows in rows_by_group(names):
        cut = group_cut(name, cuts, settings.uncalibrated_cut)
        centre = cut.cheap_centre if cascade else cut.centre
        if centre is not None:
            score[rows] = pair_scores(encoded.vectors(rows), centre, score[rows])
        low[rows], high[rows] = (cut.low, cut.high) if cascade else (cut.threshold, cut.threshold)
    expensive = np.zeros(len(score), bool)
    if cascade:
        keys = sample_keys(encoded.text_key, settings.seed)
        expensive = (score >= low) & (score < high) | in_sample(job, names, keys)
    return FirstVerdict(score, low, high, expensive)


def _evidence(cosine: np.ndarray, score: np.ndarray, threshold: np.ndarray, encoder: np.ndarray) -> list[str]:
    columns = (cosine.tolist(), score.tolist(), threshold.tolist(), encoder.tolist())
    return [
        json.dumps({"similarity": round(a, 5), "score": round(b, 5), "threshold": round(c, 5), "encoder": name})
        for a, b, c, name in zip(*columns, strict=True)
    ]


def _first_path(job: Job[SimilarityWork], index: int) -> str:
    return job.path(f"first/part-{index:05d}.parquet")
