"""Parquet files whose row groups are numbered, so that a later task reads one number's rows of many files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.engine.store import Store, parquet_writer


def write_groups(store: Store, path: str, rows: pa.Table, numbers: np.ndarray) -> None:
    """Write rows with one row group per number; ``PATH.json`` lists the numbers in the order of the groups.

    Args:
        store: the files of the build.
        path: where to.
        rows: [n] rows, the rows of a number one after the other.
        numbers: [n] int64, ascending.
    """
    groups: list[int] = []
    with store.write(path) as file, parquet_writer(file, rows.schema) as writer:
        for number in np.unique(numbers).tolist():
            start, end = np.searchsorted(numbers, [number, number + 1])
            writer.write_table(rows.slice(start, end - start), row_group_size=int(end - start))
            groups.append(number)
    store.write_json(f"{path}.json", groups)


def read_group(store: Store, path: str, number: int) -> pa.Table | None:
    """The rows of a number; None where the file has none."""
    groups = store.read_json(f"{path}.json")
    if number not in groups:
        return None
    with store.read(path) as file:
        return pq.ParquetFile(file).read_row_group(groups.index(number), use_threads=False)
