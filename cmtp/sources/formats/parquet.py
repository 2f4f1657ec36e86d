"""Parquet: rows as records, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.sources.formats.format import Beginning, Certainty, Content, Format, FormatItem, TableOptions
from cmtp.sources.part import Part
from cmtp.sources.stream import Failure, open_url

BATCH_ROWS: Final = 1024
"""Rows held as Python objects at a time."""


def row_groups(file: IO[bytes]) -> list[tuple[int, int]]:
    """(rows, bytes) of every row group; raises pyarrow.ArrowInvalid or OSError for a broken file."""
    metadata = pq.ParquetFile(file).metadata
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    return [(group.num_rows, group.total_byte_size) for group in groups]


def read_parquet(
    file: IO[bytes], options: TableOptions, groups: tuple[int, int] | None = None
) -> Iterator[tuple[int, Any]]:
    """The rows of a Parquet file; the record number is the row number in the file.

    Args:
        file: seekable.
        options: chooses the columns. Where they are of no known layout, the table is one failure, with its first row
            explained: to read and reject all rows would teach nothing more.
        groups: first and last + 1 of the row groups to be read; None for all.
    """
    try:
        table = pq.ParquetFile(file)
        metadata = table.metadata
        columns = options.choose(table.schema_arrow.names)
        if columns is None:
            evidence = options.explain(_first_row(table))
            yield 0, Failure("unknown_layout", evidence | {"rows": metadata.num_rows})
            return
    except (pa.ArrowException, OSError) as error:
        yield 0, Failure("truncated_file", {"format": "parquet", "error": str(error)[:200]})
        return
    first, last = groups or (0, metadata.num_row_groups)
    number = sum(metadata.row_group(index).num_rows for index in range(first))
    for index in range(first, last):
        start, number = number, number + metadata.row_group(index).num_rows
        try:
            yield from _rows(table, index, columns, start)
        except (pa.ArrowException, OSError) as error:
            yield 0, Failure("truncated_file", {"format": "parquet", "row_group": index, "error": str(error)[:200]})


def _rows(table: pq.ParquetFile, group: int, columns: list[str], number: int) -> Iterator[tuple[int, Any]]:
    for batch in table.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False):
        try:
            rows = batch.to_pylist()
        except UnicodeDecodeError:
            rows = [_row(batch, index) for index in range(batch.num_rows)]
        for row in rows:
            number += 1
            yield number, row


def _first_row(table: pq.ParquetFile) -> dict[str, Any]:
    """The first row with all columns, without values where it cannot be read."""
    names = table.schema_arrow.names
    row = next((row for _, row in _rows(table, 0, names, 0)), None) if table.metadata.num_row_groups else None
    return row if isinstance(row, dict) else dict.fromkeys(names)


def _row(batch: pa.RecordBatch, index: int) -> dict[str, Any] | Failure:
    try:
        return batch.slice(index, 1).to_pylist()[0]  # type: ignore[no-any-return]
    except UnicodeDecodeError as error:
        return Failure("undecodable", {"encoding": "utf-8", "byte": error.start})


def _read(content: Content) -> Iterator[FormatItem]:
    with content.seekable() as file:
        if content.stream.failure is None:
            groups = content.part.groups if content.part is not None else None
            yield from read_parquet(file, content.table, groups)


def _split(part: Part, task_bytes: int, head: bytes) -> list[Part]:
    """Runs of row groups of about `task_bytes`; each part is charged, and hashes, a proportional range of the bytes."""
    try:
        with open_url(part.url) as file:
            groups = row_groups(file)
    except (pa.ArrowException, OSError):
        return [part]  # broken: the reader says how
    total = sum(size for _, size in groups)
    if len(groups) < 2 or not total:
        return [part]
    parts = list[Part]()
    first_group = start = seen = 0
    for index, (_, size) in enumerate(groups):
        is_last = index == len(groups) - 1
        seen += size
        stop = part.bytes if is_last else seen * part.bytes // total
        if stop - start >= task_bytes or is_last:
            parts.append(replace(part, start=start, stop=stop, groups=(first_group, index + 1)))
            first_group, start = index + 1, stop
    return parts


FORMAT = Format(
    "parquet",
    (".parquet",),
    gives="records",
    about="a record per row",
    read=_read,
    begins=Beginning(lambda head: head.startswith(b"PAR1"), Certainty.SIGNATURE),
    split=_split,
)
