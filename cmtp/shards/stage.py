"""The shard stage: scatter each table's rows into key ranges, merge one range at a time into a final file.

Rows are ordered by `order.order_keys`. A table is cut into equal ranges of the key space, one file each; the number of
ranges follows from the table's uncompressed size, so it depends on the data and the recipe alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cmtp.engine.store import Store, parquet_writer
from cmtp.engine.task import Result, StageJob, Task
from cmtp.schema import FINETUNE, PAIRS, PRETRAIN, REJECTS
from cmtp.shards import pretrain
from cmtp.shards.order import is_held_out, order_keys, range_of

KEY = "order_key"
HERE = "cmtp.shards.stage"


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
        """Column whose hash orders the rows."""
        return "doc_id" if self.name == "pretrain" else "pair_id"

    @property
    def columns(self) -> list[str]:
        """Columns read from the parts."""
        return list(pretrain.SOURCE_COLUMNS) if self.name == "pretrain" else self.schema.names

    @property
    def schema(self) -> pa.Schema:
        """Schema of the final table."""
        return {"pairs": PAIRS, "finetune": FINETUNE, "pretrain": PRETRAIN}.get(self.name, REJECTS)


class ShardStage:
    """Writes the final tables into ``tables/`` of its folder; publishing them is the build's last act."""

    name: ClassVar[str] = "shard"
    code: ClassVar[tuple[str, ...]] = ("cmtp.shards", "cmtp.schema")
    rejects_rows: ClassVar[bool] = False

    def __init__(self, tables: list[TableInput]) -> None:
        self.tables = tables

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage."""
        ranges = {table.name: _ranges(table, job) for table in self.tables}
        scatter, merge = [], []
        for table in self.tables:
            slug = table.name.replace("/", "-")
            runs = [f"{job.folder}/runs/{slug}/part-{i:05d}.parquet" for i in range(len(table.parts))]
            for i, (part, out) in enumerate(zip(table.parts, runs, strict=True)):
                inputs: list[Any] = [asdict(table) | {"parts": [part]}, ranges[table.name], out]
                scatter.append(Task(f"{HERE}:scatter", job.folder, f"scatter-{slug}-{i:05d}", inputs, job.settings))
            for r in range(ranges[table.name]):
                out = f"{job.folder}/tables/{table.name}/part-{r:05d}.parquet"
                inputs = [asdict(table) | {"parts": runs}, r, out]
                merge.append(Task(f"{HERE}:merge", job.folder, f"merge-{slug}-{r:05d}", inputs, job.settings))
        yield scatter
        yield merge


def _ranges(table: TableInput, job: StageJob) -> int:
    """Number of files of a table, from the uncompressed sizes in the footers of its parts."""
    size = 0
    for part in table.parts:
        with job.store.read(part) as file:
            meta = pq.read_metadata(file)
        wanted = set(table.columns)
        for group in (meta.row_group(i) for i in range(meta.num_row_groups)):
            columns = (group.column(i) for i in range(group.num_columns))
            size += sum(one.total_uncompressed_size for one in columns if one.path_in_schema.split(".")[0] in wanted)
    shard_bytes: int = job.settings["shard_bytes"]
    return max(1, -(-size // shard_bytes))


def scatter(task: Task, store: Store) -> Result:
    """Sort a partition by key and write it with one row group per range; facts say which group holds which range."""
    spec, ranges, out = task.inputs
    table = TableInput(**spec)
    rows = store.read_table(table.parts[0], table.columns)
    keys = order_keys(rows[table.key], task.settings["seed"])
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


def merge(task: Task, store: Store) -> Result:
    """Merge one range of all runs into a final file. Facts: rows, bytes, sha256 and what the manifest counts."""
    spec, r, out = task.inputs
    table = TableInput(**spec)
    pieces = []
    for run in table.parts:
        groups = store.read_json(f"{run}.json")
        if r in groups:
            with store.read(run) as file:
                pieces.append(pq.ParquetFile(file).read_row_group(groups.index(r), use_threads=False))
    facts: dict[str, Any] = {"table": table.name}
    if not pieces:
        rows = table.schema.empty_table()
    else:
        rows = pa.concat_tables(pieces).unify_dictionaries()
        del pieces
        if table.name == "pretrain":
            if held := task.settings.get("held_out"):
                rows = rows.filter(pa.array(~is_held_out(rows["doc_id"], held["share"], held["seed"])))
            rows, facts["too_short"] = pretrain.join_passages(rows, task.settings["min_pretrain_chars"])
            keys = pa.array(order_keys(rows["doc_id"], task.settings["seed"]))
            rows = rows.take(pc.sort_indices(pa.table({KEY: keys}), [(KEY, "ascending")]))
        else:
            # ties of the 64-bit key are broken by the whole id: never by which run came first
            order = pc.sort_indices(rows.select([KEY, "pair_id"]), [(KEY, "ascending"), ("pair_id", "ascending")])
            rows = rows.select(table.schema.names).take(order)
    rows = tidy(rows, table.schema)
    store.write_table(out, rows, published=True)
    facts |= {
        "file": out.rsplit("/", 1)[1],
        "rows": rows.num_rows,
        "bytes": store.size(out),
        "sha256": store.sha256(out),
    }
    return Result(rows=rows.num_rows, bytes=rows.nbytes, facts=facts)


def tidy(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Cast to the schema, with dictionaries that hold only the values used, sorted: equal rows give equal bytes."""
    columns = []
    for field in schema:
        column = rows[field.name].combine_chunks()
        if pa.types.is_dictionary(field.type):
            plain = column.cast(pa.string())
            values = pc.unique(plain).drop_null().sort()
            column = pa.DictionaryArray.from_arrays(pc.index_in(plain, values).cast(pa.int32()), values)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)
