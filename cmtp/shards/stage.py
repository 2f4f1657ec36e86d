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

from cmtp.engine.stage import Stage, StageFolder
from cmtp.engine.store import parquet_writer
from cmtp.engine.task import Job, Result, Task, task
from cmtp.order import is_held_out, order_keys, range_of
from cmtp.schema import FINETUNE, PAIRS, PRETRAIN, REJECTS
from cmtp.settings import RecipeBase
from cmtp.shards import pretrain
from cmtp.shards.eval_stage import EvalStage
from cmtp.shards.settings import EvalSettings, ShardSettings, ShardWork

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
        return list(pretrain.SOURCE_COLUMNS) if self.name == "pretrain" else self.schema.names

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
        """See Stage. pretrain/ is made of rows from before the hold-out, so the settings name its documents."""
        held_out = recipe.of(EvalSettings) if EvalStage.name in before else None
        return ShardWork.extend(recipe.of(ShardSettings), seed=recipe.seed, held_out=held_out)

    def steps(self, job: Job[ShardWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See Stage."""
        ranges = {table.name: _ranges(table, job) for table in self.table_inputs}
        scatter, merge = [], []
        for table in self.table_inputs:
            slug = table.name.replace("/", "-")
            runs = [job.path(f"runs/{slug}/part-{i:05d}.parquet") for i in range(len(table.parts))]
            for i, (part, out) in enumerate(zip(table.parts, runs, strict=True)):
                one = TableInput(table.name, [part])
                scatter.append(task(scatter_rows, job, f"scatter-{slug}-{i:05d}", one, ranges[table.name], out))
            for r in range(ranges[table.name]):
                out = job.path(f"tables/{table.name}/part-{r:05d}.parquet")
                merge.append(task(merge_range, job, f"merge-{slug}-{r:05d}", TableInput(table.name, runs), r, out))
        yield scatter
        yield merge


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


def scatter_rows(job: Job[ShardWork], table: TableInput, ranges: int, out: str) -> Result:
    """Sort a partition by key and write it with one row group per range. A JSON file beside it lists these ranges."""
    store = job.store
    rows = store.read_table(table.parts[0], table.columns)
    keys = order_keys(rows[table.key], job.settings.seed)
    order = np.argsort(keys, kind="stable")
    rows = rows.append_column(KEY, pa.array(keys)).take(order)
    parts = range_of(keys[order], ranges)
    groups: list[int] = []
    with store.write(out) as file, parquet_writer(file, rows.schema) as writer:
        for r in np.unique(parts).tolist():
            start, end = np.searchsorted(parts, [r, r + 1])
            writer.write_table(rows.slice(start, end - start), row_group_size=int(end - start))
            groups.append(r)
    store.write_json(f"{out}.json", groups)
    return Result(rows=rows.num_rows, bytes=rows.nbytes)


def merge_range(job: Job[ShardWork], table: TableInput, number: int, out: str) -> Result:
    """Merge one range of all runs into a final file, and record it."""
    store, settings = job.store, job.settings
    pieces = []
    for run in table.parts:
        groups = store.read_json(f"{run}.json")
        if number in groups:
            with store.read(run) as file:
                pieces.append(pq.ParquetFile(file).read_row_group(groups.index(number), use_threads=False))
    record: dict[str, Any] = {"table": table.name}
    if not pieces:
        rows = table.schema.empty_table()
    else:
        rows = pa.concat_tables(pieces).unify_dictionaries()
        del pieces
        if table.name == "pretrain":
            if held := settings.held_out:
                rows = rows.filter(pa.array(~is_held_out(rows["doc_id"], held.share, held.seed)))
            rows, record["too_short"] = pretrain.join_passages(rows, settings.min_pretrain_chars)
            keys = pa.array(order_keys(rows["doc_id"], settings.seed))
            rows = rows.take(pc.sort_indices(pa.table({KEY: keys}), [(KEY, "ascending")]))
        else:
            # rows with equal 64-bit keys are ordered by the whole id, never by which run came first
            order = pc.sort_indices(rows.select([KEY, "pair_id"]), [(KEY, "ascending"), ("pair_id", "ascending")])
            rows = rows.select(table.schema.names).take(order)
    rows = tidy(rows, table.schema)
    store.write_table(out, rows, published=True)
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
