"""The shard stage: sorts each table's rows into ranges of keys, and merges one range at a time into a final file.

Rows are ordered by `order.order_keys`. A table is cut into equal ranges of the key space, one file each. Their number
is computed from the table's uncompressed size, so it depends on the data and the recipe alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cmtp.dedup.settings import DedupSettings
from cmtp.dedup.stage import DedupStage
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.extract.stage import ExtractStage
from cmtp.filters.screen import filter_work
from cmtp.filters.settings import FilterSettings
from cmtp.ids import id_halves
from cmtp.order import order_keys, range_of
from cmtp.schema import FINETUNE, PAIRS, PRETRAIN, REJECTS
from cmtp.settings import RecipeBase
from cmtp.shards import pretrain
from cmtp.shards.balance import TRAINED_ON, balance_of, one_sided
from cmtp.shards.eval_stage import EvalStage
from cmtp.shards.groups import read_group, write_groups
from cmtp.shards.settings import ShardSettings, ShardWork, TextWork

KEY = "order_key"


@dataclass(frozen=True)
class TableInput:
    """A final table and the partitions it is made from.

    Attributes:
        name: folder below the output folder: pairs, finetune, pretrain, rejects/<stage>.
        parts: store paths.
    """

    name: str
    parts: list[str]

    @property
    def key(self) -> str:
        """Column of the ids that the rows are ordered by."""
        return "doc_id" if self.name == "pretrain" else "pair_id"

    @property
    def columns(self) -> list[str]:
        """Columns read from the parts."""
        return list(self.schema.names)

    @property
    def schema(self) -> pa.Schema:
        """Schema of the final table."""
        return {"pairs": PAIRS, "finetune": FINETUNE, "pretrain": PRETRAIN}.get(self.name, REJECTS)


class ShardStage(Stage[ShardWork]):
    """Writes the final tables into ``tables/`` of its folder. `publish` moves them to the output folder.

    Receipts have a record per final file: table, file, rows, bytes, sha256.
    """

    name: ClassVar[str] = "shard"
    settings: ClassVar[type[ShardSettings]] = ShardSettings
    writes_rows: ClassVar[bool] = False

    def __init__(self, tables: Sequence[TableInput] = ()) -> None:
        self.table_inputs = tables

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> ShardWork:
        """See Stage. pretrain/ is made of texts and not of rows, so it needs the filter and the hold-out itself."""
        held_out = before[EvalStage.name].folder if EvalStage.name in before else None
        texts = None
        if ExtractStage.name in before:
            dedup = recipe.of(DedupSettings)
            compared = DedupStage.name in before and (dedup.against or dedup.decontaminate)
            rejects = before[DedupStage.name].rejects if compared else None
            texts = TextWork(filter=filter_work(recipe.of(FilterSettings)), rejects=rejects)
        return ShardWork.extend(recipe.of(ShardSettings), seed=recipe.seed, held_out=held_out, texts=texts)

    def warning(self, run: StageRun) -> str | None:
        """See Stage: tables of which one source or one file is most."""
        return "; ".join(one_sided(record for receipt in run.receipts for record in receipt.records)) or None

    def steps(self, job: Job[ShardWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See Stage."""
        ranges = {table.name: _ranges(table, job) for table in self.table_inputs}
        yield from self._texts(job, ranges)
        scatter, merge = [], []
        for table in self.table_inputs:
            slug = table.name.replace("/", "-")
            runs = [job.path(f"runs/{slug}/part-{i:05d}.parquet") for i in range(len(table.parts))]
            for i, (part, out) in enumerate(zip(table.parts, runs, strict=True)):
                name, count = f"scatter-{slug}-{i:05d}", ranges[table.name]
                if table.name == "pretrain":
                    scatter.append(task(scatter_texts, job, name, i, count, out))
                else:
                    scatter.append(task(scatter_rows, job, name, TableInput(table.name, [part]), count, out))
            for r in range(ranges[table.name]):
                out = job.path(f"tables/{table.name}/part-{r:05d}.parquet")
                merge.append(task(merge_range, job, f"merge-{slug}-{r:05d}", TableInput(table.name, runs), r, out))
        yield scatter
        yield merge

    def _texts(self, job: Job[ShardWork], ranges: Mapping[str, int]) -> Iterator[list[Task]]:
        """The steps that filter the texts for pretraining and find copies among them; see `pretrain`."""
        for table in self.table_inputs:
            if table.name == "pretrain":
                count = ranges[table.name]
                yield [
                    task(pretrain.filter_texts, job, f"texts-{i:05d}", i, part, count)
                    for i, part in enumerate(table.parts)
                ]
                yield [task(pretrain.find_copies, job, f"copies-{i:05d}", i, len(table.parts)) for i in range(count)]


def _ranges(table: TableInput, job: Job[ShardWork]) -> int:
    """Number of files of a table, from the uncompressed sizes in the footers of its parts."""
    size = 0
    for part in table.parts:
        with job.store.read(part) as file:
            meta = pq.read_metadata(file)
        wanted = set(table.columns)
        for group in (meta.row_group(i) for i in range(meta.num_row_groups)):
            columns = (group.column(i) for i in range(group.num_columns))
            size += sum(one.total_uncompressed_size for one in columns if one.path_in_schema.split(".")[0] in wanted)
    return max(1, -(-size // job.settings.shard_bytes))


def scatter_rows(
    job: Job[ShardWork], table: TableInput, ranges: int, out: str, without: np.ndarray | None = None
) -> Result:
    """Sort a partition by key and write it with one row group per range. A JSON file beside it lists these ranges.

    Args:
        job: the stage's job.
        table: the table, and the partition as its only part.
        ranges: of the key space.
        out: where to.
        without: first halves of the ids of rows that are left out, sorted; None: no row is.
    """
    store = job.store
    rows = store.read_table(table.parts[0], table.columns)
    if without is not None and len(without):
        rows = rows.filter(pa.array(~pretrain.stands_in(id_halves(rows[table.key])[0], without)))
    keys = order_keys(rows[table.key], job.settings.seed)
    order = np.argsort(keys, kind="stable")
    rows = rows.append_column(KEY, pa.array(keys)).take(order)
    write_groups(store, out, rows, range_of(keys[order], ranges))
    return Result(rows=rows.num_rows, bytes=rows.nbytes)


def scatter_texts(job: Job[ShardWork], index: int, ranges: int, out: str) -> Result:
    """Scatter the filtered texts of a partition, without those that another text holds; see `pretrain`."""
    one = TableInput("pretrain", [pretrain.texts_path(job, index)])
    copies = pretrain.copies_of(job, index, ranges)
    result = scatter_rows(job, one, ranges, out, copies)
    result.records.append({"table": "pretrain", "left_out": {"copy": len(copies)}})
    return result


def merge_range(job: Job[ShardWork], table: TableInput, number: int, out: str) -> Result:
    """Merge one range of all runs into a final file, and record it."""
    store = job.store
    pieces = []
    for run in table.parts:
        group = read_group(store, run, number)
        if group is not None:
            pieces.append(group)
    record: dict[str, Any] = {"table": table.name}
    if not pieces:
        rows = table.schema.empty_table()
    else:
        rows = pa.concat_tables(pieces).unify_dictionaries()
        del pieces
        # rows with equal 64-bit keys are ordered by the whole id, never by which run came first
        order = pc.sort_indices(rows.select([KEY, table.key]), [(KEY, "ascending"), (table.key, "ascending")])
        rows = rows.select(table.schema.names).take(order)
    rows = tidy(rows, table.schema)
    store.write_table(out, rows, published=True)
    if table.name in TRAINED_ON:
        record |= balance_of(rows)
    record |= {
        "file": out.rsplit("/", 1)[1],
        "rows": rows.num_rows,
        "bytes": store.size(out),
        "sha256": store.sha256(out),
    }
    return Result(rows=rows.num_rows, bytes=rows.nbytes, records=[record])


def tidy(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Cast to the schema. Dictionaries hold the used values alone, sorted, so that equal rows give equal bytes."""
    columns = []
    for field in schema:
        column = rows[field.name].combine_chunks()
        if pa.types.is_dictionary(field.type):
            plain = column.cast(pa.string())
            values = pc.unique(plain).drop_null().sort()
            column = pa.DictionaryArray.from_arrays(pc.index_in(plain, values).cast(pa.int32()), values)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)
