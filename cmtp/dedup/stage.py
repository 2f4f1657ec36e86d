"""The dedup stage: which tasks run in which order. The protocol they follow is drawn in `cmtp.dedup`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from cmtp.dedup.candidates import cut_of, mark_rejected, match_bands
from cmtp.dedup.contamination import read_evaluation
from cmtp.dedup.exact import decide_pairs, decide_passages, decide_queries
from cmtp.dedup.final import resolve_verdicts, split_partition
from cmtp.dedup.group import gather_texts, group_edges
from cmtp.dedup.keys import send_keys
from cmtp.dedup.layout import Layout, near_sides
from cmtp.dedup.references import resolve_references
from cmtp.dedup.settings import DedupSettings, DedupWork
from cmtp.dedup.verify import verify_batch
from cmtp.engine.stage import Stage, StageFolder
from cmtp.engine.task import Job, Task, task
from cmtp.partition import judged_by
from cmtp.schema import Side
from cmtp.settings import RecipeBase


class DedupStage(Stage[DedupWork]):
    """Rejects exact duplicates by pair, query and passage, and near-duplicates among the rows that are left."""

    name: ClassVar[str] = "dedup"
    settings: ClassVar[type[DedupSettings]] = DedupSettings
    reads: ClassVar[tuple[str, ...]] = ("screen", "score")
    explained_by: ClassVar[str] = "dedup.threshold, dedup.max_per_passage, dedup.max_per_answer or dedup.max_per_query"

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> DedupWork:
        """See Stage.

        Raises:
            UsageError: `against` or `decontaminate` names something that is not there.
        """
        screened, scored = (judged_by(name, before) for name in self.reads)
        return dedup_work(recipe.of(DedupSettings), recipe.seed, screened=screened, scored=scored)

    def steps(self, job: Job[DedupWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See Stage. The files of the exchanges are deleted when the last step is done."""
        if not inputs:
            return
        sides = near_sides(job.settings.near)
        layout = Layout.measure(job, inputs)
        if job.settings.references.evaluation:
            yield [task(read_evaluation, job, "evaluation")]
        yield [task(send_keys, job, f"keys-{i:05d}", i) for i in range(layout.partitions)]
        yield [task(decide_pairs, job, f"pair-{i:05d}", i) for i in range(layout.key_ranges)]
        yield [task(decide_queries, job, f"query-{i:05d}", i) for i in range(layout.key_ranges)]
        if "query" in sides:
            yield from self._near(job, layout, "query")
        yield [task(decide_passages, job, f"passage-{i:05d}", i) for i in range(layout.key_ranges)]
        if "passage" in sides:
            yield from self._near(job, layout, "passage")
        yield [task(resolve_verdicts, job, "resolve")]
        yield [task(split_partition, job, f"split-{i:05d}", i) for i in range(layout.own)]
        layout.remove_exchanges()

    def _near(self, job: Job[DedupWork], layout: Layout, side: Side) -> Iterator[list[Task]]:
        """The steps that reject the near-duplicates of a side."""
        yield [task(mark_rejected, job, f"mark-{side}", side)]
        yield [task(match_bands, job, f"match-{side}-{i:05d}", i, side) for i in range(layout.band_ranges)]
        yield [task(group_edges, job, f"group-{side}", side)]
        batches = len(layout.batches(side))
        if batches:
            yield [task(gather_texts, job, f"gather-{side}-{i:05d}", i, side) for i in range(layout.partitions)]
            yield [task(verify_batch, job, f"verify-{side}-{i:05d}", i, side) for i in range(batches)]


def dedup_work(
    settings: DedupSettings, seed: int, *, screened: str | None = None, scored: str | None = None
) -> DedupWork:
    """What the tasks of the stage are given: the settings, and what was found by them.

    Args:
        settings: of the recipe.
        seed: of the recipe.
        screened: see `DedupWork`.
        scored: see `DedupWork`.

    Raises:
        UsageError: `against` or `decontaminate` names something that is not there.
    """
    cut = cut_of(settings)
    references = resolve_references(settings)
    settings = settings.model_copy(update={"bands": cut.bands})
    return DedupWork.extend(
        settings, seed=seed, references=references, screened=screened, scored=scored, band_rows=cut.rows
    )
