"""The filter stage: a map over partitions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.errors import CmtpError
from cmtp.filters.book import open_book
from cmtp.filters.learned import Model, load_model
from cmtp.filters.malicious import Matcher
from cmtp.filters.verdict import Verdicts, judge
from cmtp.recipe import FilterSettings
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
    book = open_book(task.settings)
    texts = {name: pc.cast(table[name], pa.string()) for name in ("query", "passage", "relation", "source")}
    pairs = pl.DataFrame(pl.from_arrow(pa.table(texts)))
    matcher = _matcher(_frozen(book.lexicons)) if book.malicious else None
    model = _model(book.model, task.settings["model_sha256"]) if book.model is not None else None
    verdicts = judge(pairs, book, matcher, model)
    rejected = pa.array([row in verdicts.reason for row in range(len(table))], pa.bool_())
    kept = _mask(table, verdicts).filter(pc.invert(rejected))
    rejects = _rejects(table.filter(rejected), verdicts)
    store.write_table(kept_path, kept)
    store.write_table(rejects_path, rejects)
    result = Result(rows=len(table), bytes=table["query"].nbytes + table["passage"].nbytes)
    result.facts["private"] = dict(sorted(verdicts.private.items()))
    result.ledger.take(table)
    result.ledger.keep(kept)
    result.ledger.reject(rejects)
    return result


@cache
def _matcher(lexicons: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]) -> Matcher:
    return Matcher({name: dict(terms) for name, terms in lexicons})


@cache
def _model(path: str, sha256: str) -> Model:
    """The model as it was when the build began.

    Raises:
        CmtpError: the file changed since.
    """
    if FilterSettings(model=path).model_sha256() != sha256:
        raise CmtpError(f"filter.model: {path} changed while the build ran; start the build again")
    return load_model(path)


def _frozen(lexicons: Any) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    return tuple((name, tuple(sorted(terms.items()))) for name, terms in sorted(lexicons.items()))


def _mask(table: pa.Table, verdicts: Verdicts) -> pa.Table:
    for side, texts in verdicts.masked.items():
        if texts:
            rows = sorted(texts)
            flags = pa.array([row in texts for row in range(len(table))], pa.bool_())
            column = pc.replace_with_mask(
                table[side].combine_chunks(), flags, pa.array([texts[row] for row in rows], pa.string())
            )
            table = table.set_column(table.schema.get_field_index(side), PAIR.field(side), column)
    return table


def _rejects(table: pa.Table, verdicts: Verdicts) -> pa.Table:
    rows = sorted(verdicts.reason)
    columns = {name: table[name] for name in REJECTS.names if name in table.schema.names}
    columns["stage"] = pa.array(["filter"] * len(rows), pa.string())
    columns["reason"] = pa.array([verdicts.reason[row] for row in rows], pa.string()).dictionary_encode()
    columns["evidence"] = pa.array([verdicts.evidence[row] for row in rows], pa.string())
    columns["score"] = pa.array([verdicts.score[row] for row in rows], pa.float32())
    columns["kept_id"] = pa.nulls(len(rows), pa.string())
    return pa.table([columns[name] for name in REJECTS.names], names=REJECTS.names).cast(REJECTS)
