"""How a dedup job is cut: which partitions, which global row numbers, how many ranges per exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.engine.store import Store
from cmtp.errors import CmtpError

KEYS_PER_RANGE = 250_000
"""Rows of an exact exchange that one task holds, about (90 bytes each, and as much again while sorting)."""

BANDS_PER_RANGE = 2_000_000
"""Band keys that one matching task holds, about (20 bytes each, and up to 100 while it makes edges)."""

OLDER_GROUPS = 4
"""Row groups of an older release that are read together: about as much as a partition of this build."""


@dataclass(frozen=True)
class Layout:
    """A row's number is its place in the concatenation of all partitions; it fits 32 bits.

    The partitions of older releases come after the build's own. Their rows take part in every exchange; no verdict is
    ever on them.

    Attributes:
        folder: the stage's folder.
        inputs: the build's own partitions.
        older: row groups of older releases: name, root, path, first and last + 1 row group of each.
        rows: rows of each partition, own ones first.
    """

    folder: str
    inputs: list[str]
    older: list[tuple[str, str, str, int, int]]
    rows: list[int]

    @classmethod
    def measure(cls, store: Store, folder: str, inputs: list[str], releases: Sequence[dict[str, Any]]) -> Layout:
        """Count the rows from the Parquet footers, and leave the layout in the stage's folder for the tasks.

        Args:
            store: of the build.
            folder: the stage's folder.
            inputs: the build's own partitions.
            releases: as `references.resolve` gives them.

        Raises:
            CmtpError: more rows than 32 bits number.
        """
        rows = [store.rows(path) for path in inputs]
        older = []
        for release in releases:
            there = Store(release["root"])
            for path in release["files"]:
                with there.read(path) as file:
                    metadata = pq.read_metadata(file)
                groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
                for first in range(0, len(groups), OLDER_GROUPS):
                    some = groups[first : first + OLDER_GROUPS]
                    older.append((release["name"], release["root"], path, first, first + len(some)))
                    rows.append(sum(some))
        if sum(rows) >= 1 << 32:
            raise CmtpError(f"dedup: {sum(rows):,} rows; one build takes at most 4,294,967,295. Build in parts.")
        store.write_json(f"{folder}/layout.json", {"inputs": inputs, "older": older, "rows": rows})
        return cls(folder, inputs, older, rows)

    @classmethod
    def load(cls, store: Store, folder: str) -> Layout:
        """The layout that `measure` left."""
        return cls(folder, **store.read_json(f"{folder}/layout.json"))

    def read(self, store: Store, index: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of a partition, own or older."""
        if index < self.own:
            return store.read_table(self.inputs[index], columns=columns)
        _, root, path, first, last = self.older[index - self.own]
        with Store(root).read(path) as file:
            return pq.ParquetFile(file).read_row_groups(range(first, last), columns=[*columns], use_threads=False)

    @cached_property
    def starts(self) -> np.ndarray:
        """int64[partitions + 1]: number of the first row of each partition; the last entry is the row count."""
        return np.concatenate([[0], np.cumsum(self.rows)]).astype(np.int64)

    @property
    def partitions(self) -> int:
        """Number of partitions, older ones included."""
        return len(self.rows)

    @property
    def own(self) -> int:
        """Number of the build's own partitions."""
        return len(self.inputs)

    @property
    def own_rows(self) -> int:
        """Rows of the build's own partitions; higher row numbers are of older releases."""
        return int(self.starts[self.own])

    def partition_of(self, rows: np.ndarray) -> np.ndarray:
        """The partition of each row number."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def releases_of(self, rows: np.ndarray) -> list[str | None]:
        """The name of the older release each row number belongs to; None for the build's own."""
        names: list[str | None] = [None] * self.own + [one[0] for one in self.older]
        return [names[partition] for partition in self.partition_of(rows).tolist()]

    @property
    def key_ranges(self) -> int:
        """Ranges of an exact exchange."""
        return max(1, -(-int(self.starts[-1]) // KEYS_PER_RANGE))

    def band_ranges(self, bands: int) -> int:
        """Ranges of the exchange of band keys."""
        return max(1, -(-int(self.starts[-1]) * bands // BANDS_PER_RANGE))

    def files(self, name: str, count: int) -> list[str]:
        """The files of an exchange, one per task that writes it."""
        return [self.file(name, index) for index in range(count)]

    def file(self, name: str, index: int) -> str:
        """One file of an exchange."""
        return f"{self.folder}/exchange/{name}/part-{index:05d}.arrow"
