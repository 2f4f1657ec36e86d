"""The filter stage: a map over partitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.filters.book import open_book
from cmtp.filters.learned import load_model
from cmtp.filters.pair_filter import open_filter
from cmtp.filters.verdict import PairVerdicts
from cmtp.schema import PAIR, REJECTS


class FilterStage:
    """Rejects junk and malicious pairs and masks private data, each partition by itself."""

    name: ClassVar[str] = "filter"
    code: ClassVar[tuple[str, ...]] = ("cmtp.filters", "cmtp.text")
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """One step: a task per input partition. The settings are checked before the first.

        Raises:
            UsageError: a rule, threshold, list or model that does not exist.
        """
        book = open_book(job.settings)
        if book.model is not None:
            load_model(book.model)
        yield [
            Task(
                "cmtp.filters.stage:run",
                job.folder,
                f"filter-{index:05d}",
                [path, job.kept(index), job.rejects(index)],
                job.settings,
            )
            for index, path in enumerate(job.inputs)
        ]


def run(task: Task, store: Store) -> Result:
    """Judge one partition. inputs: the partition, where kept rows go, where rejects go."""
    source, kept_path, rejects_path = task.inputs
    table = store.read_table(source).cast(PAIR)
    pair_filter = open_filter(task.settings)
    verdicts = pair_filter.judge_table(table)
    kept = pair_filter.passed(table, verdicts)
    rejects = _rejects(table.filter(pa.array([not stays for stays in verdicts.kept(len(table))], pa.bool_())), verdicts)
    store.write_table(kept_path, kept)
    store.write_table(rejects_path, rejects)
    result = Result(rows=len(table), bytes=table["query"].nbytes + table["passage"].nbytes)
    result.facts["private"] = dict(sorted(verdicts.private.items()))
    result.ledger.take(table)
    result.ledger.keep(kept)
    result.ledger.reject(rejects)
    return result


def _rejects(table: pa.Table, verdicts: PairVerdicts) -> pa.Table:
    rows = sorted(verdicts.reason)
    columns = {name: table[name] for name in REJECTS.names if name in table.schema.names}
    columns["stage"] = pa.array(["filter"] * len(rows), pa.string())
    columns["reason"] = pa.array([verdicts.reason[row] for row in rows], pa.string()).dictionary_encode()
    columns["evidence"] = pa.array([verdicts.evidence[row] for row in rows], pa.string())
    columns["score"] = pa.array([verdicts.score[row] for row in rows], pa.float32())
    columns["kept_id"] = pa.nulls(len(rows), pa.string())
    return pa.table([columns[name] for name in REJECTS.names], names=REJECTS.names).cast(REJECTS)
