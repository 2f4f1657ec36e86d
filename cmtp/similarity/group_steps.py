"""The middle steps of the score stage: what is decided about each group, on its sample.

`cmtp.similarity.score` says what each of them reads and writes. A task judges one model: a group, or all small ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from cmtp.encoders.registry import load_encoder
from cmtp.engine.figures import Figures, same
from cmtp.engine.task import Job, Result
from cmtp.schema import SIDES
from cmtp.similarity.decide import WORTH_A_PROBE, GroupVerdict, fit_suspects, judge_alone, judge_probe
from cmtp.similarity.group_model import ScoredSample, SecondModel, score_sample, second_model
from cmtp.similarity.groups import SMALL_GROUPS, is_labelled
from cmtp.similarity.model_files import GroupJudge, SampledQueries, read_judge, write_judge
from cmtp.similarity.sample_steps import GroupSample, models, read_sample
from cmtp.similarity.settings import SecondWork, SimilarityWork
from cmtp.similarity.vectors import PairVectors, SparseVectors, merged_vectors

READ_CHARS: Final = 256
"""Characters of a text that the second encoder reads. The figures in benchmarks/similarity.md rest on as many."""

BINS: Final = 20
"""Of the histogram of ranks."""

ALONE_FOLDER: Final = "alone"
"""What pairs are judged by, as the first encoder alone sees it."""

BOTH_FOLDER: Final = "both"
"""The same after the second encoder was asked."""


def estimate_group(job: Job[SimilarityWork], number: int) -> Result:
    """Judge a model's sample by the first encoder, and write what its pairs are judged by."""
    name, sample = models(job)[number], read_sample(job, number)
    scored = score_sample(sample.texts, sample.codes)
    found: dict[str, Any] = {"pairs": sample.rows.num_rows, "judged": 0}
    verdict = GroupVerdict("cannot_tell")
    if scored is not None and scored.judged.any():
        ranks = scored.ranks
        verdict = judge_alone(ranks)
        counts, _ = np.histogram(ranks, BINS, (0.0, 1.0))
        found |= {"judged": len(ranks), "auc": round(float(ranks.mean()), 4), "ranks": counts.tolist()}
    if name != SMALL_GROUPS and is_labelled(name) and not job.settings.cut_labelled:
        verdict = replace(verdict, decision="labelled", limit=0.0)
    queries = SampledQueries(sample.texts.vectors.query, sample.codes)
    judge = GroupJudge(None if scored is None else scored.model, verdict, queries, sample=found)
    write_judge(job, ALONE_FOLDER, number, judge)
    return Result(rows=sample.rows.num_rows, figures={} if job.settings.second else _report(name, judge))


def probe_group(job: Job[SimilarityWork], number: int) -> Result:
    """Ask the second encoder about the suspects of a model's sample, a few at first, and all if it finds wrong ones.

    Nothing is asked where the first encoder finds nothing wrong, or knows nothing.
    """
    name, judge = models(job)[number], read_judge(job, ALONE_FOLDER, number)
    if judge.verdict.decision in WORTH_A_PROBE and judge.model is not None:
        judge = _probed(job, number, judge)
    write_judge(job, BOTH_FOLDER, number, judge)
    return Result(rows=judge.asked or 0, figures=_report(name, judge))


def _probed(job: Job[SimilarityWork], number: int, judge: GroupJudge) -> GroupJudge:
    sample = read_sample(job, number)
    scored = score_sample(sample.texts, sample.codes)
    assert scored is not None, "it was scored before"
    suspects, part, null_part = scored.suspects, scored.suspect_part, scored.model.suspects_among_shuffled
    asked = suspects[: job.settings.probe]
    verdict, second = judge_probe(judge.verdict, np.zeros(0), part, null_part), None
    found = _second_ranks(job, number, sample.take(asked), scored, asked)
    if found is not None:
        verdict = judge_probe(judge.verdict, found[1], part, null_part)
        if verdict.decision == "cut":
            asked = suspects
            found = _second_ranks(job, number, sample.take(asked), scored, asked)
            assert found is not None, "a part of them could be shuffled"
            second, ranks = found
            verdict = fit_suspects(verdict, ranks, part, null_part)
    share = 0.0 if verdict.wrong is None else verdict.wrong.estimate
    rest = min(share * (1 - null_part) / max(1 - part, 1e-9), 1.0)
    return replace(judge, verdict=verdict, second=second, rest=rest, asked=len(asked))


def _second_ranks(
    job: Job[SimilarityWork], number: int, sample: GroupSample, scored: ScoredSample, asked: np.ndarray
) -> tuple[SecondModel, np.ndarray] | None:
    """The model of both encoders by the suspects that are asked about, and their ranks.

    None: there are too few to be shuffled.
    """
    if len(asked) < 2:
        return None
    cache = _vectors_of_group(job, models(job)[number])
    texts = _beginnings(sample.rows)
    cache.add(f"{_stage_tag(job)}-{len(texts)}", texts, load_encoder(_second(job).encoder))
    vectors = cache.open().pairs(texts)
    second = second_model(scored.model, sample.texts, sample.codes, vectors)
    return None if second is None else (second, second.ranks(second.scores(vectors, scored.scores[asked])))


def suspect_vectors(job: Job[SimilarityWork], index: int, name: str, texts: pa.Table) -> PairVectors:
    """The second encoder's vectors of suspects of a partition. What was encoded in the sample is not encoded again.

    Args:
        job: of the stage.
        index: of the partition.
        name: of the model.
        texts: columns query and passage.
    """
    texts = _beginnings(texts)
    known = _vectors_of_group(job, name).open()
    present = [known.find(side, texts[side].combine_chunks())[0] for side in SIDES]
    own = SparseVectors(job.store, _second(job).folder, f"part-{index:05d}")
    number = models(job).index(name)
    own.add(
        f"{_stage_tag(job)}-{number:04d}",
        texts.filter(pa.array(~(present[0] & present[1]))),
        load_encoder(_second(job).encoder),
    )
    return merged_vectors([known, own.open()]).pairs(texts)


def _vectors_of_group(job: Job[SimilarityWork], name: str) -> SparseVectors:
    """Where the second encoder's vectors of a model's sample are kept."""
    return SparseVectors(job.store, _second(job).folder, f"group-{xxhash.xxh3_64_hexdigest(name.encode())}")


def _beginnings(texts: pa.Table) -> pa.Table:
    """As much of the texts as the second encoder reads."""
    return pa.table({side: pc.utf8_slice_codeunits(texts[side].combine_chunks(), 0, READ_CHARS) for side in SIDES})


def _second(job: Job[SimilarityWork]) -> SecondWork:
    assert job.settings.second is not None, "there is a second encoder"
    return job.settings.second


def _stage_tag(job: Job[SimilarityWork]) -> str:
    return job.folder.rpartition("/")[2]


def _report(name: str, judge: GroupJudge) -> Figures:
    return {"groups": {name: same(judge.to_json())}}
