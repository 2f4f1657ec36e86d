"""The last step of the score stage: a verdict on every pair of a partition."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from cmtp.engine.figures import totals
from cmtp.engine.task import Job, Result
from cmtp.partition import RECORDED, judged_path, passes, read_screened
from cmtp.similarity.containment import text_grams
from cmtp.similarity.decide import SUSPECT
from cmtp.similarity.encode import Encoded, EncodedPairs
from cmtp.similarity.features import PairTexts
from cmtp.similarity.group_model import GroupModel, SecondModel
from cmtp.similarity.group_steps import ALONE_FOLDER, BOTH_FOLDER, suspect_vectors
from cmtp.similarity.groups import group_names, rows_by_group
from cmtp.similarity.model_files import GroupJudge, read_judge
from cmtp.similarity.sample_steps import document_codes, models, models_by_group, text_codes
from cmtp.similarity.settings import SimilarityWork
from cmtp.similarity.shuffled import has_twin
from cmtp.similarity.vectors import PairVectors

LOW_SIMILARITY: Final = "low_similarity"

SCORED: Final = pa.schema([*RECORDED, pa.field("similarity", pa.float32()), pa.field("posterior", pa.float32())])
"""Columns of the verdicts: those of `RECORDED`, the score also of pairs that pass, and two of `PAIR`."""


@dataclass
class PairScores:
    """What is known about the n pairs of a partition; filled group by group.

    Attributes:
        similarity: float32 [n], cosine by the first encoder.
        score: float32 [n], NaN where there is none.
        posterior: float32 [n], of being wrong; NaN where nothing is estimated.
        rank: float64 [n], u of the score that decides.
        limit: float64 [n], ranks below it are rejected.
        second: bool [n], whether the second encoder saw the pair.
    """

    similarity: np.ndarray
    score: np.ndarray
    posterior: np.ndarray
    rank: np.ndarray
    limit: np.ndarray
    second: np.ndarray

    @classmethod
    def unknown(cls, similarity: np.ndarray) -> PairScores:
        """Nothing is known but the cosines."""
        n = len(similarity)
        none = np.full(n, np.nan, np.float32)
        return cls(similarity, none, none.copy(), np.ones(n), np.zeros(n), np.zeros(n, bool))


def judge_partition(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Record the verdict on every pair of a partition.

    Figures: pairs of groups that are too small for an estimate.
    """
    settings = job.settings
    encoded = Encoded(settings.encoded, index).open(job.store)
    columns = ["pair_id", "source", "relation", "doc_id", "query", "passage"]
    rows = read_screened(job.store, part, index, settings.screened, columns if settings.estimates else columns[:3])
    scores = PairScores.unknown(encoded.similarity)
    result = Result(rows=rows.num_rows)
    if settings.estimates:
        result.figures["too_few"] = totals(_estimate_pairs(job, index, rows, encoded, scores))
        goes = _evidence(settings, scores)
    else:
        assert settings.threshold is not None, "nothing is estimated because there is one"
        scores.score = encoded.similarity
        goes = {
            row: json.dumps(
                {"similarity": round(cosine, 5), "threshold": settings.threshold, "encoder": settings.encoder}
            )
            for row, cosine in enumerate(encoded.similarity.tolist())
            if np.float32(cosine) < np.float32(settings.threshold)
        }
    _record(job, index, part, rows["pair_id"], scores, goes)
    return result


def _estimate_pairs(
    job: Job[SimilarityWork], index: int, rows: pa.Table, encoded: EncodedPairs, scores: PairScores
) -> dict[str, int]:
    """Fill in the scores; returns the pairs of each group that is too small for an estimate."""
    by_group, too_few = models_by_group(job), {}
    members: dict[str, list[np.ndarray]] = {}
    for group, those in rows_by_group(group_names(rows)):
        model = by_group[group]
        if model is None:
            too_few[group] = len(those)
        else:
            members.setdefault(model, []).append(those)
    texts = PairTexts(encoded.vectors(np.arange(rows.num_rows)), text_grams(rows["query"]), text_grams(rows["passage"]))
    names = models(job)
    folder = ALONE_FOLDER if job.settings.second is None else BOTH_FOLDER
    for name, parts in sorted(members.items()):
        those = np.sort(np.concatenate(parts))
        judge = read_judge(job, folder, names.index(name))
        if judge.model is None:
            continue
        _score_first(judge, judge.model, texts, those, scores)
        if judge.second is not None:
            suspects = those[scores.rank[those] < SUSPECT]
            asked = suspect_vectors(job, index, name, rows.select(["query", "passage"]).take(pa.array(suspects)))
            _score_second(judge, judge.second, asked, suspects, scores)
        _spare_twins(judge, texts, rows, those, scores)
    return too_few


def _score_first(judge: GroupJudge, model: GroupModel, texts: PairTexts, those: np.ndarray, scores: PairScores) -> None:
    """What the first encoder says about the pairs of a judge."""
    score = model.scores(texts, those, those)
    ranks = model.ranks(score)
    scores.score[those], scores.rank[those] = score, ranks
    if judge.asked is None:
        scores.limit[those] = judge.verdict.limit
        scores.posterior[those] = judge.verdict.steps.of(ranks)
    else:  # the steps are those of suspects
        known = judge.verdict.steps.values[0]
        scores.posterior[those] = np.where(ranks < SUSPECT, known, np.nan if np.isnan(known) else judge.rest)


def _score_second(
    judge: GroupJudge, second: SecondModel, vectors: PairVectors, suspects: np.ndarray, scores: PairScores
) -> None:
    """What both encoders say about the suspects of a judge."""
    score = second.scores(vectors, scores.score[suspects])
    ranks = second.ranks(score)
    scores.score[suspects], scores.rank[suspects] = score, ranks
    scores.limit[suspects], scores.posterior[suspects] = judge.verdict.limit, judge.verdict.steps.of(ranks)
    scores.second[suspects] = True


def _spare_twins(judge: GroupJudge, texts: PairTexts, rows: pa.Table, those: np.ndarray, scores: PairScores) -> None:
    """Reject no pair whose query has a near twin in another document of the sample."""
    goes = those[scores.rank[those] < scores.limit[those]]
    found = rows.take(pa.array(goes))
    vectors, codes = judge.queries
    twins = goes[
        has_twin(texts.vectors.query[goes], document_codes(found["doc_id"]), text_codes(found["query"]), vectors, codes)
    ]
    scores.limit[twins], scores.posterior[twins] = 0.0, np.nan


def _record(
    job: Job[SimilarityWork], index: int, part: str, ids: pa.ChunkedArray, scores: PairScores, goes: dict[int, str]
) -> None:
    """Write the verdicts on a partition: a row for each pair that passes the screen; `goes`: evidence by row."""
    row = np.flatnonzero(passes(job.store, job.settings.screened, index, job.store.rows(part)))
    reason: list[str | None] = [None] * len(row)
    evidence: list[str | None] = [None] * len(row)
    for at, text in goes.items():
        reason[at], evidence[at] = LOW_SIMILARITY, text
    columns = {
        "row": pa.array(row, pa.int32()),
        "pair_id": ids,
        "reason": pa.array(reason, pa.string()),
        "evidence": pa.array(evidence, pa.string()),
        "score": pa.array(scores.score, pa.float32(), from_pandas=True),
        "similarity": pa.array(scores.similarity, pa.float32()),
        "posterior": pa.array(scores.posterior, pa.float32(), from_pandas=True),
    }
    job.store.write_table(judged_path(job.path("judged"), index), pa.table(columns, schema=SCORED))


def _evidence(settings: SimilarityWork, scores: PairScores) -> dict[int, str]:
    """Evidence of the pairs that go, by row."""
    found = {}
    for row in np.flatnonzero(scores.rank < scores.limit).tolist():
        seen: dict[str, Any] = {
            "similarity": round(float(scores.similarity[row]), 5),
            "score": round(float(scores.score[row]), 4),
            "rank": round(float(scores.rank[row]), 5),
            "cut": round(float(scores.limit[row]), 5),
            "posterior": round(float(scores.posterior[row]), 4),
            "encoder": settings.encoder,
        }
        if scores.second[row]:
            seen["second_encoder"] = settings.second_encoder
        found[row] = json.dumps(seen)
    return found
