"""The similarity stage: writes what the score stage recorded, so that a pair is judged once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pyarrow.compute as pc

from cmtp.encoders.registry import check_encoder
from cmtp.engine.stage import Stage, StageFolder
from cmtp.engine.task import Job, Result, Task, task
from cmtp.partition import apply_recorded
from cmtp.schema import PAIR
from cmtp.settings import RecipeBase
from cmtp.similarity.encode import Encoded
from cmtp.similarity.settings import SimilarityApplied, SimilaritySettings


class SimilarityStage(Stage[SimilarityApplied]):
    """Rejects the pairs whose passage does not belong to the query, as `ScoreStage` found; gives the others scores."""

    name: ClassVar[str] = "similarity"
    settings: ClassVar[type[SimilaritySettings]] = SimilaritySettings
    reads: ClassVar[tuple[str, ...]] = ("encode", "score")
    reports: ClassVar[tuple[str, ...]] = ("score",)
    explained_by: ClassVar[str] = "similarity.threshold, similarity.shuffled_share or similarity.max_loss"

    def check(self, recipe: RecipeBase) -> None:
        """Refuse an encoder that cannot be loaded."""
        settings = recipe.of(SimilaritySettings)
        check_encoder("similarity.encoder", settings.encoder)
        if settings.cascade is not None:
            check_encoder("similarity.cascade", settings.cascade)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> SimilarityApplied:
        """See Stage."""
        return SimilarityApplied.extend(
            recipe.of(SimilaritySettings), encoded=before["encode"].folder, scored=before["score"].judged
        )

    def steps(self, job: Job[SimilarityApplied], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(apply_scores, job, f"similarity-{index:05d}", index, part) for index, part in enumerate(inputs)]


def apply_scores(job: Job[SimilarityApplied], index: int, part: str) -> Result:
    """Give every pair of a partition its similarity, and write what is kept and rejected."""
    rows = job.store.read_table(part)
    scores = Encoded(job.settings.encoded, index).scores(job.store)
    similarity = scores["similarity"].take(pc.index_in(rows["pair_id"], scores["pair_id"].combine_chunks()))
    rows = rows.set_column(rows.schema.get_field_index("similarity"), PAIR.field("similarity"), similarity)
    return apply_recorded(job, index, rows, judged=job.settings.scored, stage=SimilarityStage.name)
