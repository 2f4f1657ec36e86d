"""What the pairs of a group are judged by, as a file of arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cmtp.engine.task import Job
from cmtp.similarity.containment import GramStatistics
from cmtp.similarity.decide import GroupVerdict
from cmtp.similarity.features import FeatureScale
from cmtp.similarity.group_model import GroupModel, SecondModel
from cmtp.similarity.posterior import PosteriorSteps
from cmtp.similarity.settings import SimilarityWork
from cmtp.similarity.shuffled import SampleCodes
from cmtp.similarity.wrong_share import WrongShare


class SampledQueries(NamedTuple):
    """The queries of a sample, of which others may be near twins.

    Attributes:
        vectors: float32 [n, dim].
        codes: of the same pairs.
    """

    vectors: np.ndarray
    codes: SampleCodes


@dataclass(frozen=True)
class GroupJudge:
    """What the pairs of a group are judged by.

    Attributes:
        model: by the first encoder; None: nothing can be measured.
        verdict: what is decided about the group.
        queries: of the sample.
        second: by both encoders, where suspects are cut.
        rest: posterior of pairs that are no suspects, where the second encoder was asked.
        asked: suspects that the second encoder saw; None: it was not needed.
        sample: figures of the sample, for the manifest.
    """

    model: GroupModel | None
    verdict: GroupVerdict
    queries: SampledQueries
    second: SecondModel | None = None
    rest: float = 0.0
    asked: int | None = None
    sample: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the manifest says of the group."""
        verdict = self.verdict
        return {
            "decision": verdict.decision,
            "wrong": None if verdict.wrong is None else verdict.wrong.to_json(),
            "clear": round(verdict.clear, 4),
            **self.sample,
            **({} if self.asked is None else {"asked": self.asked}),
        }


def write_judge(job: Job[SimilarityWork], folder: str, number: int, judge: GroupJudge) -> None:
    """Write it.

    Args:
        job: of the stage.
        folder: ``alone`` or ``both``: after the first encoder or after the second.
        number: of the model.
        judge: what to write.
    """
    verdict = judge.verdict
    wrong = None if verdict.wrong is None else [verdict.wrong.estimate, verdict.wrong.low, verdict.wrong.high]
    facts = {
        "decision": verdict.decision,
        "wrong": wrong,
        "clear": verdict.clear,
        "limit": verdict.limit,
        "rest": judge.rest,
        "asked": judge.asked,
        "sample": dict(judge.sample),
        "passages": 0 if judge.model is None else judge.model.scale.grams.passages,
    }
    arrays: dict[str, np.ndarray] = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    arrays |= {"edges": verdict.steps.edges, "values": verdict.steps.values, "vectors": judge.queries.vectors}
    arrays["codes"] = np.stack(judge.queries.codes)
    if judge.model is not None:
        scale, grams = judge.model.scale, judge.model.scale.grams
        arrays |= {
            "null": judge.model.null,
            "spread": scale.spread,
            "query": scale.centre[0],
            "passage": scale.centre[1],
        }
        arrays |= {f"grams_{name}": value for name, value in vars(grams).items() if name != "passages"}
    if judge.second is not None:
        second = judge.second
        arrays |= {"second_null": second.null, "second_spread": second.spread}
        arrays |= {"second_query": second.centre[0], "second_passage": second.centre[1]}
    with job.store.write(_path(job, folder, number)) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the names are none of its own arguments


def read_judge(job: Job[SimilarityWork], folder: str, number: int) -> GroupJudge:
    """The inverse of `write_judge`."""
    with job.store.read(_path(job, folder, number)) as file, np.load(file) as stored:
        arrays = dict(stored)
    facts = json.loads(arrays["facts"].tobytes())
    wrong = None if facts["wrong"] is None else WrongShare(*facts["wrong"])
    steps = PosteriorSteps(arrays["edges"], arrays["values"])
    verdict = GroupVerdict(facts["decision"], wrong, facts["clear"], facts["limit"], steps)
    queries = SampledQueries(arrays["vectors"], SampleCodes(*arrays["codes"]))
    more = {name: facts[name] for name in ("rest", "asked", "sample")}
    return GroupJudge(_model(arrays, facts), verdict, queries, _second(arrays), **more)


def _model(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> GroupModel | None:
    if "null" not in arrays:
        return None
    names = ("known", "weight", "share", "asked", "demand", "mean")
    grams = GramStatistics(facts["passages"], *(arrays[f"grams_{name}"] for name in names))
    return GroupModel(FeatureScale((arrays["query"], arrays["passage"]), grams, arrays["spread"]), arrays["null"])


def _second(arrays: Mapping[str, np.ndarray]) -> SecondModel | None:
    if "second_null" not in arrays:
        return None
    centre = (arrays["second_query"], arrays["second_passage"])
    return SecondModel(centre, arrays["second_spread"], arrays["second_null"])


def _path(job: Job[SimilarityWork], folder: str, number: int) -> str:
    return job.path(f"{folder}/{number:04d}.npz")
