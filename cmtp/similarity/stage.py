"""The similarity stage: writes what the score stage recorded, so that a pair is judged once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pyarrow.compute as pc

from cmtp.encoders.registry import check_encoder
from cmtp.engine.stage import Stage, StageFolder
from cmtp.engine.task import Job, Result, Task, task
from cmtp.partition import apply_recorded, recorded
from cmtp.schema import PAIR, SCORES
from cmtp.settings import RecipeBase
from cmtp.similarity.settings import SimilarityApplied, SimilaritySettings


class SimilarityStage(Stage[SimilarityApplied]):
    """Rejects the pairs whose passage does not belong to the query, as `ScoreStage` found; gives the others scores."""

    name: ClassVar[str] = "similarity"
    settings: ClassVar[type[SimilaritySettings]] = SimilaritySettings
    reads: ClassVar[tuple[str, ...]] = ("score",)
    reports: ClassVar[tuple[str, ...]] = ("score",)

    def check(self, recipe: RecipeBase) -> None:
        """Refuse an encoder that cannot be loaded."""
        settings = recipe.of(SimilaritySettings)
        check_encoder("similarity.encoder", settings.encoder)
        if settings.second_encoder is not None:
            check_encoder("similarity.second_encoder", settings.second_encoder)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> SimilarityApplied:
        """See Stage."""
        return SimilarityApplied.extend(recipe.of(SimilaritySettings), scored=before["score"].judged)

    def steps(self, job: Job[SimilarityApplied], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(apply_scores, job, f"similarity-{index:05d}", index, part) for index, part in enumerate(inputs)]


def apply_scores(job: Job[SimilarityApplied], index: int, part: str) -> Result:
    """Give every pair of a partition its scores, and write what is kept and rejected."""
    rows = job.store.read_table(part)
    scores = recorded(job.store, job.settings.scored, index, ["pair_id", *SCORES])
    place = pc.index_in(rows["pair_id"], scores["pair_id"].combine_chunks())
    for name in SCORES:
        rows = rows.set_column(rows.schema.get_field_index(name), PAIR.field(name), scores[name].take(place))
    return apply_recorded(job, index, rows, judged=job.settings.scored, stage=SimilarityStage.name)
