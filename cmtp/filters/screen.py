"""The screen stage: a map over partitions that judges every pair by itself, and rejects none yet.

It writes ``judged/``, see `cmtp.partition`: the rows that a rule rejects, and the masked texts of those that pass.
Dedup then chooses among the rows that pass, and the filter stage writes the others as its rejects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pyarrow as pa

from cmtp.engine.figures import totals
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.filters.pair_filter import open_filter
from cmtp.filters.rules import outside_rules
from cmtp.filters.settings import FilterSettings, FilterWork
from cmtp.filters.verdict import PairVerdicts
from cmtp.partition import MASKED, RECORDED, judged_path
from cmtp.schema import PAIR
from cmtp.settings import RecipeBase


class ScreenStage(Stage[FilterWork]):
    """Records which pairs are junk or malicious, and masks private data. Its settings are the filter's."""

    name: ClassVar[str] = "screen"
    writes_rows: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> FilterWork:
        """See Stage."""
        return filter_work(recipe.of(FilterSettings))

    def steps(self, job: Job[FilterWork], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(screen_partition, job, f"screen-{index:05d}", index, part) for index, part in enumerate(inputs)]

    def summary(self, run: StageRun) -> str:
        """See Stage."""
        return f"{sum(receipt.rows for receipt in run.receipts):,} rows judged"


def filter_work(settings: FilterSettings) -> FilterWork:
    """What the tasks are given: the settings, and the digest of the learned score's file.

    Raises:
        UsageError: the file cannot be read.
    """
    return FilterWork.extend(settings, model_sha256=settings.model_digest(), outside_rules=outside_rules())


def screen_partition(job: Job[FilterWork], index: int, part: str) -> Result:
    """Judge the rows of one partition. Figures: pieces of private data, by kind."""
    rows = job.store.read_table(part).cast(PAIR)
    verdicts = open_filter(job.settings).judge_table(rows)
    folder = job.path("judged")
    job.store.write_table(judged_path(folder, index), _judged(rows, verdicts))
    result = Result(rows=rows.num_rows, bytes=rows["query"].nbytes + rows["passage"].nbytes)
    result.figures["private"] = totals(dict(sorted(verdicts.private.items())))
    return result


def _judged(rows: pa.Table, verdicts: PairVerdicts) -> pa.Table:
    """The rows that a rule rejects, and those with masked texts: columns of RECORDED and MASKED."""
    told = sorted({*verdicts.reason, *verdicts.masked["query"], *verdicts.masked["passage"]})
    columns = {
        "row": pa.array(told, pa.int32()),
        "pair_id": rows["pair_id"].take(pa.array(told, pa.int64())),
        "reason": pa.array([verdicts.reason.get(row) for row in told], pa.string()),
        "evidence": pa.array([verdicts.evidence.get(row) for row in told], pa.string()),
        "score": pa.array([verdicts.score.get(row) for row in told], pa.float32()),
    }
    table = pa.table(columns, schema=RECORDED)
    for side in MASKED:
        texts = pa.array([verdicts.masked[side].get(row) for row in told], pa.string())
        table = table.append_column(side, texts)
    return table
