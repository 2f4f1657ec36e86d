"""The filter stage: a map over partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pyarrow as pa

from cmtp.engine.figures import totals
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.filters.book import open_book
from cmtp.filters.learned import load_model
from cmtp.filters.pair_filter import open_filter
from cmtp.filters.rules import outside_rules
from cmtp.filters.settings import FilterSettings, FilterWork
from cmtp.partition import write_verdicts
from cmtp.schema import PAIR
from cmtp.settings import RecipeBase


class FilterStage(Stage[FilterWork]):
    """Rejects junk and malicious pairs and masks private data, each partition by itself."""

    name: ClassVar[str] = "filter"
    settings: ClassVar[type[FilterSettings]] = FilterSettings
    explained_by: ClassVar[str] = "filter.language, filter.thresholds or filter.disable"

    def check(self, recipe: RecipeBase) -> None:
        """Refuse a rule, threshold, list or model that does not exist.

        Raises:
            UsageError: names the setting and what there is.
        """
        book = open_book(recipe.of(FilterSettings))
        if book.model is not None:
            load_model(book.model)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> FilterWork:
        """See Stage."""
        return filter_work(recipe.of(FilterSettings))

    def steps(self, job: Job[FilterWork], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(filter_partition, job, f"filter-{index:05d}", index, part) for index, part in enumerate(inputs)]

    def tables(self, run: StageRun) -> dict[str, list[str]]:
        """Plain texts for pretraining are made of what the filter keeps."""
        return {"pretrain": run.kept, **super().tables(run)}


def filter_work(settings: FilterSettings) -> FilterWork:
    """What the filter is given: the settings, and the digest of the learned score's file.

    Raises:
        UsageError: the file cannot be read.
    """
    return FilterWork.extend(settings, model_sha256=settings.model_digest(), outside_rules=outside_rules())


def filter_partition(job: Job[FilterWork], index: int, part: str) -> Result:
    """Judge the rows of one partition."""
    rows = job.store.read_table(part).cast(PAIR)
    pair_filter = open_filter(job.settings)
    verdicts = pair_filter.judge_table(rows)
    gone = sorted(verdicts.reason)
    result = write_verdicts(
        job,
        index,
        rows,
        kept=pair_filter.passed(rows, verdicts),
        rejected=rows.take(pa.array(gone, pa.int64())),
        stage=FilterStage.name,
        reason=[verdicts.reason[row] for row in gone],
        evidence=[verdicts.evidence[row] for row in gone],
        score=[verdicts.score[row] for row in gone],
    )
    result.bytes = rows["query"].nbytes + rows["passage"].nbytes
    result.figures["private"] = totals(dict(sorted(verdicts.private.items())))
    return result
