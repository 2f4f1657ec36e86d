"""The eval stage keeps whole documents out of the tables for training, if the recipe sets ``eval.share``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import ClassVar

import pyarrow as pa

from cmtp.engine.stage import Stage, StageFolder
from cmtp.engine.task import Job, Result, Task, task
from cmtp.order import is_held_out
from cmtp.partition import write_verdicts
from cmtp.settings import RecipeBase
from cmtp.shards.settings import EvalSettings

REASON = "held_out"


class EvalStage(Stage[EvalSettings]):
    """Rejects the pairs of held-out documents as ``held_out``. Models are scored on rejects/eval.

    The stage comes after similarity, so that held-out pairs have passed the same tests as pairs for training. It comes
    before mine, so that their passages are not negatives of other queries.
    """

    name: ClassVar[str] = "eval"
    settings: ClassVar[type[EvalSettings]] = EvalSettings

    def wanted(self, recipe: RecipeBase) -> bool:
        """Whether the recipe holds documents out."""
        return recipe.of(EvalSettings).share > 0

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> EvalSettings:
        """See Stage."""
        return recipe.of(EvalSettings)

    def steps(self, job: Job[EvalSettings], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(hold_out, job, f"hold-out-{index:05d}", index, part) for index, part in enumerate(inputs)]


def hold_out(job: Job[EvalSettings], index: int, part: str) -> Result:
    """Divide the rows of one partition by whether their document is held out."""
    rows = job.store.read_table(part)
    held = is_held_out(rows["doc_id"], job.settings.share, job.settings.seed)
    evidence = json.dumps({"share": job.settings.share, "seed": job.settings.seed})
    count = int(held.sum())
    return write_verdicts(
        job,
        index,
        rows,
        kept=rows.filter(pa.array(~held)),
        rejected=rows.filter(pa.array(held)),
        stage=EvalStage.name,
        reason=[REASON] * count,
        evidence=[evidence] * count,
    )
