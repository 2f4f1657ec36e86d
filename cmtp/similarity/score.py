"""The score stage: does the passage belong to the query? It judges every pair that passes the screen, and rejects none.

An exchange over groups; a group is a source and a relation, and groups that are too small for an estimate are judged as
one. Each step is a list of tasks, and this is what they read and write in the stage's folder:

| step | tasks | reads | writes |
|---|---|---|---|
| draw | one per partition | the partition | candidates/: the texts with the lowest keys of each group |
| choose | one | candidates/ | chosen.parquet: the highest key in the sample of each group, and what judges the group |
| sample | one per partition | the partition, its vectors | samples/: the sampled pairs of each judge |
| estimate | one per judge | its sample | alone/: what its pairs are judged by, by the first encoder |
| probe | one per judge | its sample, alone/ | both/: the same, where the second encoder was asked |
| judge | one per partition | the partition, its vectors, alone/ or both/ | judged/: verdicts, see `cmtp.partition` |

The sample is drawn from the texts, each counted once, so that copies of a file change no cut.

Vectors of all pairs come from the encode stage. The second encoder encodes suspects alone, in the steps "probe" and
"judge", into a folder of its own that later builds find again. `cmtp.similarity.decide` says when it is asked. Steps
that have nothing to do are left out: "probe" where there is no second encoder, and all but "judge" where a fixed
threshold decides alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from cmtp.engine.figures import Figure
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Task, task
from cmtp.partition import judged_by
from cmtp.settings import RecipeBase
from cmtp.similarity.encode import gpu_processes, second_work
from cmtp.similarity.group_steps import estimate_group, probe_group
from cmtp.similarity.judge_pairs import judge_partition
from cmtp.similarity.sample_steps import choose_sample, draw_candidates, models, take_sample
from cmtp.similarity.settings import SimilaritySettings, SimilarityWork

_NOT_CUT = {
    "cannot_tell": "the encoder cannot tell how many pairs are wrong: name a similarity.second_encoder",
    "blind": "neither encoder tells right pairs from wrong ones",
    "too_many": "most pairs look wrong: either the encoder knows nothing here, or queries and passages are out of "
    "step; read some with cmtp inspect",
}


class ScoreStage(Stage[SimilarityWork]):
    """Records which pairs' passages do not belong to their queries. Its settings are the similarity stage's."""

    name: ClassVar[str] = "score"
    reads: ClassVar[tuple[str, ...]] = ("screen", "encode")
    writes_rows: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> SimilarityWork:
        """See Stage."""
        settings, encode = recipe.of(SimilaritySettings), before["encode"]
        asked = settings.estimates and settings.second_encoder is not None
        return SimilarityWork.extend(
            settings,
            seed=recipe.seed,
            screened=judged_by("screen", before),
            encoded=encode.folder,
            second=second_work(settings.second_encoder, encode) if asked and settings.second_encoder else None,
        )

    def steps(self, job: Job[SimilarityWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See the module."""
        if job.settings.estimates:
            yield from estimate_steps(job, inputs)
        yield [task(judge_partition, job, f"judge-{index:05d}", index, part) for index, part in enumerate(inputs)]

    def summary(self, run: StageRun) -> str:
        """See Stage."""
        return "verdicts recorded"

    def warning(self, run: StageRun) -> str | None:
        """Says which groups were not cut although pairs of them may be wrong, and why."""
        groups = run.figures.get("groups", {})
        assert isinstance(groups, dict), "figures by group"
        lines = []
        for decision, why in _NOT_CUT.items():
            names = [
                name
                for name, figure in groups.items()
                if isinstance(figure, Figure) and figure.value["decision"] == decision
            ]
            if names:
                lines.append(f"{_some_of(names)}: {why}")
        small = run.figures.get("too_few", {})
        assert isinstance(small, dict), "figures by group"
        if small:
            lines.append(
                f"{_some_of(list(small))}: too few pairs to estimate how many are wrong; set similarity.threshold, or "
                "lower similarity.min_sample"
            )
        return "similarity cut nothing in " + "; nothing in ".join(lines) if lines else None

    def keeps(self, settings: SimilarityWork) -> set[str]:
        """The vectors of the second encoder."""
        return {settings.second.folder} if settings.second else set()

    def processes(self, settings: SimilarityWork) -> int | None:
        """One per GPU where the second encoder computes there."""
        return None if settings.second is None else gpu_processes(settings.second.encoder)


def _some_of(names: list[str]) -> str:
    """The names of groups for a message: at most four, then how many more; the manifest has them all."""
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def estimate_steps(job: Job[SimilarityWork], inputs: list[str]) -> Iterator[list[Task]]:
    """The steps up to the decision about each group."""
    yield [task(draw_candidates, job, f"draw-{index:05d}", index, part) for index, part in enumerate(inputs)]
    yield [task(choose_sample, job, "choose-00000", len(inputs))]
    yield [task(take_sample, job, f"sample-{index:05d}", index, part) for index, part in enumerate(inputs)]
    numbers = range(len(models(job)))
    yield [task(estimate_group, job, f"estimate-{number:04d}", number) for number in numbers]
    if job.settings.second is not None:
        yield [task(probe_group, job, f"probe-{number:04d}", number) for number in numbers]
