"""Regrouping rows by key without holding them all: every writer sorts its rows by target range, every reader picks one.

A file is an Arrow IPC file with one record batch per range, so the rows of a range are one ranged read per file, on a
local disk as in an object store. What a reader holds is one range of all files; how many ranges there are follows from
the number of rows alone, never from the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
import pyarrow as pa

from cmtp.engine.store import Store

RANGES_MAX = 1 << 16


def write_ranges(
    store: Store, path: str, columns: dict[str, np.ndarray | pa.Array], target: np.ndarray, ranges: int
) -> None:
    """Write rows so that each of `ranges` targets can be read alone; rows of one target keep their order.

    Args:
        store: where to.
        path: of the file.
        columns: name → values, all of one length.
        target: integers in [0, ranges), one per row.
        ranges: number of targets, at most `RANGES_MAX`.
    """
    assert 0 < ranges <= RANGES_MAX, f"{ranges} ranges do not fit into 16 bits"
    batch = pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()})
    target = target.astype(np.uint16)
    if ranges > 1 and (target[1:] < target[:-1]).any():
        batch = batch.take(pa.array(np.argsort(target, kind="stable")))  # 16 bits: numpy sorts by radix
    ends = np.cumsum(np.bincount(target, minlength=ranges))
    with store.write(path) as file, pa.ipc.new_file(file, batch.schema) as writer:
        start = 0
        for end in ends.tolist():
            writer.write_batch(batch.slice(start, end - start))
            start = end


def read_range(store: Store, paths: Iterable[str], index: int) -> pa.Table:
    """The rows of one range in all the files, in order of the files. At least one file must be given."""
    batches = []
    for path in paths:
        with _open(store, path) as file:
            batches.append(pa.ipc.open_file(file).get_batch(index))
    return pa.Table.from_batches(batches)


def read_all(store: Store, paths: Iterable[str]) -> pa.Table:
    """The rows of all ranges in all the files."""
    tables = []
    options = pa.ipc.IpcReadOptions(use_threads=False)
    for path in paths:
        with _open(store, path) as file:
            tables.append(pa.ipc.open_file(file, options=options).read_all())
    return pa.concat_tables(tables)


def _open(store: Store, path: str) -> pa.NativeFile | IO[bytes]:
    """Exchanges are read in many small pieces: from a local disk without a detour through Python."""
    return pa.OSFile(store.full(path)) if store.is_local else store.read(path)


def arrays(table: pa.Table, names: Sequence[str]) -> list[np.ndarray]:
    """Columns of numbers as numpy arrays."""
    return [table[name].to_numpy() for name in names]


def key_range(keys: np.ndarray, ranges: int) -> np.ndarray:
    """The range of each 64-bit hash: its upper 16 bits scaled to [0, ranges)."""
    return ((keys >> np.uint64(48)) * np.uint64(ranges) >> np.uint64(16)).astype(np.int64)
