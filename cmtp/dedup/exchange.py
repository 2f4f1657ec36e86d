"""Regroup rows by key without holding them all: a shuffle through files.

1. A writer sorts its rows by target range and writes one Arrow IPC file, with one record batch per range.
2. A reader takes one range of every file: one ranged read per file, on a local disk as in an object store.

A reader holds one range of all files. The number of ranges follows from the number of rows alone, never from the number
of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import IO, Any, Final, Generic, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cmtp.engine.store import Store

RANGES_MAX: Final = 1 << 16
"""Most ranges of an exchange: a target fits 16 bits, which numpy sorts by radix."""

Array: TypeAlias = npt.NDArray[Any]
U8: TypeAlias = npt.NDArray[np.uint8]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
F32: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Columns:
    """Rows as arrays of one length. A subclass names the columns and says what they hold.

    Numbers are numpy arrays. Texts and other values without a numpy form stay Arrow arrays.
    """

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """The columns of a table; those that the class does not name are left out."""
        return cls(**{name: _values(table[name]) for name in cls.names()})

    @classmethod
    def names(cls) -> list[str]:
        """The names of the columns, in order."""
        return [field.name for field in fields(cls)]

    @classmethod
    def concat(cls, parts: Iterable[Self]) -> Self:
        """The rows of all parts, one part after the other. The columns must be numbers, and there must be a part."""
        given = list(parts)
        return cls(**{name: np.concatenate([getattr(part, name) for part in given]) for name in cls.names()})

    def by_name(self) -> dict[str, Any]:
        """The columns by name."""
        return {name: getattr(self, name) for name in self.names()}

    def take(self, rows: Array) -> Self:
        """The rows that a mask (bool[rows]) marks, or the rows at some positions (integers), in their order."""
        return type(self)(**{name: _take(values, rows) for name, values in self.by_name().items()})

    def __len__(self) -> int:
        return len(getattr(self, self.names()[0]))

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(int(values.nbytes) for values in self.by_name().values())


C = TypeVar("C", bound=Columns)


def _values(column: pa.ChunkedArray) -> Any:
    return column.to_numpy() if pa.types.is_primitive(column.type) else column


def _take(values: Any, rows: Array) -> Any:
    if isinstance(values, np.ndarray):
        return values[rows]
    return values.filter(pa.array(rows)) if rows.dtype == bool else values.take(pa.array(rows))


@dataclass(frozen=True)
class Exchange(Generic[C]):
    """The files of one exchange.

    Attributes:
        store: where they lie.
        folder: which they fill, one file per writer.
        columns: what a row of them is.
        writers: number of tasks that write.
        ranges: number of ranges that can be read alone.
    """

    store: Store
    folder: str
    columns: type[C]
    writers: int
    ranges: int = 1

    def path(self, writer: int) -> str:
        """The file of one writer."""
        return f"{self.folder}/part-{writer:05d}.arrow"

    def write(self, writer: int, rows: C, target: Array | None = None) -> None:
        """Write the rows of one writer.

        Args:
            writer: number of the writer.
            rows: its rows.
            target: integers[rows], the range of each row; None where there is one range.
        """
        targets = np.zeros(len(rows), np.uint16) if target is None else target
        write_ranges(self.store, self.path(writer), rows.by_name(), targets, self.ranges)

    def read(self, index: int) -> C:
        """The rows of one range of all writers, in order of the writers. There must be a writer."""
        paths = [self.path(writer) for writer in range(self.writers)]
        return self.columns.of(read_range(self.store, paths, index))

    def parts(self, index: int) -> Iterator[C]:
        """The rows of one range, writer by writer, where all of them together need too much memory."""
        for writer in range(self.writers):
            yield self.columns.of(read_range(self.store, [self.path(writer)], index))

    def read_writer(self, writer: int) -> C:
        """The rows of all ranges of one writer."""
        return self.columns.of(read_file(self.store, self.path(writer)))


def write_ranges(store: Store, path: str, columns: dict[str, Any], target: Array, ranges: int) -> None:
    """Write rows so that each of `ranges` targets can be read alone; rows of one target keep their order.

    Args:
        store: where to.
        path: of the file.
        columns: name → numpy or Arrow values, all of one length.
        target: integers in [0, ranges), one per row.
        ranges: number of targets, at most `RANGES_MAX`.
    """
    assert 0 < ranges <= RANGES_MAX, f"{ranges} ranges do not fit into 16 bits"
    arrays = {
        name: pa.array(values) if isinstance(values, np.ndarray) else _whole(values) for name, values in columns.items()
    }
    batch = pa.RecordBatch.from_pydict(arrays)
    target = target.astype(np.uint16)
    if ranges > 1 and (target[1:] < target[:-1]).any():
        batch = batch.take(pa.array(np.argsort(target, kind="stable")))
    ends = np.cumsum(np.bincount(target, minlength=ranges))
    with store.write(path) as file, pa.ipc.new_file(file, batch.schema) as writer:
        start = 0
        for end in ends.tolist():
            writer.write_batch(batch.slice(start, end - start))
            start = end


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of a column, which may have no chunks at all."""
    if isinstance(values, pa.ChunkedArray):
        return pa.concat_arrays([pa.array([], values.type), *values.chunks])
    return values


def read_range(store: Store, paths: Iterable[str], index: int) -> pa.Table:
    """The rows of one range in all the files, in order of the files. At least one file must be given."""
    batches = []
    for path in paths:
        with _open(store, path) as file:
            batches.append(pa.ipc.open_file(file).get_batch(index))
    return pa.Table.from_batches(batches)


def read_file(store: Store, path: str) -> pa.Table:
    """The rows of all ranges of one file."""
    with _open(store, path) as file:
        return pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False)).read_all()


def _open(store: Store, path: str) -> pa.NativeFile | IO[bytes]:
    """Open a file. Exchanges are read in many small pieces: a local file is opened by Arrow, past Python."""
    return pa.OSFile(store.full(path)) if store.is_local else store.read(path)


def key_range(keys: Array, ranges: int) -> Array:
    """The range of each 64-bit hash: its upper 16 bits scaled to [0, ranges)."""
    return ((keys >> np.uint64(48)) * np.uint64(ranges) >> np.uint64(16)).astype(np.int64)
